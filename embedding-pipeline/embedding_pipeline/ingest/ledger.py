"""What a source's earlier runs made of its pictures, on disk and sorted by path.

The ledger is a cache: without it, the next run reads every file again, finds the originals
and entries that are there and writes it anew. SQLite in WAL mode survives kill -9 between
any two statements; memory stays flat because everything is read in pages.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from embedding_pipeline.errors import IngestError
from embedding_pipeline.ingest.source_items import (
    Problem,
    SourceItem,
    State,
    path_bytes,
    path_from_bytes,
    readable,
)

LEDGER_FORMAT = 1
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
CREATE TABLE IF NOT EXISTS todo (
  path BLOB PRIMARY KEY, version TEXT NOT NULL, size_bytes INTEGER, metadata TEXT NOT NULL,
  problem TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS gone (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_COLUMNS = (
    "path, version, metadata, state, image_key, objects, duplicate_of, stage, reason, code, "
    "retryable"
)
_PUT = f"INSERT OR REPLACE INTO entries ({_COLUMNS}) VALUES ({', '.join('?' * 11)})"  # noqa: S608

LedgerState: TypeAlias = State | Literal["gone"]


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """The one state that a picture of the source is in.

    Args:
        path: its name inside the source.
        version: of the content that the state belongs to.
        metadata: JSON text of the fields that the source gave; empty for none.
        state: indexed, duplicate, rejected or failed; gone when the source no longer has
            it although its picture is still stored.
        image_key: SHA-256 of the bytes; None when they were not read.
        objects: entries of kind object, for indexed and duplicate.
        duplicate_of: what it is the same as: a path of this source, or ``stored``.
        stage: where it failed or was rejected.
        reason: why, one sentence.
        code: the error's stable code.
        retryable: the same content may work later.
    """

    path: str
    version: str
    metadata: str
    state: LedgerState
    image_key: str | None = None
    objects: int = 0
    duplicate_of: str | None = None
    stage: str | None = None
    reason: str | None = None
    code: str | None = None
    retryable: bool = False


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
        for values in self._paged("entries", _COLUMNS):
            yield _row(values)

    def get(self, path: str) -> LedgerRow | None:
        """The row of one path."""
        found = self._all(f"SELECT {_COLUMNS} FROM entries WHERE path = ?", [path_bytes(path)])  # noqa: S608
        return _row(found[0]) if found else None

    def first_with_key(self, image_key: str, *, other_than: str) -> str | None:
        """Path of an indexed row with these bytes other than the given one, the first by path."""
        found = self._all(
            "SELECT path FROM entries WHERE image_key = ? AND state = 'indexed' AND path != ? "
            "ORDER BY path LIMIT 1",
            [image_key, path_bytes(other_than)],
        )
        return path_from_bytes(found[0][0]) if found else None

    def with_states(self, states: Sequence[State], after: bytes = b"") -> Iterator[LedgerRow]:
        """Rows that failed, were rejected, or both, by path, those after the bytes of a path."""
        # Said as the index on them says it, so that SQLite uses that and reads nothing else.
        where = f"{_PROBLEM} AND state IN ({', '.join('?' * len(states))})"
        for values in self._paged("entries", _COLUMNS, where, states, after):
            yield _row(values)

    def count(self) -> dict[str, int]:
        """How many rows are in which state."""
        return dict(self._all("SELECT state, count(*) FROM entries GROUP BY state", []))

    def write(self, rows: Iterable[LedgerRow]) -> None:
        """Put rows in, each in place of the one that its path had; all or none."""
        with closing(self._connect()) as connection, connection:
            connection.executemany(_PUT, [_values(row) for row in rows])

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
                        "INSERT OR IGNORE INTO todo VALUES (?, ?, ?, ?, ?)", _todo(step)
                    )
                else:
                    connection.execute(
                        "INSERT OR IGNORE INTO gone VALUES (?)", [path_bytes(step.path)]
                    )

    def planned(self) -> Iterator[SourceItem]:
        """Items to work on that plan remembered, by path."""
        for values in self._paged("todo", "path, version, size_bytes, metadata, problem"):
            yield _item(values)

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
                connection.execute(
                    "UPDATE entries SET state = 'indexed', duplicate_of = NULL WHERE path = ("
                    "SELECT path FROM entries WHERE image_key = ? AND state = 'duplicate' "
                    "AND duplicate_of = ? ORDER BY path LIMIT 1)",
                    [row.image_key, readable(row.path)],
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


def metadata_text(metadata: Mapping[str, Any] | None) -> str:
    """Metadata as the ledger compares it; empty for none."""
    return json.dumps(metadata, sort_keys=True) if metadata is not None else ""


def _todo(item: SourceItem) -> tuple[object, ...]:
    problem = json.dumps(asdict(item.problem)) if item.problem else ""
    metadata = metadata_text(item.metadata)
    return (path_bytes(item.path), item.version, item.size_bytes, metadata, problem)


def _item(values: tuple[Any, ...]) -> SourceItem:
    path, version, size_bytes, metadata, problem = values
    return SourceItem(
        path_from_bytes(path),
        version,
        size_bytes,
        json.loads(metadata) if metadata else None,
        Problem(**json.loads(problem)) if problem else None,
    )


def _row(values: tuple[Any, ...]) -> LedgerRow:
    named = dict(zip(_COLUMNS.split(", "), values, strict=True))
    named |= {"path": path_from_bytes(values[0]), "retryable": bool(values[-1])}
    return LedgerRow(**named)


def _values(row: LedgerRow) -> tuple[object, ...]:
    return (
        path_bytes(row.path),
        row.version,
        row.metadata,
        row.state,
        row.image_key,
        row.objects,
        row.duplicate_of,
        row.stage,
        row.reason,
        row.code,
        int(row.retryable),
    )
