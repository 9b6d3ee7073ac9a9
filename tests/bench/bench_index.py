"""Measure the indexes on vectors that are not easy: speed, recall@10 against exact, bytes.

Run: python tests/bench/bench_index.py --count 20000 --backends lancedb
     python tests/bench/bench_index.py --count 100000 \
         --backends lancedb,hnsw,int8_hnsw,bbq_hnsw --elasticsearch-url http://127.0.0.1:9200 \
         --json out.json --plot docs/images/index-recall.svg

With --keep NAME the indexes stay; --reuse NAME asks them again without filling them, so that a
long filling and the measurement on a quiet machine can be apart. Elasticsearch should serve
nothing else meanwhile: its processor time is taken from its own statistics. Vectors are
drawn in blocks; only --exact-scan holds all of them (3 KB each).
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import index_plot
from index_asking import against_bare, ask
from index_backends import ElasticsearchBackend, LanceDbBackend, fill, server_facts
from index_data import DIMENSION, FILTERS, Questions, exact_scan_ms, gallery, questions
from index_embedding import embedding_cpu_ms

from embedding_pipeline.indexes import lancedb_tidying
from embedding_pipeline.indexes.elasticsearch_catalog import ElasticsearchCatalog
from embedding_pipeline.ports.index import ObjectIndex
from embedding_pipeline.settings import Settings

VECTOR_INDEX_TYPES = ("hnsw", "int8_hnsw", "bbq_hnsw")
DEFAULTS = Settings()

Backend = ElasticsearchBackend | LanceDbBackend
Result = dict[str, Any]


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=20_000, help="entries, 1000 at least")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--backends", default="lancedb", help="lancedb, hnsw, int8_hnsw, bbq_hnsw")
    parser.add_argument("--elasticsearch-url", default=DEFAULTS.elasticsearch_url)
    parser.add_argument("--num-candidates", type=_numbers, default="100,200,300,500,1000")
    parser.add_argument("--m", type=_numbers, default=str(DEFAULTS.elasticsearch_m))
    parser.add_argument(
        "--ef-construction", type=_numbers, default=str(DEFAULTS.elasticsearch_ef_construction)
    )
    parser.add_argument("--keep", metavar="NAME", help="fill and leave the indexes there")
    parser.add_argument("--reuse", metavar="NAME", help="ask indexes that --keep left")
    parser.add_argument("--writers", type=int, default=1, help="simultaneous puts while filling")
    parser.add_argument("--fill-only", action="store_true", help="with --keep: ask nothing yet")
    parser.add_argument("--folder", type=Path, help="where LanceDB lies (default: a temporary one)")
    parser.add_argument("--vector-index-from", type=int, help="rows (lancedb)")
    parser.add_argument("--exact-scan", action="store_true", help="time a numpy scan of all")
    parser.add_argument("--embedding-cpu", action="store_true", help="time ViT-B/16 beside it")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--plot", type=Path, help="draw recall against latency there (svg, png)")
    options = parser.parse_args(arguments)
    if options.keep and options.reuse:
        parser.error("--keep fills, --reuse asks what is there: one of them")
    return options


def main(arguments: Sequence[str]) -> None:
    """Measure every index that was asked for, print the figures, write and draw them."""
    options = parsed(arguments)
    facts: Result = {"entries": options.count, "dimension": DIMENSION, "queries": options.queries}
    if options.exact_scan:
        facts["exact_scan_ms"] = exact_scan_ms(options.count, options.queries)
    if options.embedding_cpu:
        facts["embedding_cpu_ms"] = embedding_cpu_ms()
    asked = None if options.fill_only else questions(options.count, options.queries)
    results = []
    with ExitStack() as stack:
        for name, backend in _backends(options, stack):
            result = {"name": name, "backend": backend.name, "entries": options.count}
            results.append(result | measured(backend, options, asked, facts))
            sys.stdout.write(json.dumps(results[-1]) + "\n")
            sys.stdout.flush()
    if any(result["backend"] in VECTOR_INDEX_TYPES for result in results):
        facts["elasticsearch"] = server_facts(options.elasticsearch_url)
    sys.stdout.write(json.dumps(facts) + "\n")
    if options.json:
        text = json.dumps({"facts": facts, "results": results}, indent=1)
        options.json.write_text(text, encoding="utf-8")
    if options.plot:
        index_plot.draw(results, options.plot)


def measured(
    backend: Backend, options: argparse.Namespace, asked: Questions | None, facts: Result
) -> Result:
    """Fill an index or find it again, weigh it and ask it."""
    if options.reuse:
        index = backend.found()
        if index is None:
            raise SystemExit(f"{backend.name}: nothing was kept as {options.reuse}")
        result: Result = {"filling": None}
    else:
        blocks = gallery(options.count, options.queries)
        index, filling = fill(backend, blocks, writers=options.writers)
        result = {"filling": asdict(filling)}
        if filling.server_cpu_ms is not None and "embedding_cpu_ms" in facts:
            result["share_of_embedding"] = filling.server_cpu_ms / facts["embedding_cpu_ms"]
    counts = index.count()
    if counts.pictures + counts.objects != options.count:
        raise SystemExit(f"{backend.name} holds {counts}, not {options.count} entries")
    weight = backend.weight()
    result["bytes_an_entry"] = {
        "disk": round(weight.disk_bytes / options.count),
        "quick": weight.quick_bytes and round(weight.quick_bytes / options.count, 1),
        "segments": weight.segments,
    }
    if asked is not None:
        result["searches"] = list(_searches(backend, index, asked, options.num_candidates))
        if isinstance(backend, ElasticsearchBackend):
            bare = against_bare(backend.settings, index.version, asked.vectors)
            result["port_against_bare"] = bare
            if "exact_scan_ms" in facts:
                result["p50_of_exact_scan"] = bare["port"]["p50_ms"] / facts["exact_scan_ms"]
    backend.close()
    return result


def _searches(
    backend: Backend, index: ObjectIndex, asked: Questions, candidates: Sequence[int]
) -> Iterator[Result]:
    for filter_name in FILTERS:
        yield {"filter": filter_name, "num_candidates": None} | ask(index, asked, filter_name)
    if isinstance(backend, LanceDbBackend):
        return
    for count in candidates:
        changed = backend.settings.model_copy(update={"elasticsearch_num_candidates": count})
        catalog = ElasticsearchCatalog(changed)
        yield {"filter": "all", "num_candidates": count} | ask(catalog.open(), asked)
        catalog.close()


def _backends(options: argparse.Namespace, stack: ExitStack) -> Iterator[tuple[str, Backend]]:
    """Each index that is to be measured; what isn't kept is deleted when the stack closes."""
    name = options.keep or options.reuse
    for kind in options.backends.split(","):
        if kind == "lancedb":
            yield kind, _lancedb(options, stack, name)
            continue
        if kind not in VECTOR_INDEX_TYPES:
            raise SystemExit(f"no such backend: {kind}")
        for m, ef in itertools.product(options.m, options.ef_construction):
            url = options.elasticsearch_url
            backend = ElasticsearchBackend(url, name or "passing", kind, m, ef)
            yield f"{kind} m={m} ef_construction={ef}", backend
            if name is None:
                backend = ElasticsearchBackend(url, "passing", kind, m, ef)
                backend.remove()
                backend.close()


def _lancedb(options: argparse.Namespace, stack: ExitStack, name: str | None) -> LanceDbBackend:
    if options.vector_index_from is not None:
        lancedb_tidying.VECTOR_INDEX_FROM_ROWS = options.vector_index_from
    if name and options.folder is None:
        raise SystemExit("--keep and --reuse need --folder for lancedb")
    if name:
        return LanceDbBackend(options.folder / name)
    holding = stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder))
    return LanceDbBackend(Path(holding) / "lancedb")


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


if __name__ == "__main__":
    main(sys.argv[1:])
