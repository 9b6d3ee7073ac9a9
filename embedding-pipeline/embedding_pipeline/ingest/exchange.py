"""The index out to a Parquet file and back in."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.domain.entries import PictureEntries
from embedding_pipeline.errors import DescriptionMismatch, IndexNotFound, IngestError
from embedding_pipeline.ingest.key_locks import KeyLocks
from embedding_pipeline.ingest.parquet_rows import (
    description_of,
    from_batches,
    schema_of,
    to_table,
)
from embedding_pipeline.ingest.progress import MERGING, Progress
from embedding_pipeline.ingest.shelving import with_record
from embedding_pipeline.ingest.version_differences import whole_pictures
from embedding_pipeline.ports.index import IndexCatalog, ObjectIndex
from minio_proxy.originals import Originals

GROUP_PICTURES = 256
"""Pictures in one row group: what is in memory at once."""

READ_ROWS = 1024
SHOWN_PROBLEMS = 100
SAME_VECTOR = 1e-5
"""Largest difference of a number that a backend's own rounding makes."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export wrote."""

    version: str
    pictures: int
    objects: int
    size_bytes: int


@dataclass(slots=True)
class ImportReport:
    """What became of the pictures of a file.

    Args:
        version: that was written to.
        created: it was made for this import.
        written: pictures that were new or other.
        unchanged: that the version had just so.
        without_original: that were refused because their original is not stored.
        bad: with a bad row; the first reasons are in ``reasons``.
        interrupted: it was stopped before the end.
    """

    version: str
    created: bool = False
    written: int = 0
    unchanged: int = 0
    without_original: int = 0
    bad: int = 0
    reasons: list[str] = field(default_factory=list)
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """0, or 1 when something was refused or it was interrupted."""
        return int(bool(self.bad or self.without_original or self.interrupted))


def export_index(index: ObjectIndex, path: Path, progress: Progress) -> ExportReport:
    """Write every entry of a version, in the order of its keys, in bounded memory.

    The file appears under its name once it is whole.

    Raises:
        IngestError: the file cannot be written.
    """
    schema = schema_of(index.version.description)
    progress.begin()
    index.make_searchable()
    progress.planned(index.count().pictures, complete=True)
    pictures = objects = 0
    try:
        with _written(path) as half, pq.ParquetWriter(half, schema, compression="zstd") as writer:
            keys = (entry.image_key for entry in whole_pictures(index))
            while group := list(islice(keys, GROUP_PICTURES)):
                found = [one for key in group if (one := index.picture(key)) is not None]
                if found:
                    writer.write_table(to_table(found, schema))
                for one in found:
                    count = len(one.entries) - 1
                    pictures, objects = pictures + 1, objects + count
                    progress.finished("indexed", count)
    except (OSError, pa.ArrowException) as exc:
        raise IngestError(f"{path} cannot be written: {exc}") from exc
    finally:
        progress.end()
    return ExportReport(index.version.name, pictures, objects, path.stat().st_size)


class Import:
    """Brings the entries of a file into the active version.

    What is there just so is left alone, so an import that was broken off is taken up by
    running it again. Collections, metadata and times are taken from the records of the store
    where it has the picture, because the index is a function of originals and records.

    Args:
        catalog: of versions; an empty one gets a version for the models of the file.
        originals: says which pictures are stored.
        locks: the same that uploads take.
        progress: counts for displays.
        without_originals: also take pictures that are not stored; searches show them without
            a picture.
        stop: ends the run after the pictures in flight.
    """

    def __init__(
        self,
        *,
        catalog: IndexCatalog,
        originals: Originals,
        locks: KeyLocks,
        progress: Progress,
        without_originals: bool = False,
        stop: threading.Event | None = None,
    ) -> None:
        self._catalog = catalog
        self._originals = originals
        self._locks = locks
        self._progress = progress
        self._without_originals = without_originals
        self._stop = stop or threading.Event()

    def run(self, path: Path) -> ImportReport:
        """Read a file and write what it holds.

        Raises:
            IngestError: it cannot be read, or is no export.
            DescriptionMismatch: other models made it than those of the index.
        """
        self._progress.begin()
        try:
            with _opened(path) as file:
                description = description_of(file.schema_arrow, path)
                report = ImportReport(*self._version(description))
                self._progress.planned(_count(file), complete=True)
                with closing(self._catalog.open(report.version)) as index:
                    self._take(index, file, description, report)
                    index.make_searchable()
                    with self._progress.waiting(MERGING):
                        index.optimize()
        except pa.ArrowException as exc:
            raise IngestError(f"{path} cannot be read: {exc}") from exc
        finally:
            self._progress.end()
        return report

    def _version(self, description: ModelDescription) -> tuple[str, bool]:
        """Name of the active version, and whether it was made for these models now."""
        active = self._catalog.active()
        if active is None:
            if self._catalog.versions():
                raise IndexNotFound(
                    "No version of the index is active; see `boxseek index status`, then "
                    "`boxseek index swap NAME`."
                )
            created = self._catalog.create(description)
            self._catalog.activate(created.name)
            return created.name, True
        differences = active.description.differences(description)
        if differences:
            raise DescriptionMismatch(
                f"The file was made by {description.summary()}, the index by "
                f"{active.description.summary()} (different: {', '.join(sorted(differences))}); "
                "vectors of different models cannot be compared. Import into an empty index "
                "(BOXSEEK_DATA_DIR, BOXSEEK_ELASTICSEARCH_INDEX), or make the index anew with "
                "the models of the file first: `boxseek reindex`.",
                expected=active.description.summary(),
                actual=description.summary(),
                differing=sorted(differences),
            )
        return active.name, False

    def _take(
        self, index: ObjectIndex, file: Any, description: ModelDescription, report: ImportReport
    ) -> None:
        pictures = from_batches(file.iter_batches(batch_size=READ_ROWS), description)
        while not report.interrupted and (group := list(islice(pictures, GROUP_PICTURES))):
            self._write(index, group, report)
            report.interrupted = self._stop.is_set() and next(pictures, None) is not None

    def _write(
        self, index: ObjectIndex, group: list[PictureEntries | str], report: ImportReport
    ) -> None:
        fit: list[PictureEntries] = []
        for one in group:
            if isinstance(one, str):
                self._refuse(one, report)
            else:
                fit.append(one)
        with self._locks.hold(one.image_key for one in fit):
            made = [new for one in fit if (new := self._renewed(index, one, report)) is not None]
            refused = {failure.key: failure for failure in index.put(made).failures}
        for one in made:
            if one.image_key in refused:
                self._refuse(f"{one.image_key}: {refused[one.image_key].reason}", report)
            else:
                report.written += 1
                self._progress.finished("indexed", len(one.entries) - 1)

    def _renewed(
        self, index: ObjectIndex, one: PictureEntries, report: ImportReport
    ) -> PictureEntries | None:
        """What to write of a picture, or None: nothing, and counted."""
        if self._originals.exists(one.image_key):
            one = with_record(one, self._originals.record(one.image_key))
        elif not self._without_originals:
            report.without_original += 1
            self._progress.finished("failed", 0)
            return None
        before = index.picture(one.image_key)
        if before is not None and _same(before, one):
            report.unchanged += 1
            self._progress.finished("duplicate", 0)
            return None
        return one

    def _refuse(self, reason: str, report: ImportReport) -> None:
        report.bad += 1
        if len(report.reasons) < SHOWN_PROBLEMS:
            report.reasons.append(reason)
        self._progress.finished("failed", 0)


def _same(before: PictureEntries, after: PictureEntries) -> bool:
    same_vectors = before.vectors.shape == after.vectors.shape and bool(
        (abs(before.vectors - after.vectors) < SAME_VECTOR).all()
    )
    return same_vectors and before.entries == after.entries


def _count(file: Any) -> int:
    """Pictures of a file: its whole-picture rows, counted without reading vectors."""
    return sum(
        kind == "image"
        for batch in file.iter_batches(columns=["kind"])
        for kind in batch.column("kind").to_pylist()
    )


@contextmanager
def _written(path: Path) -> Iterator[Path]:
    """A file beside the wanted one, renamed once it is whole and durable."""
    half = path.with_name(f"{path.name}.half")
    try:
        yield half
        with half.open("rb") as file:
            os.fsync(file.fileno())
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as exc:
        raise IngestError(f"{path} cannot be read as Parquet: {exc}") from exc
    with file:
        yield file
