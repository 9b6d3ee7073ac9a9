"""Pictures that a text file or a CSV names: files, and addresses where they are allowed."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from embedding_pipeline.errors import AddressRefused, AddressUnreachable, IngestError
from embedding_pipeline.ingest.file_reading import item_of_file, load_file
from embedding_pipeline.ingest.ledger import metadata_text
from embedding_pipeline.ingest.source_items import (
    Loaded,
    Problem,
    SourceItem,
    SourceProblem,
    check_head,
    path_bytes,
    path_from_bytes,
)
from minio_proxy.errors import PictureError
from minio_proxy.picture.formats import HEAD_BYTES
from minio_proxy.picture.header import Limits

PATH_COLUMNS = ("path", "file", "filename", "image", "url")
"""Of several the first is taken; an address beside a path is then metadata."""
SCHEMES = ("http://", "https://")
FETCHED = "fetched"
"""Version of every address: what lies behind it is fetched once, and again with --checksum."""


class ListSource:
    """One path or address a line, or a CSV whose other columns become metadata.

    Relative paths are relative to the list's folder. In a text file empty lines and lines
    that begin with ``#`` are left out. The same path twice counts once, the first time.

    Args:
        path: the list; a name that ends in ``.csv`` is a CSV with a header line.
        limits: of size and pixels.
        fetch: bytes behind an address; None where addresses are not allowed, which makes
            each a failure that is tried again as soon as they are.

    Raises:
        IngestError: the list cannot be read, or a CSV has no path column.
    """

    def __init__(
        self, path: Path, *, limits: Limits, fetch: Callable[[str], bytes] | None = None
    ) -> None:
        self._path = path.absolute()
        self._limits = limits
        self._fetch = fetch
        self._rows = self._csv_rows if path.suffix.lower() == ".csv" else self._text_rows
        next(iter(self._rows()), None)

    @property
    def name(self) -> str:
        """``list:`` and the absolute path."""
        return f"list:{path_bytes(str(self._path)).decode('utf-8', 'backslashreplace')}"

    @property
    def root(self) -> None:
        """Nowhere: a list names files of any place, so none is left where it is."""
        return

    def items(self) -> Iterator[SourceItem]:
        """What the list names, sorted on disk, so that its length costs no memory."""
        with closing(sqlite3.connect("")) as sorter:
            sorter.execute(
                "CREATE TABLE listed (path BLOB PRIMARY KEY, metadata TEXT) WITHOUT ROWID"
            )
            sorter.executemany(
                "INSERT OR IGNORE INTO listed VALUES (?, ?)",
                ((path_bytes(path), metadata_text(metadata)) for path, metadata in self._rows()),
            )
            for raw, metadata in sorter.execute("SELECT path, metadata FROM listed ORDER BY path"):
                path = path_from_bytes(raw)
                if _is_address(path):
                    yield self._item_of_address(path, metadata)
                else:
                    yield item_of_file(self._file(raw), path, metadata)

    def items_below(self, path: str) -> Iterator[SourceItem]:
        """Those of its lines that are this path or begin with it and a slash."""
        for item in self.items():
            if item.path == path or item.path.startswith(f"{path}/"):
                yield item

    def watcher(self) -> None:
        """Nothing tells of changes in a list."""
        return

    def load(self, item: SourceItem) -> Loaded:
        """Read one of the files, or fetch one of the addresses."""
        if self._fetch is not None and _is_address(item.path):
            return _fetched(item.path, self._fetch, self._limits)
        return load_file(self._file(path_bytes(item.path)), self._limits)

    def _item_of_address(self, address: str, metadata: str) -> SourceItem:
        fields = json.loads(metadata) if metadata else None
        if self._fetch is not None:
            return SourceItem(address, FETCHED, metadata=fields)
        reason = "addresses are fetched only where BOXSEEK_ALLOW_URLS=true allows it"
        problem = Problem("failed", "list", reason, AddressRefused.code, retryable=True)
        return SourceItem(address, "", metadata=fields, problem=problem)

    def _file(self, raw: bytes) -> bytes:
        return os.path.join(os.fsencode(self._path.parent), raw)  # noqa: PTH118 - bytes

    def _text_rows(self) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
        try:
            with self._path.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
                for line in lines:
                    path = line.rstrip("\r\n")
                    if path and not path.startswith("#"):
                        yield path, None
        except OSError as exc:
            raise self._unreadable(exc) from exc

    def _csv_rows(self) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
        try:
            with self._path.open(
                encoding="utf-8-sig", errors="surrogateescape", newline=""
            ) as file:
                reader = csv.DictReader(file)
                column = self._path_column(reader.fieldnames or ())
                for row in reader:
                    if path := row.pop(column):
                        yield path, {name: text for name, text in row.items() if name and text}
        except OSError as exc:
            raise self._unreadable(exc) from exc
        except csv.Error as exc:
            raise IngestError(f"{self._path} is no readable CSV: {exc}") from exc

    def _path_column(self, names: object) -> str:
        columns = list(names) if isinstance(names, list | tuple) else []
        for wanted in PATH_COLUMNS:
            for name in columns:
                if name.strip().lower() == wanted:
                    return str(name)
        raise IngestError(
            f"{self._path} has no column named {', '.join(PATH_COLUMNS)}; it has: "
            f"{', '.join(columns) or 'none'}"
        )

    def _unreadable(self, exc: OSError) -> IngestError:
        return IngestError(f"cannot read the list {self._path}: {exc.strerror}")


def _is_address(path: str) -> bool:
    return path.lower().startswith(SCHEMES)


def _fetched(address: str, fetch: Callable[[str], bytes], limits: Limits) -> Loaded:
    try:
        data = fetch(address)
        check_head(data[:HEAD_BYTES], len(data), limits)
    except PictureError as exc:
        problem = Problem("rejected", "read", exc.message, exc.code, retryable=False)
        raise SourceProblem(problem) from exc
    except (AddressRefused, AddressUnreachable) as exc:
        retryable = isinstance(exc, AddressUnreachable)
        problem = Problem("failed", "read", exc.message, exc.code, retryable=retryable)
        raise SourceProblem(problem) from exc
    return Loaded(data, FETCHED)
