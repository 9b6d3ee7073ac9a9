"""A backfill with real models against each of its stages alone, and against the seed's way.

Every round runs each contender once on the same pictures, into an empty data folder where one is
needed, so that a busy machine slows all of them; what is told are medians of the rounds' ratios.

- whole: ``boxseek ingest`` of the folder, from the first look at it to the searchable index;
- read: every file read and hashed; models: decode, detect, crop, embed of what is in memory, all
  handed over at once; write: originals, records and index of results that are there already;
- sequential: one picture at a time, every detection above 0.5, fp32, batches of one, nothing
  written (support: seed_way.py).
"""

from __future__ import annotations

import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from measuring import machine, pictures, say, table
from seed_way import SeedWay

from embedding_pipeline.bootstrap import Boxseek, limits_of
from embedding_pipeline.cli.room import ingest_room
from embedding_pipeline.ingest.folder_source import FolderSource
from embedding_pipeline.ingest.ingest_run import IngestOptions, ingest
from embedding_pipeline.ingest.shelving import Incoming
from embedding_pipeline.models.loaded import LoadedModels
from embedding_pipeline.models.resolve import resolve_models
from embedding_pipeline.pipeline.runner import Priority
from embedding_pipeline.pipeline.tasks import PictureResult, PictureTask
from embedding_pipeline.settings import Settings
from minio_proxy.records import RecordPart

BULK = 64
MOST_PHOTOGRAPHS = 128
"""As many as COCO128 has."""
STAGES = ("read", "models", "write")
SHARE_WANTED = 0.95
TIMES_WANTED = 2.0


class Contenders:
    """What is timed; each gives the seconds that count.

    Args:
        folder: holds the pictures.
        files: their bytes.
        settings: of everything but the data folder.
        loaded: both models.
    """

    def __init__(
        self, folder: Path, files: Sequence[bytes], settings: Settings, loaded: LoadedModels
    ) -> None:
        self._folder = folder
        self._files = files
        self._settings = settings
        self._loaded = loaded
        self._seed = SeedWay(settings)
        self._tasks = [PictureTask(one, key=hashlib.sha256(one).hexdigest()) for one in files]
        self._results: list[PictureResult] = []
        self.documents: dict[str, int] = {}
        self.busy: list[dict[str, float]] = []

    def whole(self) -> float:
        """The backfill."""
        with self._boxseek() as boxseek:
            room = ingest_room(boxseek)
            source = FolderSource(self._folder, limits=limits_of(self._settings))
            began = time.perf_counter()
            report = ingest(source, IngestOptions(), room)
            elapsed_s = time.perf_counter() - began
            assert report.states == {"indexed": len(self._files)}, report.states
            # The sequential way has no entry for a whole picture, so ours do not count.
            self.documents["whole"] = report.objects
            self.busy.append(room.progress.snapshot().load)
            return elapsed_s

    def read(self) -> float:
        """Listing, reading, hashing."""
        began = time.perf_counter()
        source = FolderSource(self._folder, limits=limits_of(self._settings))
        for item in source.items():
            hashlib.sha256(source.load(item).data).hexdigest()
        return time.perf_counter() - began

    def models(self) -> float:
        """Model work alone."""
        with self._boxseek() as boxseek:
            began = time.perf_counter()
            self._results = boxseek.runner.run(self._tasks, Priority.BACKFILL)
            return time.perf_counter() - began

    def write(self) -> float:
        """Writing alone."""
        incoming = [
            Incoming(task.key, data, _part(task.key), result)
            for task, data, result in zip(self._tasks, self._files, self._results, strict=True)
        ]
        with self._boxseek() as boxseek:
            began = time.perf_counter()
            for start in range(0, len(incoming), BULK):
                boxseek.library.shelf.write(incoming[start : start + BULK])
            boxseek.index().make_searchable()
            return time.perf_counter() - began

    def sequential(self) -> float:
        """The seed's way."""
        began = time.perf_counter()
        self.documents["sequential"] = self._seed.index(self._files, only_best=False)
        return time.perf_counter() - began

    @contextmanager
    def _boxseek(self) -> Iterator[Boxseek]:
        with tempfile.TemporaryDirectory() as data:
            settings = self._settings.model_copy(update={"data_dir": Path(data)})
            with Boxseek.open(settings, models=lambda *_: self._loaded) as boxseek:
                boxseek.wait_ready()
                yield boxseek


def bench_models(count: int, rounds: int, precision: str) -> dict[str, Any]:
    """Measure and print; gives everything for JSON."""
    files = distinct(pictures(min(count, MOST_PHOTOGRAPHS)), count)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "pictures"
        folder.mkdir()
        for number, data in enumerate(files):
            (folder / f"{number:05d}.jpg").write_bytes(data)
        settings = Settings(
            models="packaged",
            precision=precision,  # type: ignore[arg-type]
            data_dir=Path(place) / "data",
        )
        loaded = resolve_models(settings)
        contenders = Contenders(folder, files, settings, loaded)
        seconds = _rounds(contenders, rounds)
    found = _report(seconds, contenders.documents, count, loaded.description.summary())
    busy = {
        stage: round(statistics.median(one[stage] for one in contenders.busy[1:]), 4)
        for stage in STAGES
    }
    say("of the whole run's time after the plan, busy: " + _shares(busy))
    return found | {"busy_share_of_whole": busy}


def _shares(busy: Mapping[str, float]) -> str:
    return ", ".join(f"{stage} {share:.1%}" for stage, share in busy.items())


def distinct(photographs: Sequence[bytes], count: int) -> list[bytes]:
    """So many different pictures: after the photographs themselves, slightly cropped ones.

    Each loses another few pixels at its edges and is encoded anew, so bytes, hash and pixels
    differ and the work for the models stays that of the photograph.
    """
    made = list(photographs[:count])
    for number in range(len(made), count):
        turn, of = divmod(number, len(photographs))
        bgr = cv2.imdecode(np.frombuffer(photographs[of], np.uint8), cv2.IMREAD_COLOR)
        cropped = bgr[2 * turn :, turn:]
        made.append(bytes(cv2.imencode(".jpg", cropped, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]))
    return made


def _rounds(contenders: Contenders, rounds: int) -> dict[str, list[float]]:
    runs: dict[str, Callable[[], float]] = {
        name: getattr(contenders, name) for name in ("models", "write", "read", "whole")
    } | {"sequential": contenders.sequential}
    for run in runs.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        names = list(runs)
        for name in names if number % 2 == 0 else reversed(names):
            seconds[name].append(runs[name]())
        say(f"  round {number + 1}: " + ", ".join(f"{n} {s[-1]:.2f} s" for n, s in seconds.items()))
    return seconds


def _report(
    seconds: dict[str, list[float]], documents: dict[str, int], count: int, models: str
) -> dict[str, Any]:
    per_round = list(zip(*(seconds[name] for name in STAGES), strict=True))
    share = statistics.median(
        max(stages) / whole for stages, whole in zip(per_round, seconds["whole"], strict=True)
    )
    times = statistics.median(
        (documents["whole"] / whole) / (documents["sequential"] / one)
        for whole, one in zip(seconds["whole"], seconds["sequential"], strict=True)
    )
    rows = [
        (name, f"{statistics.median(all_s):.2f}", f"{count / statistics.median(all_s):.1f}")
        for name, all_s in seconds.items()
    ]
    say(f"\n{models}; {count} pictures, {len(per_round)} rounds\n")
    say(table(("contender", "seconds", "pictures/s"), rows))
    say(f"\nshare of the slowest stage alone: {share:.1%} (wanted: {SHARE_WANTED:.0%})")
    say(f"objects/s against one at a time: {times:.2f} times (wanted: {TIMES_WANTED:g})")
    return {
        "models": models,
        "pictures": count,
        "share_of_slowest_stage": round(share, 4),
        "documents_per_s_against_sequential": round(times, 3),
        "documents": documents,
        "seconds": seconds,
        "machine": machine(),
    }


def _part(key: str) -> RecordPart:
    return RecordPart("bench", key, None, None, None, datetime.now(UTC))
