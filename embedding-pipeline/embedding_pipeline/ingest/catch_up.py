"""What was written to a version while another one became active, brought into that one.

Every writer works on the version that its process has open, writes, and then looks which one
is active, with the locks of the pictures held. Is it still the same, then whoever makes another
one active sees the write: it is either in its last round or noted for it. Is it another one,
then the writer brings the change there itself: at once where the same models made it, else by
a note, which is worked off before a process of this machine begins to search that version.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from embedding_pipeline.ingest.key_locks import ALL_PICTURES, HeldLocks, KeyLocks
from embedding_pipeline.ingest.library import Models
from embedding_pipeline.ingest.mending import Mended, Mender
from embedding_pipeline.ingest.notes import Notes
from embedding_pipeline.ports.index import IndexCatalog, IndexVersion, ObjectIndex, same_version
from minio_proxy.originals import Originals

CATCH_UP = "catch-up"
"""Folder below the data folder."""

COLLECTED = "collected"


class CatchUp:
    """Notes pictures that a version still lacks, and works the notes off.

    Args:
        folder: of the notes; shared by all processes of the data folder.
        catalog: the versions.
        originals: pictures and records.
        locks: the same that uploads take.
        batch_pictures: pictures in one batch of model work.
    """

    def __init__(
        self,
        folder: Path,
        catalog: IndexCatalog,
        originals: Originals,
        locks: KeyLocks,
        *,
        batch_pictures: int = 8,
    ) -> None:
        self._late = Notes(folder)
        self._collecting = folder / COLLECTED
        self._collected = Notes(self._collecting)
        self._catalog = catalog
        self._originals = originals
        self._locks = locks
        self._batch_pictures = batch_pictures

    def after_change(self, index: ObjectIndex, image_keys: Sequence[str]) -> None:
        """See to it that another version gets what was written to this one.

        To be called after the write, with the locks of the pictures held.
        """
        if self._collecting.is_dir():
            self._collected.add(image_keys)
        active = self._catalog.active()
        if active is None or same_version(active, index.version):
            return
        self._late.add(image_keys)
        self._copy(index, image_keys, active)

    def noted(self) -> list[str]:
        """Keys of the pictures that the active version still lacks, sorted."""
        return self._late.keys()

    def note(self, image_keys: Sequence[str]) -> None:
        """Have pictures looked at by whoever runs the models of the active version."""
        self._late.add(image_keys)

    def settle(
        self, index: ObjectIndex, models: Models, stop: Callable[[], bool] = lambda: False
    ) -> Mended:
        """Work off the notes on a version.

        Args:
            index: the active version, or the one that is about to be searched here.
            models: runs the models that made it.
            stop: ends the work after the batch in flight.

        Returns:
            What was written and removed; a picture with a problem that may pass keeps its note.
        """
        mender = Mender(self._originals, self._locks, models)
        return self._work_off(self._late, mender, index, stop)

    @contextmanager
    def settled(self, index: ObjectIndex, models: Models) -> Iterator[None]:
        """Work off the notes; inside the block none is left, and nobody here writes.

        Writers wait at their locks meanwhile, so the block must be short.
        """
        with self._settled(self._late, index, models):
            yield

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Have every change noted inside the block, for ``all_collected``; one run at a time."""
        shutil.rmtree(self._collecting, ignore_errors=True)
        self._collecting.mkdir(parents=True)
        try:
            yield
        finally:
            shutil.rmtree(self._collecting, ignore_errors=True)

    @contextmanager
    def all_collected(self, index: ObjectIndex, models: Models) -> Iterator[None]:
        """Bring what was collected into a version; inside the block nobody here writes."""
        with self._settled(self._collected, index, models):
            yield

    @contextmanager
    def _settled(self, notes: Notes, index: ObjectIndex, models: Models) -> Iterator[None]:
        # Most of it while others may write, the rest while they wait.
        self._work_off(notes, Mender(self._originals, self._locks, models), index)
        with self._locks.hold(ALL_PICTURES):
            self._work_off(notes, Mender(self._originals, HeldLocks(), models), index)
            yield

    def _work_off(
        self,
        notes: Notes,
        mender: Mender,
        index: ObjectIndex,
        stop: Callable[[], bool] = lambda: False,
    ) -> Mended:
        total = Mended()
        keys = notes.keys()
        for start in range(0, len(keys), self._batch_pictures):
            if stop():
                break
            total.add(_settle(notes, mender, index, keys[start : start + self._batch_pictures]))
        if keys:
            index.make_searchable()
        return total

    def _copy(self, index: ObjectIndex, image_keys: Sequence[str], active: IndexVersion) -> None:
        same_models = not active.description.differences(index.version.description)
        with closing(self._catalog.open(active.name)) as newer:
            found = {key: index.picture(key) for key in image_keys}
            newer.delete([key for key, entries in found.items() if entries is None])
            if same_models:
                newer.put([entries for entries in found.values() if entries is not None])
            newer.make_searchable()
        self._late.remove(key for key, entries in found.items() if entries is None or same_models)


def _settle(notes: Notes, mender: Mender, index: ObjectIndex, batch: Sequence[str]) -> Mended:
    data, unread = mender.read([key for key in batch if index.picture(key) is None])

    def forget(done: Mended) -> None:
        problems = unread | done.problems
        again = {key for key, problem in problems.items() if problem.retryable}
        notes.remove(key for key in batch if key not in again.union(done.lacking))

    done = mender.write(index, batch, mender.results(data), then=forget)
    done.problems |= unread
    return done
