"""Pictures that a text file or a CSV names."""

from __future__ import annotations

import csv
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from embedding_pipeline.errors import IngestError
from embedding_pipeline.ingest.file_reading import item_of_file, load_file
from embedding_pipeline.ingest.ledger import metadata_text
from embedding_pipeline.ingest.source_items import (
    Loaded,
    SourceItem,
    path_bytes,
    path_from_bytes,
)
from minio_proxy.picture.header import Limits

PATH_COLUMNS = ("path", "file", "filename", "image")


class ListSource:
    """One path a line, or a CSV with a path column whose other columns become metadata.

    Relative paths are relative to the list's folder. In a text file empty lines and lines
    that begin with ``#`` are left out. The same path twice counts once, the first time.

    Args:
        path: the list; a name that ends in ``.csv`` is a CSV with a header line.
        limits: of size and pixels.

    Raises:
        IngestError: the list cannot be read, or a CSV has no path column.
    """

    def __init__(self, path: Path, *, limits: Limits) -> None:
        self._path = path.absolute()
        self._limits = limits
        self._rows = self._csv_rows if path.suffix.lower() == ".csv" else self._text_rows
        next(iter(self._rows()), None)

    @property
    def name(self) -> str:
        """``list:`` and the absolute path."""
        return f"list:{path_bytes(str(self._path)).decode('utf-8', 'backslashreplace')}"

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
                yield item_of_file(self._file(raw), path_from_bytes(raw), metadata)

    def load(self, item: SourceItem) -> Loaded:
        """Read one of the files."""
        return load_file(self._file(path_bytes(item.path)), self._limits)

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
        for name in columns:
            if name.strip().lower() in PATH_COLUMNS:
                return str(name)
        raise IngestError(
            f"{self._path} has no column named {', '.join(PATH_COLUMNS)}; it has: "
            f"{', '.join(columns) or 'none'}"
        )

    def _unreadable(self, exc: OSError) -> IngestError:
        return IngestError(f"cannot read the list {self._path}: {exc.strerror}")
