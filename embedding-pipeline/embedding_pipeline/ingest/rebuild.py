"""A new version of the index made from originals and records, while the old one serves."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.errors import IndexConflict
from embedding_pipeline.ingest.catch_up import CatchUp
from embedding_pipeline.ingest.key_locks import KeyLocks
from embedding_pipeline.ingest.library import Models
from embedding_pipeline.ingest.mending import Mended, Mender
from embedding_pipeline.ingest.progress import MERGING, Progress
from embedding_pipeline.ingest.source_items import Problem
from embedding_pipeline.ingest.stages import in_background
from embedding_pipeline.ingest.unfinished import Unfinished
from embedding_pipeline.ingest.version_check import Comparison, check_sane, compare
from embedding_pipeline.ingest.version_differences import differing_pictures
from embedding_pipeline.pipeline.tasks import PictureResult
from embedding_pipeline.ports.index import IndexCatalog, IndexVersion, ObjectIndex
from minio_proxy.originals import Originals

MOST_ROUNDS = 10
"""Rounds of catching up before the flip and after it; each is as long as what came in the
one before."""


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What a run did.

    Args:
        version: name of the new version.
        activated: searches go to it now.
        pictures: that were indexed, or whose record changed meanwhile.
        objects: that they have.
        problems: by image key; these pictures are stored but not in the new version.
        comparison: with the version before; None when there was nothing to compare.
    """

    version: str
    activated: bool
    pictures: int
    objects: int
    problems: dict[str, Problem] = field(default_factory=dict)
    comparison: Comparison | None = None


@dataclass(frozen=True, slots=True)
class _Batch:
    """Pictures on their way: what the models made of those that the version lacks."""

    image_keys: tuple[str, ...]
    results: dict[str, PictureResult]
    problems: dict[str, Problem]


class Rebuild:
    """Creates a version, fills it from the originals, compares it, makes it active.

    A run that was killed leaves the old version active; the next one with the same models goes
    on filling, one with others drops what it left. Uploads and deletes may go on meanwhile:
    rounds of catching up end when nothing differs any more. What is written during the last
    one is noted, and the flip comes while writers wait and the notes are worked off (see
    catch_up), so what was acknowledged is in the new version before it is searched. A round
    after the flip is for writers on other machines.

    Args:
        catalog: of versions.
        originals: the truth.
        locks: the same that uploads take.
        notes: where uploads note what they change around the flip.
        models: runs the pipeline that ``description`` describes.
        description: of the models of the new version.
        progress: counts for displays.
        unfinished: remembers the version that is being filled.
        batch_pictures: pictures in one batch of model work.
        stop: ends the run after the batch in flight; the old version then goes on.
        force: make it active whatever the comparison says.
    """

    def __init__(
        self,
        *,
        catalog: IndexCatalog,
        originals: Originals,
        locks: KeyLocks,
        notes: CatchUp,
        models: Models,
        description: ModelDescription,
        progress: Progress,
        unfinished: Unfinished,
        batch_pictures: int,
        stop: threading.Event,
        force: bool = False,
    ) -> None:
        self._catalog = catalog
        self._originals = originals
        self._notes = notes
        self._models = models
        self._mender = Mender(originals, locks, models)
        self._description = description
        self._progress = progress
        self._unfinished = unfinished
        self._batch_pictures = batch_pictures
        self._stop = stop
        self._force = force
        self._problems: dict[str, Problem] = {}
        self._objects: dict[str, int] = {}
        self._activated = False

    def run(self) -> RebuildReport:
        """Fill and activate; what arrives, goes or changes meanwhile is caught up with.

        Raises:
            IndexConflict: the new version is not fit to be searched (see check_sane), so the
                old one stays active.
        """
        self._progress.begin()
        try:
            before = self._catalog.active()
            version = self._unfinished.take_up(self._catalog, self._description)
            comparison = self._fill_and_activate(version, before)
        finally:
            self._progress.end()
        if self._activated:
            self._unfinished.forget()
        return self._report(version, comparison)

    def bring_up_to_date(self) -> RebuildReport:
        """Catch up on the active version itself, after a rollback or a kill behind the flip.

        What changed in the version before is brought over too.
        """
        self._progress.begin()
        try:
            before = next((one for one in self._catalog.versions() if one.previous), None)
            with (
                closing(self._catalog.open()) as index,
                _opened(self._catalog, before) as old,
            ):
                self._catch_up(index, old)
                index.make_searchable()
                version = index.version
        finally:
            self._progress.end()
        self._activated = not self._stop.is_set()
        if self._activated:
            self._unfinished.forget()
        return self._report(version, None)

    def _fill_and_activate(
        self, version: IndexVersion, before: IndexVersion | None
    ) -> Comparison | None:
        comparison: Comparison | None = None
        with (
            closing(self._catalog.open(version.name)) as index,
            _opened(self._catalog, before) as old,
        ):
            self._catch_up(index, old)
            if self._stopped():
                return None
            self._check(index)
            with self._progress.waiting(MERGING):
                index.optimize()
            if old is not None:
                comparison = compare(old, index)
                if not self._force:
                    check_sane(comparison, version.name)
            if self._stopped():
                return comparison
            self._flip(version, index, old)
            self._catch_up(index, old)
            index.make_searchable()
        return comparison

    def _flip(self, version: IndexVersion, index: ObjectIndex, old: ObjectIndex | None) -> None:
        with self._notes.collecting():
            self._catch_up(index, old)
            if self._stopped():
                return
            with self._notes.all_collected(index, self._models):
                index.make_searchable()
                self._catalog.activate(version.name)
                self._activated = True  # from here on the run goes to its end

    def _report(self, version: IndexVersion, comparison: Comparison | None) -> RebuildReport:
        return RebuildReport(
            version.name,
            self._activated,
            len(self._objects),
            sum(self._objects.values()),
            self._problems,
            comparison,
        )

    def _catch_up(self, index: ObjectIndex, old: ObjectIndex | None) -> None:
        """Rounds until one changes nothing."""
        for _ in range(MOST_ROUNDS):
            if self._stopped() or not self._round(index, old):
                return

    def _stopped(self) -> bool:
        return self._stop.is_set() and not self._activated

    def _round(self, index: ObjectIndex, old: ObjectIndex | None) -> bool:
        """Mend what differs from the store, and from the version that uploads write to."""
        index.make_searchable()
        if old is not None:
            old.make_searchable()
        changed = False
        self._plan(index, old)
        with in_background(self._modelled(index, self._batches(index, old))) as batches:
            for batch in batches:
                changed |= self._write(index, batch)
        return changed

    def _differing(self, index: ObjectIndex, old: ObjectIndex | None) -> Iterator[str]:
        for key in differing_pictures(self._originals.keys, index, old):
            if key not in self._problems:
                yield key

    def _plan(self, index: ObjectIndex, old: ObjectIndex | None) -> None:
        count = sum(1 for _ in self._differing(index, old))
        self._progress.planned(self._progress.snapshot().done + count, complete=True)

    def _batches(self, index: ObjectIndex, old: ObjectIndex | None) -> Iterator[list[str]]:
        batch: list[str] = []
        for key in self._differing(index, old):
            if self._stopped():
                return
            batch.append(key)
            if len(batch) == self._batch_pictures:
                yield batch
                batch = []
        if batch:
            yield batch

    def _modelled(self, index: ObjectIndex, batches: Iterator[Sequence[str]]) -> Iterator[_Batch]:
        for keys in batches:
            with self._progress.busy("read"):
                lacking = [key for key in keys if index.picture(key) is None]
                data, problems = self._mender.read(lacking)
            with self._progress.busy("models"):
                results = self._mender.results(data)
            yield _Batch(tuple(keys), results, problems)

    def _write(self, index: ObjectIndex, batch: _Batch) -> bool:
        with self._progress.busy("write"):
            done = self._mender.write(index, batch.image_keys, batch.results)
        if any(key in batch.results for key in done.lacking):
            raise IndexConflict(
                "the models that run here were exchanged meanwhile (another version of the index "
                "became active); run the same command again"
            )
        self._problems |= batch.problems | done.problems
        self._objects |= done.objects
        for key in batch.image_keys:
            self._finished(key, done)
        return done.changed

    def _finished(self, key: str, done: Mended) -> None:
        if key in self._problems:
            self._progress.finished("failed", 0)
        else:
            self._progress.finished("indexed", done.objects.get(key, 0))

    def _check(self, index: ObjectIndex) -> None:
        index.make_searchable()
        if self._problems and not index.count().pictures:
            raise IndexConflict(
                "no stored picture could be indexed, so the old version stays active; the first "
                f"reason: {next(iter(self._problems.values())).reason}"
            )


@contextmanager
def _opened(catalog: IndexCatalog, version: IndexVersion | None) -> Iterator[ObjectIndex | None]:
    if version is None:
        yield None
        return
    with closing(catalog.open(version.name)) as index:
        yield index
