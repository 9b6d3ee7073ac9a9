"""Reconcile of a large unchanged archive, and memory of a long run with stub models.

``PYTHONPATH=tests python tests/bench/bench_ingest.py [--entries N] [--pictures N]``. The models
are a stub: nothing is detected, a vector is drawn from the picture's key. The index is in memory
and is not counted as the run's own memory: it keeps keys only.
"""

# ruff: noqa: T201 - a benchmark prints

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from embedding_pipeline.domain.entries import PictureEntries
from embedding_pipeline.ingest.ledger import Ledger, LedgerRow
from embedding_pipeline.ingest.reconcile import Judge, make_plan
from embedding_pipeline.ingest.source_items import Loaded, SourceItem
from embedding_pipeline.pipeline.tasks import PictureResult, PictureTask, Region
from embedding_pipeline.ports.index import WriteReport
from support.ingest_workshop import ShelfIndex, Workshop, jpeg

BASE = jpeg(1)


class MadeUp:
    """A source of any length; every item has other bytes and is a picture by its head."""

    name = "made-up"

    def __init__(self, count: int) -> None:
        self._count = count

    def items(self) -> Iterator[SourceItem]:
        """Sorted names."""
        for number in range(self._count):
            yield SourceItem(f"{number // 1000:05d}/{number:09d}.jpg", f"1-{number}", len(BASE))

    def load(self, item: SourceItem) -> Loaded:
        """A small picture with its own bytes after the end mark."""
        return Loaded(BASE + item.path.encode(), item.version)


class KeyIndex(ShelfIndex):
    """Remembers keys only, so that what is measured is the run."""

    def put(self, pictures: Sequence[PictureEntries]) -> WriteReport:
        """Keep a mark for each."""
        mark = PictureEntries("", (), np.zeros((0, 1), np.float32))
        self.held.update(dict.fromkeys((one.image_key for one in pictures), mark))
        return WriteReport(len(pictures))


def stub_models(tasks: Sequence[PictureTask]) -> list[PictureResult]:
    """A whole-image entry with a vector of the key; marked as a stub."""
    whole = Region((0.0, 0.0, 32.0, 32.0), None, None, "image")
    results = []
    for task in tasks:
        vector = np.random.default_rng(int(task.key[:8], 16)).standard_normal((1, 16))
        unit = (vector / np.linalg.norm(vector)).astype(np.float32)
        results.append(PictureResult(task.key, (32, 32), regions=(whole,), vectors=unit))
    return results


def bench_reconcile(entries: int) -> None:
    """Time the plan of an archive in which nothing changed."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "ledger.sqlite")
        source = MadeUp(entries)
        ledger.write(
            LedgerRow(item.path, item.version, "", "indexed", "00" * 32) for item in source.items()
        )
        judge = Judge(
            checksum=False, retry_failed=False, recheck_rejected=False, is_complete=lambda _: True
        )
        began = time.perf_counter()
        plan = make_plan(source, ledger, judge, lambda _: None)
        elapsed_s = time.perf_counter() - began
        assert plan.unchanged.total() == entries
        print(
            f"reconcile of {entries:,} unchanged entries: {elapsed_s:.1f} s, {memory_mb():.0f} MB"
        )


def bench_memory(pictures: int) -> None:
    """Bring made-up pictures in and print memory as it goes."""
    folder = Path(tempfile.mkdtemp())
    workshop = Workshop(folder, batch_pictures=64)
    workshop.index = KeyIndex(workshop.description)
    object.__setattr__(workshop.room, "models", stub_models)
    empty_mb = memory_mb()
    stop = threading.Event()
    watch = threading.Thread(target=_watch, args=(workshop, empty_mb, stop))
    watch.start()
    began = time.perf_counter()
    report = workshop.ingest(MadeUp(pictures))
    stop.set()
    watch.join()
    rate = pictures / (time.perf_counter() - began)
    assert report.states == {"indexed": pictures}
    print(f"{pictures:,} pictures, stub models: {rate:.0f}/s, peak {memory_mb() - empty_mb:.0f} MB")
    shutil.rmtree(folder)


def memory_mb() -> float:
    """Largest resident memory of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _watch(workshop: Workshop, empty_mb: float, stop: threading.Event) -> None:
    told = 0
    while not stop.wait(0.5):
        done = workshop.progress.snapshot().done
        if done >= told + 10_000:
            told = done
            print(f"  {done:,} done: {memory_mb() - empty_mb:.0f} MB above empty", flush=True)


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--pictures", type=int, default=100_000)
    options = parser.parse_args()
    bench_memory(options.pictures)
    bench_reconcile(options.entries)


if __name__ == "__main__":
    main()
