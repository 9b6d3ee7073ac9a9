"""A backfill's memory over 100,000 pictures, its reconcile of 1,000,000, its speed with models.

``make bench-ingest``, or ``PYTHONPATH=tests python tests/bench/bench_ingest.py [--only memory]``.

- memory: made-up small pictures and a STUB in place of the models (nothing is detected, a vector is
  drawn from the picture's key); the index keeps keys only, the store does not wait for the disk,
  as neither is what is measured.
- reconcile: an archive in which nothing changed, its ledger against its listing.
- models: the packaged models on photographs, see ingest_stages.py.
"""

# ruff: noqa: T201 - a benchmark prints

from __future__ import annotations

import argparse
import json
import resource
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from embedding_pipeline.domain.entries import PictureEntries
from embedding_pipeline.ingest.ledger import Ledger, LedgerRow
from embedding_pipeline.ingest.reconcile import Judge, make_plan
from embedding_pipeline.ingest.source_items import Loaded, SourceItem
from embedding_pipeline.pipeline.tasks import PictureResult, PictureTask, Region
from embedding_pipeline.ports.index import WriteReport
from support.ingest_workshop import ShelfIndex, Workshop, jpeg

BASE = jpeg(1)
MOST_MB = 700
FLAT_AFTER = 10_000
TOLD_EVERY = 2_500


class MadeUp:
    """A source of any length; every item has other bytes and is a picture by its head."""

    name = "made-up"
    root = None

    def __init__(self, count: int) -> None:
        self._count = count

    def items(self) -> Iterator[SourceItem]:
        """Sorted names."""
        for number in range(self._count):
            yield SourceItem(f"{number // 1000:05d}/{number:09d}.jpg", f"1-{number}", len(BASE))

    def items_below(self, path: str) -> Iterator[SourceItem]:
        """Nothing: only the whole is asked for."""
        return iter(())

    def watcher(self) -> None:
        """Nothing changes."""
        return

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


def bench_reconcile(entries: int) -> dict[str, Any]:
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
        print(f"reconcile of {entries:,} unchanged entries: {elapsed_s:.1f} s (wanted: 60)")
        return {"entries": entries, "seconds": round(elapsed_s, 2)}


def bench_memory(pictures: int) -> dict[str, Any]:
    """Bring made-up pictures in; prints and gives memory as it goes."""
    folder = Path(tempfile.mkdtemp())
    workshop = Workshop(folder, batch_pictures=64, fsync=lambda _: None)
    workshop.index = KeyIndex(workshop.description)
    object.__setattr__(workshop.room, "models", stub_models)
    empty_mb = resident_mb()
    curve: list[tuple[int, float]] = []
    stop = threading.Event()
    watch = threading.Thread(target=_watch, args=(workshop, empty_mb, curve, stop))
    watch.start()
    began = time.perf_counter()
    report = workshop.ingest(MadeUp(pictures))
    stop.set()
    watch.join()
    rate = pictures / (time.perf_counter() - began)
    assert report.states == {"indexed": pictures}
    peak_mb = memory_mb() - empty_mb
    settled = max((mb for done, mb in curve if done <= FLAT_AFTER), default=peak_mb)
    growth_mb = max((mb for _, mb in curve), default=peak_mb) - settled
    print(
        f"{pictures:,} pictures, STUB models: {rate:.0f}/s, peak {peak_mb:.0f} MB above the empty "
        f"process (wanted: {MOST_MB}), {growth_mb:.0f} MB of it after the first {FLAT_AFTER:,}"
    )
    shutil.rmtree(folder)
    return {
        "pictures": pictures,
        "models": "stub",
        "pictures_per_s": round(rate, 1),
        "peak_mb_above_empty": round(peak_mb, 1),
        "growth_mb_after_first_10000": round(growth_mb, 1),
        "curve": [{"done": done, "mb_above_empty": round(mb, 1)} for done, mb in curve],
    }


def memory_mb() -> float:
    """Largest resident memory of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resident_mb() -> float:
    """Resident memory of this process now, MB."""
    return psutil.Process().memory_info().rss / 1024**2


def _watch(
    workshop: Workshop, empty_mb: float, curve: list[tuple[int, float]], stop: threading.Event
) -> None:
    told = 0
    while not stop.wait(0.2):
        done = workshop.progress.snapshot().done
        if done >= told + TOLD_EVERY:
            told = done - done % TOLD_EVERY
            above = resident_mb() - empty_mb
            curve.append((done, above))
            print(f"  {done:>9,} done {above:6.0f} MB  {'#' * int(above / 5)}", flush=True)


def main() -> None:
    """Run all parts, or one."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", choices=("memory", "reconcile", "models"))
    parser.add_argument("--entries", type=int, default=1_000_000, help="of the reconcile")
    parser.add_argument("--pictures", type=int, default=100_000, help="of the memory")
    parser.add_argument("--photographs", type=int, default=384, help="of the models")
    parser.add_argument("--rounds", type=int, default=3, help="of the models")
    parser.add_argument("--precision", default="fp32", help="of the models")
    parser.add_argument("--json", type=Path, help="also write everything to this file")
    options = parser.parse_args()
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "memory": lambda: bench_memory(options.pictures),
        "reconcile": lambda: bench_reconcile(options.entries),
        "models": lambda: models_part(options.photographs, options.rounds, options.precision),
    }
    wanted = [options.only] if options.only else list(parts)
    found = {name: parts[name]() for name in wanted}
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def models_part(photographs: int, rounds: int, precision: str) -> dict[str, Any]:
    """Imported late: torch would count as memory of the empty process."""
    from ingest_stages import bench_models  # noqa: PLC0415

    return bench_models(photographs, rounds, precision)


if __name__ == "__main__":
    main()
