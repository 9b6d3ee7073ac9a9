"""How the cost of a picture grows with size and objects, and a search's with the archive."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from bench_search import BARE, catalog_of, filled, measure
from bench_throughput import Ours, ours_of
from measuring import enlarged, interleaved, ratio, table

from embedding_pipeline.bootstrap import Boxseek
from embedding_pipeline.domain.boxes import whole
from embedding_pipeline.pipeline.runner import Priority
from embedding_pipeline.pipeline.tasks import PictureTask
from support.indexes_vectors import LatentVectors

MEGAPIXELS = (1, 6, 12, 24)
OBJECTS = (0, 1, 5, 20)
PICTURES = 8


def with_size(ours: Ours, rounds: int, sizes: Sequence[float] = MEGAPIXELS) -> dict[str, Any]:
    """One scene at several sizes: through the whole pipeline one by one and eight at once."""
    files = {size: enlarged(size) for size in sizes}

    def indexed(size: float, copies: int) -> Callable[[], object]:
        return lambda: ours.index([files[size]] * copies)

    alone = interleaved({str(size): indexed(size, 1) for size in sizes}, 2 * rounds)
    together = interleaved({str(size): indexed(size, PICTURES) for size in sizes}, rounds)
    first = str(sizes[0])
    return {
        str(size): {
            "bytes": len(files[size]),
            "entries": len(ours.index([files[size]])[0].regions),
            "one_by_one_ms": round(1000 * statistics.median(alone[str(size)]), 1),
            "against_the_smallest_one_by_one": ratio(alone[str(size)], alone[first]),
            "against_the_smallest_together": ratio(together[str(size)], together[first]),
        }
        for size in sizes
    }


def with_objects(ours: Ours, rounds: int, counts: Sequence[int] = OBJECTS) -> dict[str, Any]:
    """A picture of one megapixel with so many boxes to embed beside the whole picture."""
    data = enlarged(1)
    size_wh = ours.index([data])[0].size_wh

    def indexed(count: int) -> Callable[[], object]:
        boxes = tuple((4.0 * i, 3.0 * i, 200.0 + 8 * i, 180.0 + 9 * i) for i in range(count))
        tasks = [PictureTask(data, select=(whole(size_wh), *boxes))] * PICTURES
        return lambda: ours.runner.run(tasks, Priority.BACKFILL)

    seconds = interleaved({str(count): indexed(count) for count in counts}, rounds)
    first = str(counts[0])
    return {
        str(count): {
            "ms_a_picture": round(1000 * statistics.median(seconds[str(count)]) / PICTURES, 1),
            "against_none": ratio(seconds[str(count)], seconds[first]),
        }
        for count in counts
    }


def with_archive(counts: Sequence[int], dimension: int = 768) -> dict[str, Any]:
    """A bare kNN and a whole search behind the embedding, by entries; made-up vectors."""
    found: dict[str, Any] = {}
    source = LatentVectors(dimension)
    for count in counts:
        gallery, queries = source.draw(count), source.draw(13)
        began = time.perf_counter()
        with catalog_of("lancedb", "") as catalog, filled(catalog, gallery) as index:
            filled_s = time.perf_counter() - began
            parts = measure(index, queries)
        found[str(count)] = {
            "nearest_10_ms": parts[BARE]["p50_ms"],
            "whole_search_ms": parts["whole search"]["p50_ms"],
            "filled_entries_per_s": round(count / filled_s),
        }
    return found


def growth(boxseek: Boxseek, archive: Sequence[int], rounds: int) -> dict[str, Any]:
    """All three, with the models of an open Boxseek."""
    ours = ours_of(boxseek)
    size, objects = with_size(ours, rounds), with_objects(ours, rounds)
    largest = size[str(MEGAPIXELS[-1])]
    return {
        "largest_against_one_megapixel": {
            name: largest[f"against_the_smallest_{name}"] for name in ("one_by_one", "together")
        },
        "models": ours.models.description.summary(),
        "megapixels": size,
        "objects": objects,
        "entries": with_archive(archive),
    }


def tables(result: dict[str, Any]) -> str:
    """The section for docs/benchmarks.md."""
    parts = [f"{result['models']}"]
    for name in filter(result.get, ("megapixels", "objects", "entries")):
        head = (name, *next(iter(result[name].values())))
        rows = [(key, *figures.values()) for key, figures in result[name].items()]
        parts.append(table(head, rows))
    return "\n\n".join(parts)
