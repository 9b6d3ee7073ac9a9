"""The indexes that the benchmark compares: made, kept, found again, weighed."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from elasticsearch import Elasticsearch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from index_data import DIMENSION

from embedding_pipeline.domain.entries import PictureEntries
from embedding_pipeline.indexes.elasticsearch_catalog import ElasticsearchCatalog
from embedding_pipeline.indexes.lancedb_catalog import LanceDbCatalog
from embedding_pipeline.ports.index import IndexCatalog, ObjectIndex
from embedding_pipeline.settings import Settings
from support.indexes_samples import description

PICTURES_A_PUT = 500
PATIENT_S = 4 * 3600.0
QUICK_FILES = {"hnsw": ("vec", "vex"), "int8_hnsw": ("veq", "vex"), "bbq_hnsw": ("veb", "vex")}
"""Lucene's files that a search walks through: vectors as quantized, and the graph.

Elasticsearch 8.19 has no off-heap figures in its statistics (9.1 has: they are these files' sizes).
"""


@dataclass(frozen=True)
class Weight:
    """What an index takes.

    Args:
        disk_bytes: all files.
        quick_bytes: what a search walks through and should find in memory; None if unknown.
        segments: parts that a search asks one after another.
    """

    disk_bytes: int
    quick_bytes: int | None
    segments: int | None


@dataclass(frozen=True)
class Filling:
    """How an index was filled.

    Args:
        docs_per_s: entries a second until the last put returned.
        merge_s: seconds of optimize.
        server_cpu_ms: of the server's processor for each entry, merge included.
        client_cpu_ms: of this process for each entry, drawing the vectors not counted.
    """

    docs_per_s: float
    merge_s: float
    server_cpu_ms: float | None
    client_cpu_ms: float


class Backend(Protocol):
    """An index that can be filled and asked."""

    name: str

    def make(self) -> ObjectIndex:
        """Make it empty."""

    def found(self) -> ObjectIndex | None:
        """What an earlier run kept."""

    def weight(self) -> Weight:
        """Weigh it."""

    def server_cpu_s(self) -> float | None:
        """Processor seconds of its server so far."""

    def remove(self) -> None:
        """Delete it."""

    def close(self) -> None:
        """Free connections."""


class ElasticsearchBackend:
    """One vector index type in Elasticsearch.

    Args:
        url: of a node that nothing else uses.
        name: prefix of its indices.
        index_type: hnsw, int8_hnsw or bbq_hnsw.
        m: neighbours of a vector.
        ef_construction: candidates for them.
    """

    def __init__(self, url: str, name: str, index_type: str, m: int, ef_construction: int) -> None:
        self.name = index_type
        self.prefix = f"bench-{name}-{index_type}-m{m}-ef{ef_construction}"
        self._index_type = index_type
        self.settings = Settings(
            index="elasticsearch",
            elasticsearch_url=url,
            elasticsearch_index=self.prefix,
            elasticsearch_index_type=index_type,
            elasticsearch_m=m,
            elasticsearch_ef_construction=ef_construction,
            elasticsearch_timeout_s=600.0,
        )
        self._catalog = ElasticsearchCatalog(self.settings)
        self._client = Elasticsearch(url, request_timeout=PATIENT_S)

    def make(self) -> ObjectIndex:
        """See Backend; refreshes come only once it is active, as while an index is rebuilt."""
        self.remove()
        index = _filled_hidden(self._catalog)
        # Segments below 1 GB would be one compound file each, whose parts have no sizes.
        self._client.indices.put_settings(
            index=f"{self.prefix}-*", settings={"index": {"compound_format": False}}
        )
        return index

    def found(self) -> ObjectIndex | None:
        """See Backend."""
        return self._catalog.open() if self._catalog.active() else None

    def activate(self) -> ObjectIndex:
        """Put the one version behind the alias."""
        self._catalog.activate(self._catalog.versions()[-1].name)
        return self._catalog.open()

    def weight(self) -> Weight:
        """See Backend."""
        # Merged segments stay on disk until the next commit.
        self._client.indices.flush(index=f"{self.prefix}-*")
        stats = self._client.indices.stats(
            index=f"{self.prefix}-*", metric=["store", "segments"], include_segment_file_sizes=True
        )["_all"]["primaries"]
        files = stats["segments"]["file_sizes"]
        quick = [files.get(name, {}).get("size_in_bytes") for name in QUICK_FILES[self._index_type]]
        return Weight(
            disk_bytes=stats["store"]["size_in_bytes"],
            quick_bytes=None if "cfs" in files or None in quick else sum(quick),
            segments=stats["segments"]["count"],
        )

    def server_cpu_s(self) -> float | None:
        """See Backend; the server looks once a second at most."""
        time.sleep(1.1)
        nodes = self._client.nodes.stats(metric="process")["nodes"].values()
        return float(sum(node["process"]["cpu"]["total_in_millis"] for node in nodes)) / 1000

    def remove(self) -> None:
        """See Backend."""
        for name in self._client.indices.get(index=f"{self.prefix}-*"):
            self._client.indices.delete(index=name)

    def close(self) -> None:
        """See Backend."""
        self._catalog.close()
        self._client.close()


class LanceDbBackend:
    """The embedded index.

    Args:
        folder: where it lies.
    """

    def __init__(self, folder: Path) -> None:
        self.name = "lancedb"
        self._folder = folder
        self._stack = ExitStack()

    def make(self) -> ObjectIndex:
        """See Backend."""
        self.remove()
        return self._opened(_filled_hidden(LanceDbCatalog(self._folder)))

    def found(self) -> ObjectIndex | None:
        """See Backend."""
        catalog = LanceDbCatalog(self._folder)
        return self._opened(catalog.open()) if catalog.active() else None

    def activate(self) -> ObjectIndex:
        """Make the one version the active one."""
        catalog = LanceDbCatalog(self._folder)
        catalog.activate(catalog.versions()[-1].name)
        return self._opened(catalog.open())

    def weight(self) -> Weight:
        """See Backend; how much of it a search keeps in memory isn't told."""
        files = [path for path in self._folder.rglob("*") if path.is_file()]
        return Weight(sum(path.stat().st_size for path in files), None, None)

    def server_cpu_s(self) -> float | None:
        """It has no server."""
        return None

    def remove(self) -> None:
        """See Backend."""
        self._stack.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def close(self) -> None:
        """See Backend."""
        self._stack.close()

    def _opened(self, index: ObjectIndex) -> ObjectIndex:
        self._stack.callback(index.close)
        return index


def fill(
    backend: ElasticsearchBackend | LanceDbBackend,
    blocks: Iterator[list[PictureEntries]],
    *,
    writers: int = 1,
) -> tuple[ObjectIndex, Filling]:
    """Put pictures as the product does, then optimize; time to draw vectors doesn't count."""
    index = backend.make()
    server_s = backend.server_cpu_s()
    entries, put_s, client_s = 0, 0.0, 0.0
    with ThreadPoolExecutor(writers) as pool:
        for block in blocks:
            started, cpu = time.perf_counter(), time.process_time()
            parts = [
                block[start : start + PICTURES_A_PUT]
                for start in range(0, len(block), PICTURES_A_PUT)
            ]
            for report in pool.map(index.put, parts):
                if report.failures:
                    raise SystemExit(f"{backend.name}: {report.failures[0]}")
            put_s += time.perf_counter() - started
            client_s += time.process_time() - cpu
            entries += sum(len(picture.entries) for picture in block)
            _say(f"{backend.name}: {entries} entries, {entries / put_s:.0f}/s")
    index = backend.activate()
    started = time.perf_counter()
    index.optimize()
    merge_s = time.perf_counter() - started
    _say(f"{backend.name}: merged in {merge_s:.0f} s")
    after_s = backend.server_cpu_s()
    used = None if server_s is None or after_s is None else 1000 * (after_s - server_s) / entries
    return index, Filling(entries / put_s, merge_s, used, 1000 * client_s / entries)


def server_facts(url: str) -> dict[str, Any]:
    """Version and heap of the nodes."""
    with Elasticsearch(url) as client:
        nodes = client.nodes.info(metric="jvm")["nodes"].values()
        return {
            "versions": sorted({node["version"] for node in nodes}),
            "heap_bytes": [node["jvm"]["mem"]["heap_max_in_bytes"] for node in nodes],
        }


def _filled_hidden(catalog: IndexCatalog) -> ObjectIndex:
    return catalog.open(catalog.create(description(DIMENSION)).name)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
