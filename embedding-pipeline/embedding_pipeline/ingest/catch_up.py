"""What was written to a version while another one became active, brought into that one.

Every writer works on the version that its process has open, writes, and then looks which one
is active. Is it still the same, then whoever makes another one active sees the write in its
last round, which begins after the flip. Is it another one, then the writer brings the change
there itself: at once where the same models made it, else by a note in a folder, which is
worked off as soon as a process of this machine runs the other models.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path

from embedding_pipeline.ingest.key_locks import KeyLocks
from embedding_pipeline.ingest.library import Models
from embedding_pipeline.ingest.mending import Mended, Mender
from embedding_pipeline.ports.index import IndexCatalog, IndexVersion, ObjectIndex, same_version
from minio_proxy.originals import Originals, is_image_key


class CatchUp:
    """Notes pictures that the active version still lacks, and works the notes off.

    Args:
        folder: of the notes, an empty file each; shared by all processes of the data folder.
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
        self._folder = folder
        self._catalog = catalog
        self._originals = originals
        self._locks = locks
        self._batch_pictures = batch_pictures

    def after_change(self, index: ObjectIndex, image_keys: Sequence[str]) -> None:
        """Bring what a version has of these pictures to the active one, if that is another.

        To be called after the write, with the locks of the pictures held.
        """
        active = self._catalog.active()
        if active is None or same_version(active, index.version):
            return
        self.note(image_keys)
        self._copy(index, image_keys, active)

    def noted(self) -> list[str]:
        """Keys of the pictures that are still to be brought over, sorted."""
        if not self._folder.is_dir():
            return []
        return sorted(note.name for note in self._folder.iterdir() if is_image_key(note.name))

    def note(self, image_keys: Sequence[str]) -> None:
        """Have pictures looked at by whoever runs the models of the active version."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for key in image_keys:
            (self._folder / key).touch(mode=0o600)
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

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
        total = Mended()
        keys = self.noted()
        for start in range(0, len(keys), self._batch_pictures):
            if stop():
                break
            batch = keys[start : start + self._batch_pictures]
            total.add(self._settle(mender, index, batch))
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
        self._remove(key for key, entries in found.items() if entries is None or same_models)

    def _settle(self, mender: Mender, index: ObjectIndex, batch: Sequence[str]) -> Mended:
        data, unread = mender.read([key for key in batch if index.picture(key) is None])

        def forget(done: Mended) -> None:
            problems = unread | done.problems
            again = {key for key, problem in problems.items() if problem.retryable}
            self._remove(key for key in batch if key not in again.union(done.lacking))

        done = mender.write(index, batch, mender.results(data), then=forget)
        done.problems |= unread
        return done

    def _remove(self, image_keys: Iterable[str]) -> None:
        for key in image_keys:
            (self._folder / key).unlink(missing_ok=True)
