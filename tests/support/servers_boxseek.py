"""Boxseek on real servers with fake models: opened, filled, asked, compared with its store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from embedding_pipeline.bootstrap import Boxseek, limits_of
from embedding_pipeline.cli.room import ingest_room
from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.ingest.folder_source import FolderSource
from embedding_pipeline.ingest.ingest_run import IngestOptions, ingest
from embedding_pipeline.ingest.run_report import RunReport
from embedding_pipeline.models.loaded import LoadedModels
from embedding_pipeline.settings import Settings
from support.models_fakes import FakeDetector, FakeEmbedder, quadrants

COLLECTION = "archive"


class GatedModels:
    """Fake models that stop at a picture until they are let on; the ``models`` of Boxseek.open.

    Args:
        pause_after: pictures after which they stop; None never.
    """

    def __init__(self, pause_after: int | None = None) -> None:
        self.seen = 0
        self.reached = threading.Event()
        self.go_on = threading.Event()
        self._pause_after = pause_after

    def __call__(self, settings: Settings, description: ModelDescription | None) -> LoadedModels:
        """Load them."""
        detector, embedder = FakeDetector(self._find), FakeEmbedder()
        made = ModelDescription(detector.description, embedder.description)
        return LoadedModels(detector, embedder, made)

    def _find(self, rgb: Any) -> Any:
        if rgb.min() == rgb.max():
            return quadrants(rgb)  # the warm-up, which is nobody's picture
        self.seen += 1
        if self._pause_after is not None and self.seen > self._pause_after:
            self.reached.set()
            if not self.go_on.wait(120):
                raise AssertionError("nobody let the models go on")
        return quadrants(rgb)


def backfill(boxseek: Boxseek, folder: Path) -> RunReport:
    """Bring a folder in, as ``boxseek ingest`` does."""
    source = FolderSource(folder, limits=limits_of(boxseek.settings))
    return ingest(source, IngestOptions(collection=COLLECTION), ingest_room(boxseek))


def in_thread(work: Callable[[], RunReport]) -> Future[RunReport]:
    """Run a backfill beside the test; the future raises what it raised."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="backfill")
    future = pool.submit(work)
    pool.shutdown(wait=False)
    return future


def missing(boxseek: Boxseek, keys: Sequence[str]) -> list[str]:
    """Which acknowledged pictures the store or the index lacks, or has not whole."""
    index = boxseek.index()
    index.make_searchable()
    stored = set(boxseek.originals.keys(limit=10_000))
    lacking = []
    for key in keys:
        found = index.picture(key)
        whole = found is not None and len(found.entries) == 5
        if key not in stored or not whole or not boxseek.originals.read(key):
            lacking.append(key)
    return lacking


def best_hit(client: TestClient, picture: bytes) -> str | None:
    """Key of the picture that a search with these bytes finds as the very same, or None."""
    answer = client.post("/v1/search", files={"image": ("query.png", picture)}, data={"limit": 1})
    if answer.status_code != 200 or not answer.json()["hits"]:
        return None
    best = answer.json()["hits"][0]
    return str(best["image_key"]) if best["score"] > 0.999 else None
