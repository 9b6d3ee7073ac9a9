"""Measure what a search costs behind the embedding, by part, against one bare nearest(10).

All parts are measured in turns in one run, so that their ratios hold on a busy machine too.

Run: python tests/bench/bench_search.py --count 20000 --backends lancedb
     python tests/bench/bench_search.py --backends int8_hnsw --elasticsearch-url http://127.0.0.1:9200
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from embedding_pipeline.domain.entries import EntryFilter
from embedding_pipeline.indexes.elasticsearch_catalog import ElasticsearchCatalog
from embedding_pipeline.indexes.lancedb_catalog import LanceDbCatalog
from embedding_pipeline.indexes.lancedb_memory import USUAL, Holding
from embedding_pipeline.ports.index import IndexCatalog, ObjectIndex
from embedding_pipeline.search.ranking import CANDIDATES_PER_IMAGE, Question, hits, rank
from support.indexes_elasticsearch import elasticsearch_settings
from support.indexes_samples import description
from support.indexes_vectors import LatentVectors, pictures_of

DIMENSION = 768
MAX_IMAGES = 600
PAGE = 20
FLOOR = 0.1
PICTURES_A_PUT = 100
WARM_UP = 3
BARE = "nearest(10)"
ALL = EntryFilter()

Query = NDArray[np.float32]
Part = Callable[[Query], object]


def parts_of(index: ObjectIndex, query: Query) -> dict[str, Part]:
    """What a search does, piece by piece, and whole; a ranking is drawn once for its pages."""
    keys = rank(index, Question(query, ALL, -1.0), max_images=MAX_IMAGES).image_keys
    candidates = MAX_IMAGES * CANDIDATES_PER_IMAGE

    def whole(vector: Query, floor: float = -1.0) -> None:
        question = Question(vector, ALL, floor)
        hits(index, question, rank(index, question, max_images=MAX_IMAGES).image_keys[:PAGE])

    return {
        BARE: lambda vector: index.nearest(vector, limit=10, where=ALL),
        f"nearest({candidates})": lambda vector: index.nearest(vector, limit=candidates, where=ALL),
        f"facets of {len(keys)}": lambda _: index.labelled_pictures(keys, where=ALL),
        f"score of {len(keys)}": lambda vector: index.score(vector, image_keys=keys, where=ALL),
        f"page of {PAGE}": lambda vector: hits(index, Question(vector, ALL, -1.0), keys[:PAGE]),
        "whole search": whole,
        f"whole search, min_score {FLOOR}": lambda vector: whole(vector, FLOOR),
    }


def measure(index: ObjectIndex, queries: NDArray[np.float32]) -> dict[str, dict[str, float]]:
    """Milliseconds of each part and its ratio to the bare search, one query after another."""
    parts = parts_of(index, queries[0])
    times: dict[str, list[float]] = {name: [] for name in parts}
    for number, query in enumerate(queries):
        for name, part in parts.items():
            started = time.perf_counter()
            part(query)
            if number >= WARM_UP:
                times[name].append(1000 * (time.perf_counter() - started))
    bare = statistics.median(times[BARE])
    return {
        name: {
            "ratio": round(statistics.median(found) / bare, 2),
            "p50_ms": round(statistics.median(found), 1),
            "p95_ms": round(float(np.percentile(found, 95)), 1),
        }
        for name, found in times.items()
    }


@contextmanager
def filled(catalog: IndexCatalog, gallery: NDArray[np.float32]) -> Iterator[ObjectIndex]:
    """Open a new version that holds a gallery, merged as after a backfill."""
    catalog.activate(catalog.create(description(DIMENSION)).name)
    index = catalog.open()
    pictures = list(pictures_of(gallery))
    for start in range(0, len(pictures), PICTURES_A_PUT):
        report = index.put(pictures[start : start + PICTURES_A_PUT])
        if report.failures:
            raise SystemExit(str(report.failures[0]))
    index.optimize()
    index.make_searchable()
    for _ in range(3):  # a table that has come to rest is read into memory
        index.nearest(gallery[0], limit=1, where=ALL)
        time.sleep(USUAL.quiet_s)
    yield index
    index.close()
    catalog.close()


@contextmanager
def catalog_of(backend: str, url: str) -> Iterator[IndexCatalog]:
    """Empty catalog of a backend: lancedb, or a vector index type of Elasticsearch.

    ``lancedb-table`` is LanceDB that is never held in memory.
    """
    if backend.startswith("lancedb"):
        holding = Holding(most_bytes=0) if backend == "lancedb-table" else USUAL
        with tempfile.TemporaryDirectory() as folder:
            yield LanceDbCatalog(Path(folder), holding=holding)
    else:
        with elasticsearch_settings(url, elasticsearch_index_type=backend) as settings:
            yield ElasticsearchCatalog(settings)


def main(arguments: Sequence[str]) -> None:
    """Measure every backend that was asked for and print the figures, ratios first."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=20_000, help="entries")
    parser.add_argument("--queries", type=int, default=30)
    parser.add_argument("--backends", default="lancedb", help="lancedb, hnsw, int8_hnsw, bbq_hnsw")
    parser.add_argument("--elasticsearch-url", default="")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args(arguments)
    source = LatentVectors(DIMENSION)
    gallery, queries = source.draw(options.count), source.draw(WARM_UP + options.queries)
    results = {}
    for backend in options.backends.split(","):
        with (
            catalog_of(backend, options.elasticsearch_url) as catalog,
            filled(catalog, gallery) as index,
        ):
            results[backend] = measure(index, queries)
        sys.stdout.write(f"{backend}, {options.count} x {DIMENSION}\n  ratio      p50      p95\n")
        for name, figures in results[backend].items():
            ratio, p50, p95 = figures.values()
            sys.stdout.write(f"{ratio:7.2f} {p50:8.1f} {p95:8.1f}  {name}\n")
        sys.stdout.flush()
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
