"""What a search by an uploaded picture costs: by stage, with many clients, beside a backfill.

The index holds made-up vectors and is an exact scan below 50,000 entries. "Bare" is one decode,
one detection, one embedding and one kNN for 10, called one after another by the same models.
"""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from bench_throughput import cut_out
from measuring import percentiles, pictures, ratio, table

from embedding_pipeline.bootstrap import Boxseek, limits_of
from embedding_pipeline.cli.room import ingest_room
from embedding_pipeline.domain.entries import EntryFilter
from embedding_pipeline.ingest.folder_source import FolderSource
from embedding_pipeline.ingest.ingest_run import IngestOptions, ingest
from embedding_pipeline.models.samples import SAMPLE_PICTURES
from embedding_pipeline.pipeline.levels import least_side, levels_of
from embedding_pipeline.search.choice import choose
from embedding_pipeline.search.results import PictureBytes, SearchRequest, Timings
from embedding_pipeline.settings import Settings
from minio_proxy.picture.decode import decode
from support.indexes_vectors import LatentVectors, pictures_of

CLIENTS = (1, 4, 16)
EVERY_S = 2.0
ROUNDS = 2
STAGES = ("decode", "detect", "embed", "search")
PICTURES_A_PUT = 200
REST_S = 4.0


def opened(embedder: str, wishes: dict[str, Any], folder: Path) -> Boxseek:
    """An open Boxseek with an empty index; what is calibrated is calibrated on COCO pictures."""
    settings = Settings(models="packaged", embedder=embedder, data_dir=folder, **wishes)
    boxseek = Boxseek.open(settings, samples=lambda: pictures(SAMPLE_PICTURES))
    boxseek.wait_ready(900)
    return boxseek


def fill(boxseek: Boxseek, entries: int) -> None:
    """Put made-up vectors of the right length into the index."""
    dimension = boxseek.index().version.description.embedder.dimension
    pictures = list(pictures_of(LatentVectors(dimension).draw(entries)))
    for start in range(0, len(pictures), PICTURES_A_PUT):
        boxseek.index().put(pictures[start : start + PICTURES_A_PUT])
    boxseek.index().make_searchable()
    boxseek.index().optimize()


def rest(boxseek: Boxseek, data: bytes) -> None:
    """Let a small index come to rest and be read into memory, as it is when nobody writes."""
    for _ in range(3):
        ask(boxseek, data)
        time.sleep(REST_S)


def ask(boxseek: Boxseek, data: bytes) -> tuple[float, Timings]:
    """Search by a picture: seconds, and what its stages took."""
    request = SearchRequest(PictureBytes(data), None, "auto", EntryFilter(), limit=20)
    started = time.perf_counter()
    page = boxseek.search_service.search(request)
    return time.perf_counter() - started, page.timings


def bare(boxseek: Boxseek, data: bytes) -> float:
    """One decode, one detection, one embedding, one kNN, by direct calls."""
    models = boxseek.models
    if models is None:
        raise SystemExit("the models are not loaded")
    how, side = models.description.embedder, models.description.detector.decode_long_side
    started = time.perf_counter()
    picture = decode(data, limits_of(boxseek.settings), long_side=side)
    levels = levels_of(picture.rgb, least_side(models.description.detector))
    [(detections, _)] = models.detector.detect([levels[-1]])
    box = choose(box=None, scope="auto", size_wh=picture.size_wh, objects=detections)
    crop = cut_out(levels, picture.size_wh, box, how)
    vector = models.embedder.embed(crop[None])[0]
    boxseek.index().nearest(vector / np.linalg.norm(vector), limit=10, where=EntryFilter())
    return time.perf_counter() - started


def many_clients(boxseek: Boxseek, files: Sequence[bytes], clients: int) -> dict[str, Any]:
    """Every file searched once, by so many threads that each wait for their answer."""
    work = iter(files)
    lock = threading.Lock()
    found: list[tuple[float, Timings]] = []

    def client() -> None:
        while True:
            with lock:
                data = next(work, None)
            if data is None:
                return
            one = ask(boxseek, data)
            with lock:
                found.append(one)

    started = time.perf_counter()
    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed_s = time.perf_counter() - started
    stages = {
        stage: round(statistics.median(getattr(timings, stage) for _, timings in found), 1)
        for stage in STAGES
    }
    return {
        "searches_per_s": round(len(files) / elapsed_s, 2),
        **percentiles([seconds for seconds, _ in found]),
        "stages_p50_ms": stages,
    }


def _middle(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The run of median throughput."""
    return sorted(runs, key=lambda run: float(run["searches_per_s"]))[len(runs) // 2]


def beside_backfill(boxseek: Boxseek, files: Sequence[bytes], seconds: float) -> dict[str, Any]:
    """A search every two seconds while a folder is indexed, against both alone."""
    numbers = itertools.count()
    with TemporaryDirectory() as place:

        def indexed(count: int) -> float:
            """Index so many pictures that are new, as ``boxseek ingest`` does; pictures/s."""
            folder = Path(place) / str(next(numbers))
            folder.mkdir()
            for i in range(count):
                new = files[i % len(files)] + f"{folder.name} {i}".encode()
                (folder / f"{i:05d}.jpg").write_bytes(new)
            source = FolderSource(folder, limits=limits_of(boxseek.settings))
            started = time.perf_counter()
            report = ingest(source, IngestOptions(), ingest_room(boxseek))
            if report.states != {"indexed": count}:
                raise SystemExit(f"not everything was indexed: {report.states}")
            return count / (time.perf_counter() - started)

        rate = indexed(16)
        count = max(16, int(rate * seconds))
        alone = indexed(count)
        rest(boxseek, files[0])
        idle = [ask(boxseek, data)[0] for data in files[: max(10, int(seconds / EVERY_S))]]
        busy: list[float] = []
        beside = [0.0]
        indexing = threading.Thread(target=lambda: beside.append(indexed(count)))
        indexing.start()
        for data in itertools.cycle(files):
            began = time.perf_counter()
            if not indexing.is_alive():
                break
            busy.append(ask(boxseek, data)[0])
            indexing.join(max(0.0, EVERY_S - (time.perf_counter() - began)))
    idle_ms, busy_ms = percentiles(idle), percentiles(busy)
    return {
        "search_p95_against_idle": round(busy_ms["p95_ms"] / idle_ms["p95_ms"], 2),
        "search_p50_against_idle": round(busy_ms["p50_ms"] / idle_ms["p50_ms"], 2),
        "backfill_keeps": round(beside[-1] / alone, 3),
        "idle": idle_ms,
        "beside_backfill": busy_ms,
        "searches": len(busy),
        "backfill_images_per_s": {"alone": round(alone, 2), "with_searches": round(beside[-1], 2)},
    }


def serving(
    boxseek: Boxseek, files: Sequence[bytes], *, entries: int, backfill_s: float
) -> dict[str, Any]:
    """Latency by stage and clients, against bare calls, and beside a backfill; ratios first."""
    first_s, _ = ask(boxseek, files[0])
    fill(boxseek, entries)
    rest(boxseek, files[0])
    for data in files[:3]:
        ask(boxseek, data)
        bare(boxseek, data)
    pairs = [(ask(boxseek, data)[0], bare(boxseek, data)) for data in files]
    rounds = [
        {count: many_clients(boxseek, [*files] * 2, count) for count in CLIENTS}
        for _ in range(ROUNDS)
    ]
    clients = {count: _middle([run[count] for run in rounds]) for count in CLIENTS}
    result = {
        "search_against_bare": ratio(*zip(*pairs, strict=True)),
        **{
            f"throughput_of_{count}_clients": ratio(
                [run[count]["searches_per_s"] for run in rounds],
                [run[1]["searches_per_s"] for run in rounds],
            )
            for count in CLIENTS[1:]
        },
        "first_search_ms": round(1000 * first_s, 1),
        "search": percentiles([whole for whole, _ in pairs]),
        "bare": percentiles([alone for _, alone in pairs]),
        "clients": clients,
        "entries": entries,
        "models": boxseek.index().version.description.summary(),
    }
    if backfill_s > 0:
        result["backfill"] = beside_backfill(boxseek, files, backfill_s)
    return result


def tables(result: dict[str, Any]) -> str:
    """The section for docs/benchmarks.md."""
    ratios: list[tuple[str, object]] = [
        (name, value) for name, value in result.items() if isinstance(value, float)
    ]
    backfill = result.get("backfill", {})
    ratios += [(name, value) for name, value in backfill.items() if isinstance(value, float)]
    rows = [
        (
            count,
            run["searches_per_s"],
            run["p50_ms"],
            run["p95_ms"],
            *(run["stages_p50_ms"][stage] for stage in STAGES),
        )
        for count, run in result["clients"].items()
    ]
    return "\n\n".join(
        (
            f"{result['models']}, {result['entries']:,} entries",
            table(("figure", "measured"), ratios),
            table(("clients", "searches/s", "p50 ms", "p95 ms", *STAGES), rows),
        )
    )
