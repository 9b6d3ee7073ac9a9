"""Everything that adding pictures needs, with an index in memory and models that count."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.domain.entries import (
    Entry,
    ItemFailure,
    PictureEntries,
)
from embedding_pipeline.errors import IndexError_, ModelError
from embedding_pipeline.ingest.ingest_run import IngestOptions, IngestRoom, ingest, ledger_path
from embedding_pipeline.ingest.key_locks import KeyLocks
from embedding_pipeline.ingest.ledger import Ledger
from embedding_pipeline.ingest.library import Library
from embedding_pipeline.ingest.mending import Mender
from embedding_pipeline.ingest.progress import Progress
from embedding_pipeline.ingest.run_report import RunReport
from embedding_pipeline.ingest.source_items import Source
from embedding_pipeline.pipeline.tasks import PictureResult, PictureTask, Region
from embedding_pipeline.ports.index import IndexCounts, IndexVersion, WriteReport
from minio_proxy.errors import PictureError, SettingsError, StoreError
from minio_proxy.originals import Originals
from minio_proxy.picture.decode import decode
from minio_proxy.picture.header import Limits
from minio_proxy.ports import ObjectStat
from minio_proxy.stores.folder import FolderStore
from minio_proxy.stores.folder_places import FolderPlaces
from minio_proxy.stores.places import LeftPlaces
from minio_proxy.stores.roots import RootFile
from minio_proxy.stores.s3_places import S3Places, VersionedBucket
from support.models_fakes import fake_description, quadrants
from support.picture_files import encoded, photo

LIMITS = Limits(max_bytes=1_000_000, max_pixels=1_000_000)
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def jpeg(seed: int, size: int = 32) -> bytes:
    """A small picture, another one for every seed."""
    return encoded(photo(size, size, seed), "JPEG")


def key_of(data: bytes) -> str:
    """Image key of these bytes."""
    return hashlib.sha256(data).hexdigest()


def fill_folder(folder: Path, count: int, *, first: int = 0) -> dict[str, bytes]:
    """Write ``count`` different pictures and give them by name."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {f"{number:04d}.jpg": jpeg(number) for number in range(first, first + count)}
    for name, data in made.items():
        (folder / name).write_bytes(data)
    return made


class CountingModels:
    """Four quadrants a picture, vectors from its pixels; ``worked`` keeps the keys."""

    def __init__(self) -> None:
        self.worked: list[str] = []
        self.broken: set[str] = set()
        self.before_batch = threading.Event()

    def __call__(self, tasks: Sequence[PictureTask]) -> list[PictureResult]:
        """As PipelineRunner.run."""
        self.before_batch.set()
        return [self._one(task) for task in tasks]

    def _one(self, task: PictureTask) -> PictureResult:
        self.worked.append(task.key)
        try:
            if task.key in self.broken:
                raise ModelError("the models choked on it")  # noqa: TRY301 - as a stage would
            assert isinstance(task.data, bytes)
            picture = decode(task.data, LIMITS)
        except (PictureError, ModelError) as exc:
            stage = "decode" if isinstance(exc, PictureError) else "embed"
            failure = ItemFailure(task.key, stage, exc.message, exc.code, retryable=False)
            return PictureResult(task.key, failure=failure, error=exc)
        found = quadrants(picture.rgb)
        width, height = picture.size_wh
        whole = Region((0.0, 0.0, float(width), float(height)), None, None, "image")
        regions = (
            whole,
            *(Region(d.box_xyxy, d.label, d.confidence, "object") for d in found),
        )
        seed = int(key_of(picture.rgb.tobytes())[:8], 16)
        vectors = np.random.default_rng(seed).standard_normal((len(regions), 16))
        unit = (vectors / np.linalg.norm(vectors, axis=1)[:, None]).astype(np.float32)
        return PictureResult(
            task.key, picture.size_wh, picture.taken_at, found, False, regions, unit
        )


class ShelfIndex:
    """The writing half of the index port, in memory."""

    def __init__(self, description: ModelDescription, name: str = "v1") -> None:
        self.version = IndexVersion(name, description, True, False, SINCE)
        self.held: dict[str, PictureEntries] = {}
        self.puts: list[int] = []
        self.searchable = 0
        self.failing: IndexError_ | None = None
        self.refused: set[str] = set()

    def put(self, pictures: Sequence[PictureEntries]) -> WriteReport:
        """See ObjectIndex."""
        if self.failing is not None:
            raise self.failing
        self.puts.append(len(pictures))
        failures = []
        for one in pictures:
            if one.image_key in self.refused:
                failures.append(ItemFailure(one.image_key, "index", "refused", "index_error", True))
            else:
                self.held[one.image_key] = one
        return WriteReport(len(pictures) - len(failures), tuple(failures))

    def delete(self, image_keys: Sequence[str]) -> int:
        """See ObjectIndex."""
        return sum(self.held.pop(key, None) is not None for key in image_keys)

    def make_searchable(self) -> None:
        """Count the calls."""
        self.searchable += 1

    def picture(self, image_key: str) -> PictureEntries | None:
        """See ObjectIndex."""
        if self.failing is not None:
            raise self.failing
        return self.held.get(image_key)

    def pictures(self, *, after: str = "", limit: int = 100) -> list[Entry]:
        """See ObjectIndex."""
        keys = sorted(key for key in self.held if key > after)[:limit]
        return [self.held[key].entries[0] for key in keys]

    def count(self) -> IndexCounts:
        """See ObjectIndex."""
        objects = sum(len(one.entries) - 1 for one in self.held.values())
        return IndexCounts(len(self.held), objects)

    def optimize(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to close."""


class TroubledStore(FolderStore):
    """A folder store that raises ``trouble`` for originals once ``after`` puts were fine."""

    trouble: StoreError | None = None
    after = 0
    times = 10**9

    def put(self, key: str, data: BinaryIO, *, size_bytes: int) -> ObjectStat:
        """See ObjectStore."""
        if self.trouble is not None and key.startswith("originals/"):
            if self.after <= 0 and self.times > 0:
                self.times -= 1
                raise self.trouble
            self.after -= 1
        return super().put(key, data, size_bytes=size_bytes)


class Workshop:
    """A library and all that a backfill needs, below one folder.

    Args:
        folder: of the data.
        batch_pictures: pictures in one batch of model work.
        fsync: makes files of the store durable.
    """

    open_bucket: Callable[[str], VersionedBucket] | None = None

    def __init__(
        self, folder: Path, *, batch_pictures: int = 4, fsync: Callable[[int], None] = os.fsync
    ) -> None:
        self.folder = folder
        self.store = TroubledStore(folder / "store", fsync=fsync)
        self.roots = RootFile(folder / "in-place.json")
        buckets = S3Places(self._open_bucket)
        self.originals = Originals(
            self.store, LIMITS, places=LeftPlaces(self.roots, FolderPlaces(), buckets)
        )
        self.description = fake_description()
        self.index = ShelfIndex(self.description)
        self.models = CountingModels()
        self.forgotten: list[str] = []
        self.progress = Progress()
        self.library = Library(
            originals=self.originals,
            index=lambda: self.index,  # type: ignore[arg-type,return-value]
            models=self.models,
            limits=LIMITS,
            locks=KeyLocks(folder / "locks"),
            forget_derived=self.forgotten.append,
            batch_pictures=batch_pictures,
        )
        self.room = IngestRoom(
            folder=folder / "ledgers",
            originals=self.originals,
            index=lambda: self.index,  # type: ignore[arg-type,return-value]
            shelf=self.library.shelf,
            models=self.models,
            description=self.description,
            limits=LIMITS,
            mender=Mender(self.originals, KeyLocks(folder / "locks"), self.models),
            allow_root=self.roots.add,
            progress=self.progress,
            batch_pictures=batch_pictures,
        )

    def ingest(
        self,
        source: Source,
        options: IngestOptions | None = None,
        stop: threading.Event | None = None,
        only: Sequence[str] | None = None,
    ) -> RunReport:
        """Run a backfill."""
        return ingest(source, options or IngestOptions(), self.room, stop, only)

    def _open_bucket(self, name: str) -> VersionedBucket:
        if self.open_bucket is None:
            raise SettingsError("no buckets here")
        return self.open_bucket(name)

    def ledger(self, source: Source, collection: str | None = None) -> Ledger:
        """Ledger of a source."""
        return Ledger(ledger_path(self.room.folder, source.name, collection))

    def stored(self) -> list[str]:
        """Keys of all originals."""
        return self.originals.keys()

    def state(self) -> dict[str, tuple[tuple[str, ...], tuple[object, ...], bytes]]:
        """What is indexed: ids, collections and vectors by key."""
        return {
            key: (
                tuple(entry.object_id for entry in one.entries),
                (one.entries[0].collections, dict(one.entries[0].metadata)),
                one.vectors.tobytes(),
            )
            for key, one in sorted(self.index.held.items())
        }
