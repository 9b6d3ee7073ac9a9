"""What a source's earlier runs made of its pictures, on disk and sorted by path.

The ledger is a cache: without it, the next run reads every file again, finds the originals
and entries that are there and writes it anew. SQLite in WAL mode survives kill -9 between
any two statements; memory stays flat because everything is read in pages.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from embedding_pipeline.errors import IngestError
from embedding_pipeline.ingest.ledger_rows import (
    COLUMNS,
    Known,
    LedgerRow,
    item_of,
    known_of,
    metadata_text,
    row_of,
    values_of,
    values_of_item,
)
from embedding_pipeline.ingest.source_items import (
    SourceItem,
    State,
    path_bytes,
    path_from_bytes,
    readable,
)

LEDGER_FORMAT = 1
__all__ = ["Ledger", "LedgerRow", "metadata_text"]
PAGE_ROWS = 1000
_PROBLEM = "state IN ('failed', 'rejected')"
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS entries (
  path BLOB PRIMARY KEY, version TEXT NOT NULL, metadata TEXT NOT NULL, state TEXT NOT NULL,
  image_key TEXT, objects INTEGER NOT NULL, duplicate_of TEXT, stage TEXT, reason TEXT,
  code TEXT, retryable INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_by_key ON entries (image_key) WHERE image_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS entries_by_state ON entries (state) WHERE {_PROBLEM};
CREATE INDEX IF NOT EXISTS entries_gone ON entries (path) WHERE state = 'gone';
CREATE TABLE IF NOT EXISTS former (
  path BLOB NOT NULL, image_key TEXT NOT NULL, PRIMARY KEY (path, image_key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS todo (
  path BLOB PRIMARY KEY, version TEXT NOT NULL, size_bytes INTEGER, metadata TEXT NOT NULL,
  problem TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS gone (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_GONE = """
  SELECT path, image_key FROM entries WHERE state = 'gone' AND image_key IS NOT NULL
"""
_REPLACED = """
  SELECT former.path, former.image_key FROM former LEFT JOIN entries USING (path)
  WHERE entries.path IS NULL OR entries.state = 'gone'
  OR (entries.state IN ('indexed', 'duplicate') AND entries.image_key != former.image_key)
  OR (entries.state = 'rejected' AND entries.code != 'picture_too_large')
"""
_LEFT = {"gone": _GONE, "replaced": _REPLACED}
_PUT = f"INSERT OR REPLACE INTO entries ({COLUMNS}) VALUES ({', '.join('?' * 11)})"  # noqa: S608


class Ledger:
    """The ledger of one source and collection.

    May be used from several threads; each call opens what it needs.

    Args:
        path: the SQLite file; made on demand.

    Raises:
        IngestError: the file is no ledger, or of another format version.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        try:
            with closing(self._connect()) as connection, connection:
                connection.executescript(_SCHEMA)
            found = self.fact("format")
        except sqlite3.DatabaseError as exc:
            raise IngestError(
                f"{path} is no readable ledger ({exc}); delete it and run again, "
                "it will be made anew",
            ) from exc
        if found is None:
            self.set_facts({"format": str(LEDGER_FORMAT)})
        elif found != str(LEDGER_FORMAT):
            raise IngestError(
                f"{path} has ledger format {found}, expected {LEDGER_FORMAT}; delete it and "
                "run again, it will be made anew",
            )

    @property
    def name(self) -> str:
        """File name of the ledger."""
        return self._path.name

    def rows(self) -> Iterator[LedgerRow]:
        """Every row in the order of the path's bytes; later writes behind it are not seen."""
        for values in self._paged("entries", COLUMNS):
            yield row_of(values)

    def get(self, path: str) -> LedgerRow | None:
        """The row of one path."""
        found = self._all(f"SELECT {COLUMNS} FROM entries WHERE path = ?", [path_bytes(path)])  # noqa: S608
        return row_of(found[0]) if found else None

    def known(self, asked: Iterable[tuple[str, str]]) -> dict[str, Known]:
        """What is known of paths and of the bytes that they have now, by path.

        Args:
            asked: paths with their image keys; one connection serves all of them.
        """
        with closing(self._connect()) as connection:
            return {path: known_of(connection, path, key) for path, key in asked}

    def with_states(self, states: Sequence[State], after: bytes = b"") -> Iterator[LedgerRow]:
        """Rows that failed, were rejected, or both, by path, those after the bytes of a path."""
        # Said as the index on them says it, so that SQLite uses that and reads nothing else.
        where = f"{_PROBLEM} AND state IN ({', '.join('?' * len(states))})"
        for values in self._paged("entries", COLUMNS, where, states, after):
            yield row_of(values)

    def count(self) -> dict[str, int]:
        """How many rows are in which state."""
        return dict(self._all("SELECT state, count(*) FROM entries GROUP BY state", []))

    def rows_below(self, path: str) -> Iterator[LedgerRow]:
        """The row of one path, then those of what lies below it as a folder."""
        row = self.get(path)
        if row is not None:
            yield row
        below = path_bytes(path) + b"/"
        for values in self._paged("entries", COLUMNS, "path < ?", [below[:-1] + b"0"], below):
            yield row_of(values)

    def write(self, rows: Iterable[LedgerRow]) -> None:
        """Put rows in, each in place of the one that its path had; all or none.

        What a path was before with another content is remembered for ``leftovers``.
        """
        with closing(self._connect()) as connection, connection:
            for row in rows:
                path = path_bytes(row.path)
                before = connection.execute(
                    "SELECT image_key, state FROM entries WHERE path = ?", [path]
                ).fetchone()
                connection.execute(_PUT, values_of(row))
                if before is not None and before[0] not in {None, row.image_key}:
                    connection.execute(
                        "INSERT OR IGNORE INTO former VALUES (?, ?)", [path, before[0]]
                    )
                    if before[1] == "indexed" and row.image_key is not None:
                        _hand_over(connection, before[0], row.path)
                if before is not None and row.image_key is not None:
                    connection.execute(
                        "DELETE FROM former WHERE path = ? AND image_key = ?", [path, row.image_key]
                    )

    def plan(self, steps: Iterable[SourceItem | LedgerRow]) -> None:
        """Remember what a run has to do, in place of the plan before; all or nothing.

        The plan lies on disk so that memory does not grow with the archive.

        Args:
            steps: items to work on, and rows that the source no longer has.
        """
        with closing(self._connect()) as connection, connection:
            connection.execute("DELETE FROM todo")
            connection.execute("DELETE FROM gone")
            for step in steps:
                if isinstance(step, SourceItem):
                    connection.execute(
                        "INSERT OR IGNORE INTO todo VALUES (?, ?, ?, ?, ?)", values_of_item(step)
                    )
                else:
                    connection.execute(
                        "INSERT OR IGNORE INTO gone VALUES (?)", [path_bytes(step.path)]
                    )

    def planned(self) -> Iterator[SourceItem]:
        """Items to work on that plan remembered, by path."""
        for values in self._paged("todo", "path, version, size_bytes, metadata, problem"):
            yield item_of(values)

    def planned_gone(self) -> Iterator[LedgerRow]:
        """Rows that plan found missing in the source, by path."""
        for (path,) in self._paged("gone", "path"):
            row = self.get(path_from_bytes(path))
            if row is not None:
                yield row

    def mark_gone(self, row: LedgerRow) -> None:
        """Note that the source no longer has it; a duplicate of it takes its place."""
        path = path_bytes(row.path)
        with closing(self._connect()) as connection, connection:
            if row.image_key is None or row.state in {"failed", "rejected"}:
                connection.execute("DELETE FROM entries WHERE path = ?", [path])
                return
            connection.execute("UPDATE entries SET state = 'gone' WHERE path = ?", [path])
            if row.state == "indexed":
                _hand_over(connection, row.image_key, row.path)

    def leftovers(self, how: Literal["gone", "replaced"]) -> Iterator[tuple[str, str]]:
        """Path and image key of pictures that the source brought and no longer has.

        Args:
            how: their path is gone, or has another content.
        """
        after: tuple[bytes, str] = (b"", "")
        while page := self._all(
            f"SELECT * FROM ({_LEFT[how]}) WHERE (path, image_key) > (?, ?) "  # noqa: S608
            f"ORDER BY path, image_key LIMIT {PAGE_ROWS}",
            after,
        ):
            for path, image_key in page:
                yield path_from_bytes(path), image_key
            after = page[-1]

    def leftover_count(self, how: Literal["gone", "replaced"]) -> int:
        """How many leftovers there are."""
        return int(self._all(f"SELECT count(*) FROM ({_LEFT[how]})", [])[0][0])  # noqa: S608

    def drop_leftover(self, path: str, image_key: str) -> None:
        """Forget one of the leftovers."""
        raw = path_bytes(path)
        with closing(self._connect()) as connection, connection:
            connection.execute(
                "DELETE FROM entries WHERE path = ? AND image_key = ? AND state = 'gone'",
                [raw, image_key],
            )
            connection.execute(
                "DELETE FROM former WHERE path = ? AND image_key = ?", [raw, image_key]
            )

    def forget(self, paths: Iterable[str]) -> None:
        """Remove rows; unknown paths are no error."""
        with closing(self._connect()) as connection, connection:
            connection.executemany(
                "DELETE FROM entries WHERE path = ?", [[path_bytes(path)] for path in paths]
            )

    def fact(self, name: str) -> str | None:
        """A remembered fact of the whole ledger, e.g. which index version it speaks of."""
        found = self._all("SELECT value FROM facts WHERE name = ?", [name])
        return str(found[0][0]) if found else None

    def set_facts(self, facts: dict[str, str | None]) -> None:
        """Remember facts; None forgets one."""
        with closing(self._connect()) as connection, connection:
            for name, value in facts.items():
                if value is None:
                    connection.execute("DELETE FROM facts WHERE name = ?", [name])
                else:
                    connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", [name, value])

    def _paged(
        self,
        table: str,
        columns: str,
        where: str = "TRUE",
        values: Sequence[object] = (),
        after: bytes = b"",
    ) -> Iterator[tuple[Any, ...]]:
        behind: bytes | None = after
        while behind is not None:
            page = self._all(
                f"SELECT {columns} FROM {table} WHERE path > ? AND {where} "  # noqa: S608
                f"ORDER BY path LIMIT {PAGE_ROWS}",
                [behind, *values],
            )
            yield from page
            behind = page[-1][0] if page else None

    def _all(self, statement: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        with closing(self._connect()) as connection:
            return connection.execute(statement, values).fetchall()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=30)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection


def _hand_over(connection: sqlite3.Connection, image_key: str | None, path: str) -> None:
    """Let a duplicate take the place of the path that it was a duplicate of."""
    connection.execute(
        "UPDATE entries SET state = 'indexed', duplicate_of = NULL WHERE path = ("
        "SELECT path FROM entries WHERE image_key = ? AND state = 'duplicate' "
        "AND duplicate_of = ? ORDER BY path LIMIT 1)",
        [image_key, readable(path)],
    )
