"""The index made anew from originals and records, while the old version goes on serving."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.domain.entries import PictureEntries
from embedding_pipeline.errors import IndexConflict
from embedding_pipeline.ingest.library import Models
from embedding_pipeline.ingest.progress import Progress
from embedding_pipeline.ingest.shelving import entries_of, problem_of
from embedding_pipeline.ingest.source_items import Problem
from embedding_pipeline.ingest.stages import in_background
from embedding_pipeline.pipeline.tasks import PictureTask
from embedding_pipeline.ports.index import IndexCatalog, IndexVersion, ObjectIndex
from minio_proxy.errors import ObjectNotFound, ProxyError
from minio_proxy.originals import Originals
from minio_proxy.records import PictureRecord

PAGE_KEYS = 1000
MOST_ROUNDS = 5
"""Rounds of catching up before the swap; each is as long as what arrived in the one before."""


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What a rebuild did.

    Args:
        version: name of the new version.
        activated: searches go to it now.
        pictures: that were indexed.
        objects: that they have.
        problems: by image key; these pictures are stored but not in the new version.
    """

    version: str
    activated: bool
    pictures: int
    objects: int
    problems: dict[str, Problem] = field(default_factory=dict)


class Rebuild:
    """Creates a version, fills it from the originals, makes it active.

    A run that was killed is taken up again: the newest version of the same models that was
    never active is filled further.

    Args:
        catalog: of versions.
        originals: the truth.
        models: runs the pipeline that ``description`` describes.
        description: of the models of the new version.
        progress: counts for displays.
        batch_pictures: pictures in one batch of model work.
        stop: ends the run after the batch in flight; the old version then goes on.
    """

    def __init__(
        self,
        *,
        catalog: IndexCatalog,
        originals: Originals,
        models: Models,
        description: ModelDescription,
        progress: Progress,
        batch_pictures: int,
        stop: threading.Event,
    ) -> None:
        self._catalog = catalog
        self._originals = originals
        self._models = models
        self._description = description
        self._progress = progress
        self._batch_pictures = batch_pictures
        self._stop = stop
        self._problems: dict[str, Problem] = {}
        self._pictures = 0
        self._objects = 0

    def run(self) -> RebuildReport:
        """Fill and activate; what arrives meanwhile is caught up with.

        Raises:
            IndexConflict: nothing could be indexed although there are originals, so the old
                version stays active.
        """
        self._progress.begin()
        version = self._unfinished() or self._catalog.create(self._description)
        try:
            with closing(self._catalog.open(version.name)) as index:
                self._fill(index)
                if not self._stop.is_set():
                    self._check(index)
                    index.optimize()
                    self._catalog.activate(version.name)
                    # Uploads between the last look and the swap went to the old version.
                    self._round(index)
                    index.make_searchable()
        finally:
            self._progress.end()
        return RebuildReport(
            version.name, not self._stop.is_set(), self._pictures, self._objects, self._problems
        )

    def _unfinished(self) -> IndexVersion | None:
        versions = self._catalog.versions()
        active = next((version.name for version in versions if version.active), "")
        for version in reversed(versions):
            unused = not version.active and not version.previous and version.name > active
            if unused and not version.description.differences(self._description):
                return version
        return None

    def _fill(self, index: ObjectIndex) -> None:
        for _ in range(MOST_ROUNDS):
            if self._stop.is_set() or not self._round(index):
                return

    def _round(self, index: ObjectIndex) -> int:
        """Index what is stored and not yet in the version, drop what is no longer stored."""
        index.make_searchable()
        extra = [key for key, side in self._differences(index) if side == "index"]
        index.delete(extra)
        missing = sum(
            side == "store" and key not in self._problems for key, side in self._differences(index)
        )
        self._progress.planned(self._pictures + len(self._problems) + missing, complete=True)
        with in_background(self._modelled(self._batches(index))) as batches:
            for batch in batches:
                self._write(index, batch)
        return missing

    def _differences(self, index: ObjectIndex) -> Iterator[tuple[str, str]]:
        """Keys that only one side has, and which: two sorted listings merged."""
        stored = _paged(lambda after: self._originals.keys(after, PAGE_KEYS))
        indexed = _paged(
            lambda after: [e.image_key for e in index.pictures(after=after, limit=PAGE_KEYS)]
        )
        left, right = next(stored, None), next(indexed, None)
        while left is not None or right is not None:
            if left == right:
                left, right = next(stored, None), next(indexed, None)
            elif right is None or (left is not None and left < right):
                yield left or "", "store"
                left = next(stored, None)
            else:
                yield right, "index"
                right = next(indexed, None)

    def _batches(self, index: ObjectIndex) -> Iterator[list[str]]:
        batch: list[str] = []
        for key, side in self._differences(index):
            if self._stop.is_set():
                return
            if side == "store" and key not in self._problems:
                batch.append(key)
            if len(batch) == self._batch_pictures:
                yield batch
                batch = []
        if batch:
            yield batch

    def _modelled(self, batches: Iterator[Sequence[str]]) -> Iterator[list[PictureEntries]]:
        for keys in batches:
            with self._progress.busy("read"):
                data = {key: content for key in keys if (content := self._read(key)) is not None}
            with self._progress.busy("models"):
                made = self._entries(data)
            yield made

    def _read(self, key: str) -> bytes | None:
        try:
            return self._originals.read(key)
        except ObjectNotFound:
            return None  # deleted meanwhile
        except ProxyError as exc:
            self._failed(key, problem_of(exc, "read"))
            return None

    def _entries(self, data: dict[str, bytes]) -> list[PictureEntries]:
        results = self._models([PictureTask(content, key=key) for key, content in data.items()])
        made: list[PictureEntries] = []
        for key, result in zip(data, results, strict=True):
            if result.failure is not None:
                failure = result.failure
                problem = Problem(
                    "failed", failure.stage, failure.reason, failure.code, failure.retryable
                )
                self._failed(key, problem)
                continue
            with suppress(ObjectNotFound):  # deleted meanwhile
                made.append(entries_of(self._record(key), result))
        return made

    def _record(self, key: str) -> PictureRecord:
        stat, record = self._originals.stat(key), self._originals.record(key)
        if record.first_added_at is None:
            # Stored by a run that was killed before it wrote where the picture came from.
            return replace(record, first_added_at=stat.modified_at)
        return record

    def _write(self, index: ObjectIndex, made: Sequence[PictureEntries]) -> None:
        with self._progress.busy("write"):
            report = index.put(made)
        for failure in report.failures:
            problem = Problem(
                "failed", failure.stage, failure.reason, failure.code, failure.retryable
            )
            self._failed(failure.key, problem)
        for entries in made:
            if entries.image_key not in self._problems:
                objects = sum(entry.kind == "object" for entry in entries.entries)
                self._pictures += 1
                self._objects += objects
                self._progress.finished("indexed", objects)

    def _failed(self, key: str, problem: Problem) -> None:
        self._problems[key] = problem
        self._progress.finished("failed", 0)

    def _check(self, index: ObjectIndex) -> None:
        index.make_searchable()
        if self._problems and not index.count().pictures:
            raise IndexConflict(
                "no stored picture could be indexed, so the old version stays active; the first "
                f"reason: {next(iter(self._problems.values())).reason}"
            )


def _paged(page_after: Callable[[str], list[str]]) -> Iterator[str]:
    after = ""
    while page := page_after(after):
        yield from page
        after = page[-1]
