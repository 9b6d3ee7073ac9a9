"""Elasticsearch that refuses, breaks off, fills up or was changed behind our back."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from elasticsearch import Elasticsearch

from embedding_pipeline.domain.entries import EntryFilter
from embedding_pipeline.errors import (
    DescriptionMismatch,
    IndexDenied,
    IndexError_,
    IndexFormatMismatch,
    IndexFull,
    IndexNotFound,
    IndexUnavailable,
)
from embedding_pipeline.indexes import elasticsearch_index
from embedding_pipeline.indexes.elasticsearch_catalog import ElasticsearchCatalog
from embedding_pipeline.indexes.elasticsearch_index import ElasticsearchIndex
from embedding_pipeline.ports.index import IndexCounts, WriteReport
from embedding_pipeline.settings import Settings
from support.indexes_elasticsearch import elasticsearch_settings
from support.indexes_fault_proxy import Exchange, FaultProxy, bulk_ids, fault_proxy
from support.indexes_samples import description, fill, key, picture, unit_vectors

pytestmark = pytest.mark.elasticsearch
ALL = EntryFilter()


@pytest.fixture
def settings(elasticsearch_url: str) -> Iterator[Settings]:
    """Settings that lead straight to the server."""
    with elasticsearch_settings(elasticsearch_url) as settings:
        yield settings


@pytest.fixture
def server(elasticsearch_url: str) -> Iterator[Elasticsearch]:
    """A bare client, to do to the server what an administrator could."""
    with Elasticsearch(elasticsearch_url, request_timeout=60) as client:
        yield client


@pytest.fixture
def catalog(settings: Settings) -> Iterator[ElasticsearchCatalog]:
    """Catalog with one active version that holds one picture."""
    catalog = ElasticsearchCatalog(settings)
    catalog.activate(catalog.create(description()).name)
    fill(catalog.open(), [picture("old")])
    yield catalog
    catalog.close()


@pytest.fixture
def proxy(elasticsearch_url: str) -> Iterator[FaultProxy]:
    """A proxy to the server."""
    with fault_proxy(elasticsearch_url) as proxy:
        yield proxy


@pytest.fixture
def index(
    catalog: ElasticsearchCatalog, settings: Settings, proxy: FaultProxy
) -> Iterator[ElasticsearchIndex]:
    """The active version, opened through the proxy."""
    through = ElasticsearchCatalog(settings.model_copy(update={"elasticsearch_url": proxy.url}))
    yield through.open()
    through.close()


def _refuse_items(times: int, status: int) -> object:
    """Fault: every third item of the first bulks is refused, the others are written."""
    left = [times]

    def before(exchange: Exchange) -> None:
        if not exchange.is_bulk or not left[0]:
            return
        left[0] -= 1
        lines = exchange.body.splitlines(keepends=True)
        pairs = [lines[i : i + 2] for i in range(0, len(lines), 2)]
        exchange.body = b"".join(b"".join(p) for i, p in enumerate(pairs) if i % 3)

    def after(exchange: Exchange) -> None:
        if not exchange.is_bulk:
            return
        asked, answer = bulk_ids(proxy_body[id(exchange)]), json.loads(exchange.answer)
        done = {next(iter(item.values()))["_id"]: item for item in answer["items"]}
        refused = {"type": "es_rejected_execution_exception", "reason": "full"}
        answer["items"] = [
            done.get(name, {"index": {"_id": name, "status": status, "error": refused}})
            for name in asked
        ]
        exchange.answer = json.dumps(answer).encode()

    proxy_body: dict[int, Exchange] = {}

    def remember(exchange: Exchange) -> None:
        proxy_body[id(exchange)] = Exchange(exchange.method, exchange.path, exchange.body)
        before(exchange)

    return remember, after


@pytest.mark.parametrize("status", [429, 503])
def test_refused_items_alone_are_sent_again(
    index: ElasticsearchIndex, proxy: FaultProxy, status: int
) -> None:
    """After a partial refusal only the refused items are repeated, and everything is written."""
    proxy.before, proxy.after = _refuse_items(1, status)  # type: ignore[misc]
    pictures = [picture(i) for i in range(4)]
    assert index.put(pictures) == WriteReport(4)
    heads = [made.entries[0].object_id for made in pictures]
    assert bulk_ids(proxy.bulks[1]) == heads[::3]
    index.make_searchable()
    assert index.count() == IndexCounts(5, 10)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(429, "circuit_breaking_exception"), (503, "unavailable_shards_exception")],
)
def test_refused_bulk_is_sent_again(
    index: ElasticsearchIndex, proxy: FaultProxy, status: int, kind: str
) -> None:
    """A bulk that is refused as a whole is repeated."""
    left = [2]

    def before(exchange: Exchange) -> None:
        if exchange.is_bulk and left[0]:
            left[0] -= 1
            exchange.refuse(status, kind)

    proxy.before = before
    assert index.put([picture(1)]) == WriteReport(1)
    assert len(proxy.bulks) == 2 + 3, "twice refused, then claim, others and head"
    assert index.picture(key(1)) is not None


def test_lost_answer_of_a_bulk_does_no_harm(index: ElasticsearchIndex, proxy: FaultProxy) -> None:
    """A connection that breaks after the server has written leaves the picture once and whole."""
    left = [1]

    def after(exchange: Exchange) -> None:
        if exchange.is_bulk and left[0]:
            left[0] -= 1
            exchange.cut = True

    proxy.after = after
    assert index.put([picture(1), picture("old", ["new"])]) == WriteReport(2)
    for made in (picture(1), picture("old", ["new"])):
        read = index.picture(made.image_key)
        assert read is not None
        assert read.entries == made.entries
    index.make_searchable()
    assert index.count() == IndexCounts(2, 3)


def test_server_that_stays_busy_is_reported_by_picture(
    index: ElasticsearchIndex, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the deadline put raises IndexUnavailable; nothing is claimed to be written."""
    index._writer._bulk._deadline_s = 0.3

    def before(exchange: Exchange) -> None:
        if exchange.is_bulk:
            exchange.refuse(429, "es_rejected_execution_exception")

    proxy.before = before
    with pytest.raises(IndexUnavailable):
        index.put([picture(1)])
    proxy.before = lambda exchange: None
    assert index.put([picture(1)]) == WriteReport(1)
    assert elasticsearch_index.RETRY_DEADLINE_S <= 60


@pytest.mark.parametrize("status", [401, 403])
def test_denied(index: ElasticsearchIndex, proxy: FaultProxy, status: int) -> None:
    """Wrong credentials are IndexDenied from searches and writes alike."""
    proxy.before = lambda exchange: exchange.refuse(status, "security_exception")
    for call in (index.count, index.check, lambda: index.put([picture(1)])):
        with pytest.raises(IndexDenied):
            call()


def test_search_recovers_by_itself(index: ElasticsearchIndex, proxy: FaultProxy) -> None:
    """While the server is away every call is IndexUnavailable; afterwards the same handle works."""

    def cut(exchange: Exchange) -> None:
        exchange.forward, exchange.cut = False, True

    proxy.before = cut
    query = unit_vectors(1)[0]
    for call in (index.check, lambda: index.nearest(query, limit=1, where=ALL)):
        with pytest.raises(IndexUnavailable):
            call()
    proxy.before = lambda exchange: None
    assert len(index.nearest(query, limit=3, where=ALL)) == 3


def test_nothing_listens(settings: Settings) -> None:
    """A server that isn't there is IndexUnavailable, naming the address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    catalog = ElasticsearchCatalog(settings.model_copy(update={"elasticsearch_url": url}))
    with pytest.raises(IndexUnavailable, match=url):
        catalog.versions()
    catalog.close()


def test_full_disk(
    catalog: ElasticsearchCatalog, settings: Settings, server: Elasticsearch
) -> None:
    """Behind the flood stage's block writes are IndexFull, searches work, and it recovers."""
    index = catalog.open()
    block = "index.blocks.read_only_allow_delete"
    server.indices.put_settings(index=settings.elasticsearch_index, settings={block: True})
    with pytest.raises(IndexFull, match="Free disk space"):
        index.put([picture(1)])
    assert len(index.nearest(unit_vectors(1)[0], limit=9, where=ALL)) == 3
    server.indices.put_settings(index=settings.elasticsearch_index, settings={block: None})
    assert index.put([picture(1)]) == WriteReport(1)


def test_index_deleted(catalog: ElasticsearchCatalog, server: Elasticsearch) -> None:
    """A write to an index that was deleted is IndexNotFound and makes no new index."""
    index = catalog.open()
    server.indices.delete(index=index.version.name)
    for call in (index.count, index.check, lambda: index.put([picture(1)])):
        with pytest.raises(IndexNotFound):
            call()
    assert catalog.versions() == []
    with pytest.raises(IndexNotFound):
        catalog.open()


def test_alias_missing(
    catalog: ElasticsearchCatalog, settings: Settings, server: Elasticsearch
) -> None:
    """Without the alias nothing is active; the error names it and what is there."""
    version = catalog.active()
    assert version is not None
    server.indices.delete_alias(index=version.name, name=settings.elasticsearch_index)
    assert catalog.active() is None
    with pytest.raises(IndexNotFound, match=version.name):
        catalog.open()
    catalog.activate(version.name)
    assert catalog.open().count() == IndexCounts(1, 2)


def _made_by_hand(settings: Settings, server: Elasticsearch, meta: object, dims: int) -> None:
    features = {"type": "dense_vector", "dims": dims, "index": True, "similarity": "dot_product"}
    server.indices.create(
        index=f"{settings.elasticsearch_index}-000001",
        mappings={"_meta": {"boxseek": meta}, "properties": {"features": features}},
    )


def test_mapping_of_another_model(settings: Settings, server: Elasticsearch) -> None:
    """A mapping whose vectors don't fit its description is refused with both named."""
    meta = {
        "format": 1,
        "description": description(16).to_json(),
        "alias": "x",
        "index_type": "hnsw",
        "created_at": "2026-01-01T00:00:00+00:00",
    }
    _made_by_hand(settings, server, meta, dims=32)
    catalog = ElasticsearchCatalog(settings)
    with pytest.raises(DescriptionMismatch) as caught:
        catalog.versions()
    assert (caught.value.details["expected"], caught.value.details["actual"]) == (
        [16, "dot_product"],
        [32, "dot_product"],
    )
    catalog.close()


@pytest.mark.parametrize("meta", [{"format": 0}, {}], ids=["older", "none"])
def test_index_of_another_format(settings: Settings, server: Elasticsearch, meta: object) -> None:
    """An index without our format is refused with its name."""
    _made_by_hand(settings, server, meta, dims=16)
    catalog = ElasticsearchCatalog(settings)
    with pytest.raises(IndexFormatMismatch, match="000001"):
        catalog.versions()
    catalog.close()


def test_refresh_is_off_only_while_a_version_is_filled(
    settings: Settings, server: Elasticsearch
) -> None:
    """A new version doesn't refresh by itself; activation turns it on, and so does opening."""
    catalog = ElasticsearchCatalog(settings)
    name = catalog.create(description()).name

    def interval() -> str:
        found = server.indices.get_settings(index=name)[name]["settings"]["index"]
        return str(found["refresh_interval"])

    assert interval() == "-1"
    catalog.activate(name)
    assert interval() == "1000ms"
    server.indices.put_settings(index=name, settings={"index": {"refresh_interval": "-1"}})
    catalog.open()
    assert interval() == "1000ms"
    catalog.close()


def test_one_bad_document_fails_alone(catalog: ElasticsearchCatalog) -> None:
    """What the mapping refuses is reported by picture, and the others are written."""
    index = catalog.open()
    bad = picture(1, metadata={"null\0byte": 1})
    report = index.put([bad, picture(2)])
    assert report.pictures == 1
    assert [(f.key, f.stage, f.retryable) for f in report.failures] == [(key(1), "index", False)]
    assert index.picture(key(2)) is not None


def test_no_vendor_error_leaks(catalog: ElasticsearchCatalog, server: Elasticsearch) -> None:
    """Errors that have no class of their own are still IndexError_."""
    index = catalog.open()
    server.indices.close(index=index.version.name)
    with pytest.raises(IndexError_):
        index.count()
    with pytest.raises(IndexError_):
        index.put([picture(1)])
