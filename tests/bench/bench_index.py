"""Measure the indexes on vectors that are not easy: speed, recall@10 against exact, bytes.

Run: python tests/bench/bench_index.py --count 20000 --backends lancedb
     python tests/bench/bench_index.py --count 100000 --backends lancedb,hnsw,int8_hnsw,bbq_hnsw \
         --elasticsearch-url http://127.0.0.1:9200 --json out.json
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
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from elasticsearch import Elasticsearch
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from embedding_pipeline.domain.entries import EntryFilter
from embedding_pipeline.indexes import lancedb_tidying
from embedding_pipeline.indexes.elasticsearch_catalog import ElasticsearchCatalog
from embedding_pipeline.indexes.lancedb_catalog import LanceDbCatalog
from embedding_pipeline.ports.index import ObjectIndex
from embedding_pipeline.settings import Settings
from support.indexes_elasticsearch import elasticsearch_settings
from support.indexes_samples import description
from support.indexes_vectors import LatentVectors, pictures_of

DIMENSION = 768
K = 10
PICTURES_A_PUT = 100
FILTERS = {
    "all": EntryFilter(),
    "10 % label": EntryFilter(labels=("some",)),
    "1 % label": EntryFilter(labels=("rare",)),
}


@dataclass
class Measures:
    """What one backend showed."""

    backend: str
    entries: int
    docs_per_s: float
    optimize_s: float
    bytes_per_entry: float
    searches: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Data:
    """Gallery and queries, with the exact answers for each filter.

    Args:
        gallery: ``(N, 768)`` float32.
        queries: ``(Q, 768)`` float32.
        ids: object id of each row.
        exact: filter name to the ids of the K nearest of each query.
        exact_ms: median time of the exact numpy scan for one query.
    """

    gallery: NDArray[np.float32]
    queries: NDArray[np.float32]
    ids: list[str]
    exact: dict[str, list[set[str]]]
    exact_ms: float


def make_data(count: int, queries: int) -> Data:
    """Draw vectors and compute the exact answers by a full scan."""
    source = LatentVectors(DIMENSION)
    gallery, asked = source.draw(count), source.draw(queries)
    entries = [entry for made in pictures_of(gallery) for entry in made.entries]
    ids = np.array([entry.object_id for entry in entries])
    labels = np.array([entry.label or "" for entry in entries])
    masks = {
        "all": np.ones(count, bool),
        "10 % label": labels == "some",
        "1 % label": labels == "rare",
    }
    times, exact = [], {name: [] for name in masks}
    for query in asked:
        started = time.perf_counter()
        scores = gallery @ query
        np.argpartition(-scores, K)[:K]
        times.append(time.perf_counter() - started)
        for name, mask in masks.items():
            passing = np.flatnonzero(mask)
            best = passing[np.argsort(-scores[passing])[:K]]
            exact[name].append(set(ids[best].tolist()))
    return Data(gallery, asked, ids.tolist(), exact, 1000 * statistics.median(times))


def measure(name: str, index: ObjectIndex, data: Data, size_bytes: Callable[[], int]) -> Measures:
    """Fill an index, optimize it and search it."""
    pictures = list(pictures_of(data.gallery))
    started = time.perf_counter()
    for start in range(0, len(pictures), PICTURES_A_PUT):
        report = index.put(pictures[start : start + PICTURES_A_PUT])
        if report.failures:
            raise SystemExit(f"{name}: {report.failures[0]}")
    put_s = time.perf_counter() - started
    started = time.perf_counter()
    index.optimize()
    index.make_searchable()
    optimize_s = time.perf_counter() - started
    entries = len(data.gallery)
    measures = Measures(name, entries, entries / put_s, optimize_s, size_bytes() / entries)
    for filter_name, where in FILTERS.items():
        measures.searches[filter_name] = search(index, data, filter_name, where)
    return measures


def search(index: ObjectIndex, data: Data, name: str, where: EntryFilter) -> dict[str, float]:
    """Recall@10 and milliseconds of one kind of search over all queries."""
    index.nearest(data.queries[0], limit=K, where=where)
    times, recalls = [], []
    for query, exact in zip(data.queries, data.exact[name], strict=True):
        started = time.perf_counter()
        found = index.nearest(query, limit=K, where=where)
        times.append(1000 * (time.perf_counter() - started))
        recalls.append(len(exact & {hit.object_id for hit in found}) / len(exact))
    return {
        "recall": round(statistics.mean(recalls), 4),
        "p50_ms": round(statistics.median(times), 2),
        "p95_ms": round(float(np.percentile(times, 95)), 2),
    }


@contextmanager
def lancedb_index(folder: Path) -> Iterator[ObjectIndex]:
    """Open an empty embedded index in a folder."""
    catalog = LanceDbCatalog(folder)
    catalog.activate(catalog.create(description(DIMENSION)).name)
    index = catalog.open()
    yield index
    index.close()


def run_lancedb(data: Data, vector_index_from: int | None) -> Measures:
    """Measure the embedded index, with the vector index from a given number of rows on."""
    if vector_index_from is not None:
        lancedb_tidying.VECTOR_INDEX_FROM_ROWS = vector_index_from
    with tempfile.TemporaryDirectory() as folder, lancedb_index(Path(folder)) as index:
        return measure("lancedb", index, data, lambda: folder_bytes(Path(folder)))


def run_elasticsearch(
    data: Data, url: str, index_type: str, candidates: Sequence[int]
) -> Iterator[Measures]:
    """Measure one vector index type, searched again for every num_candidates."""
    with elasticsearch_settings(url, elasticsearch_index_type=index_type) as settings:
        catalog = ElasticsearchCatalog(settings)
        catalog.activate(catalog.create(description(DIMENSION)).name)
        index = catalog.open()
        measures = measure(index_type, index, data, lambda: stored_bytes(settings))
        yield measures
        for count in candidates:
            changed = settings.model_copy(update={"elasticsearch_num_candidates": count})
            searched = ElasticsearchCatalog(changed)
            measures.searches = {
                f"all, {count} candidates": search(searched.open(), data, "all", FILTERS["all"])
            }
            yield measures
            searched.close()
        catalog.close()


def stored_bytes(settings: Settings) -> int:
    """Bytes on disk of all indices below the prefix."""
    with Elasticsearch(settings.elasticsearch_url) as client:
        stats = client.indices.stats(index=f"{settings.elasticsearch_index}-*", metric="store")
        return int(stats["_all"]["primaries"]["store"]["size_in_bytes"])


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=20_000, help="entries")
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--backends", default="lancedb", help="lancedb, hnsw, int8_hnsw, bbq_hnsw")
    parser.add_argument("--elasticsearch-url", default="")
    parser.add_argument("--num-candidates", default="100,200,300,500,1000", help="sweep")
    parser.add_argument("--vector-index-from", type=int, help="rows (lancedb)")
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    """Measure every backend that was asked for and print the figures."""
    options = parsed(arguments)
    data = make_data(options.count, options.queries)
    sys.stdout.write(f"{options.count} x {DIMENSION}; exact numpy scan {data.exact_ms:.1f} ms\n")
    results: list[dict[str, Any]] = []
    candidates = [int(count) for count in options.num_candidates.split(",")]
    for backend in options.backends.split(","):
        if backend == "lancedb":
            runs = iter([run_lancedb(data, options.vector_index_from)])
        else:
            runs = run_elasticsearch(data, options.elasticsearch_url, backend, candidates)
        for measures in runs:
            results.append(asdict(measures))
            sys.stdout.write(json.dumps(results[-1]) + "\n")
            sys.stdout.flush()
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
