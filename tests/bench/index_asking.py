"""Questions to an index: recall, latency, and what the port adds to a bare request."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import urllib3
from elasticsearch import Elasticsearch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from index_data import FILTERS, K, Questions, Vectors

from embedding_pipeline.domain.entries import EntryFilter
from embedding_pipeline.indexes.elasticsearch_index import ElasticsearchIndex
from embedding_pipeline.ports.index import IndexVersion, ObjectIndex
from embedding_pipeline.settings import Settings

_WARM_UP = 10
_IN_THE_ADDRESS = ("index", "allow_partial_search_results")


def ask(index: ObjectIndex, questions: Questions, filter_name: str = "all") -> dict[str, float]:
    """Recall@10 and milliseconds of one kind of search over all queries, one at a time."""
    where = FILTERS[filter_name]
    for query in questions.vectors[:_WARM_UP]:
        index.nearest(query, limit=K, where=where)
    times, recalls = [], []
    for query, exact in zip(questions.vectors, questions.answers[filter_name], strict=True):
        started = time.perf_counter()
        found = index.nearest(query, limit=K, where=where)
        times.append(1000 * (time.perf_counter() - started))
        recalls.append(len(exact & {hit.object_id for hit in found}) / len(exact))
    return {"recall": round(statistics.mean(recalls), 4), **latency(times)}


def latency(times_ms: Sequence[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    return {
        "p50_ms": round(statistics.median(times_ms), 2),
        "p95_ms": round(float(np.percentile(times_ms, 95)), 2),
    }


def against_bare(settings: Settings, version: IndexVersion, vectors: Vectors) -> dict[str, Any]:
    """The port beside a bare HTTP request with the same body, in turns in one run.

    The bare request sends the body as ready bytes through urllib3 and reads the JSON answer.
    """
    url = settings.elasticsearch_url
    times: dict[str, list[float]] = {"port": [], "bare": []}
    with Elasticsearch(url, request_timeout=settings.elasticsearch_timeout_s) as client:
        recorder = _Recorder(client)
        recorded = ElasticsearchIndex(recorder, version, settings, url)  # type: ignore[arg-type] # a double
        index = ElasticsearchIndex(client, version, settings, url)
        pool = urllib3.PoolManager()
        for number, vector in enumerate(vectors):
            recorder.sent.clear()
            recorded.nearest(vector, limit=K, where=EntryFilter())
            bodies = [_address_and_body(url, sent) for sent in recorder.sent]
            ways: dict[str, Callable[[], object]] = {
                "port": partial(index.nearest, vector, limit=K, where=EntryFilter()),
                "bare": partial(_all_posted, pool, bodies),
            }
            for name in ("port", "bare") if number % 2 else ("bare", "port"):
                started = time.perf_counter()
                ways[name]()
                if number >= _WARM_UP:
                    times[name].append(1000 * (time.perf_counter() - started))
    port, bare = latency(times["port"]), latency(times["bare"])
    return {
        "port": port,
        "bare": bare,
        "p50_ratio": round(port["p50_ms"] / bare["p50_ms"], 3),
        "p95_ratio": round(port["p95_ms"] / bare["p95_ms"], 3),
    }


class _Recorder:
    """Stands for the client and keeps what is asked through ``search``."""

    def __init__(self, client: Elasticsearch) -> None:
        self.sent: list[dict[str, Any]] = []
        self._client = client

    def search(self, **request: Any) -> Any:
        self.sent.append(request)
        return self._client.search(**request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def _address_and_body(url: str, request: Mapping[str, Any]) -> tuple[str, bytes]:
    body = {name: value for name, value in request.items() if name not in _IN_THE_ADDRESS}
    if "source" in body:
        body["_source"] = body.pop("source")
    address = f"{url}/{request['index']}/_search?allow_partial_search_results=false"
    return address, json.dumps(body).encode()


def _all_posted(pool: urllib3.PoolManager, bodies: Sequence[tuple[str, bytes]]) -> list[Any]:
    return [_posted(pool, *body) for body in bodies]


def _posted(pool: urllib3.PoolManager, address: str, body: bytes) -> Any:
    answer = pool.request("POST", address, body=body, headers={"content-type": "application/json"})
    if answer.status != 200:
        raise SystemExit(f"bare request: {answer.status} {answer.data[:500]!r}")
    return json.loads(answer.data)
