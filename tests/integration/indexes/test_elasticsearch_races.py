"""Writers of one picture that meet, and writes of an older one that come late."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from elasticsearch import Elasticsearch

from embedding_pipeline.domain.entries import EntryFilter
from embedding_pipeline.errors import IndexUnavailable
from embedding_pipeline.indexes.elasticsearch_catalog import ElasticsearchCatalog
from embedding_pipeline.indexes.elasticsearch_index import ElasticsearchIndex
from embedding_pipeline.ports.index import IndexCounts, WriteReport
from support.indexes_elasticsearch import elasticsearch_settings
from support.indexes_fault_proxy import Exchange, FaultProxy, fault_proxy
from support.indexes_samples import description, key, picture, unit_vectors

pytestmark = pytest.mark.elasticsearch

NDJSON = {"content-type": "application/x-ndjson", "accept": "application/json"}
WRITERS = 4
TURNS = 12
PICTURES = 3

Late = Callable[[], None]


@pytest.fixture
def proxy(elasticsearch_url: str) -> Iterator[FaultProxy]:
    """A proxy to the server."""
    with fault_proxy(elasticsearch_url) as proxy:
        yield proxy


@pytest.fixture
def catalogs(
    elasticsearch_url: str, proxy: FaultProxy
) -> Iterator[tuple[ElasticsearchCatalog, ElasticsearchCatalog]]:
    """Two ways to one active version: straight, and through the proxy."""
    with elasticsearch_settings(elasticsearch_url) as settings:
        straight = ElasticsearchCatalog(settings)
        through = ElasticsearchCatalog(settings.model_copy(update={"elasticsearch_url": proxy.url}))
        straight.activate(straight.create(description()).name)
        yield straight, through
        through.close()
        straight.close()


@pytest.fixture
def index(catalogs: tuple[ElasticsearchCatalog, ElasticsearchCatalog]) -> ElasticsearchIndex:
    """The version, straight."""
    return catalogs[0].open()


@pytest.fixture
def slow_index(catalogs: tuple[ElasticsearchCatalog, ElasticsearchCatalog]) -> ElasticsearchIndex:
    """The version through the proxy; it doesn't repeat what fails."""
    opened = catalogs[1].open()
    opened._writer._bulk._deadline_s = 0.0
    return opened


def _held_back(
    slow_index: ElasticsearchIndex, proxy: FaultProxy, server_url: str, number: int
) -> Late:
    """Put picture 1, whose bulk with this number stays on its way; calling it lets it arrive."""
    held: list[Exchange] = []

    def before(exchange: Exchange) -> None:
        if exchange.is_bulk and len(proxy.bulks) == number:
            held.append(exchange)
            exchange.forward, exchange.cut = False, True

    proxy.before = before
    with pytest.raises(IndexUnavailable):
        slow_index.put([picture(1, ["dog", "cat", "bird"])])

    def arrive() -> None:
        (exchange,) = held
        with Elasticsearch(server_url) as client:
            client.perform_request(
                exchange.method, exchange.path, headers=NDJSON, body=exchange.body
            )

    return arrive


def _found(index: ElasticsearchIndex) -> dict[str, set[str]]:
    """Object ids that a search finds, by image key."""
    index.make_searchable()
    found: dict[str, set[str]] = {}
    for one in index.nearest(unit_vectors(1)[0], limit=1000, where=EntryFilter()):
        found.setdefault(one.image_key, set()).add(one.object_id)
    return found


@pytest.mark.parametrize("known", [False, True], ids=["new picture", "known picture"])
def test_deleted_stays_deleted(
    index: ElasticsearchIndex,
    slow_index: ElasticsearchIndex,
    proxy: FaultProxy,
    elasticsearch_url: str,
    known: bool,
) -> None:
    """What an older put sent arrives after an acknowledged delete and brings nothing back."""
    if known:
        index.put([picture(1, ["cow"])])
    arrive = _held_back(slow_index, proxy, elasticsearch_url, 2)
    assert index.delete([key(1)]) == 1
    arrive()
    assert _found(index) == {}
    assert index.picture(key(1)) is None


@pytest.mark.parametrize("labels", [["cow"], ["cow"] * 6], ids=["fewer", "more"])
def test_newer_put_stays(
    index: ElasticsearchIndex,
    slow_index: ElasticsearchIndex,
    proxy: FaultProxy,
    elasticsearch_url: str,
    labels: list[str],
) -> None:
    """What an older put sent arrives after a newer one and changes nothing."""
    arrive = _held_back(slow_index, proxy, elasticsearch_url, 2)
    newer = picture(1, labels, vectors=unit_vectors(1 + len(labels), seed="newer"))
    assert index.put([newer]) == WriteReport(1)
    arrive()
    read = index.picture(key(1))
    assert read is not None
    assert read.entries == newer.entries
    assert np.array_equal(read.vectors, newer.vectors)
    assert _found(index) == {key(1): {entry.object_id for entry in newer.entries}}


@pytest.mark.parametrize("arrives", [False, True], ids=["lost", "late"])
@pytest.mark.parametrize("bulk", [1, 2, 3], ids=["claim", "others", "head"])
def test_a_put_that_was_broken_off_is_missing_or_whole(
    index: ElasticsearchIndex,
    slow_index: ElasticsearchIndex,
    proxy: FaultProxy,
    elasticsearch_url: str,
    bulk: int,
    arrives: bool,
) -> None:
    """Nobody takes a part of a new picture for the picture; the next put makes it whole."""
    arrive = _held_back(slow_index, proxy, elasticsearch_url, bulk)
    if arrives:
        arrive()
    whole = bulk == 3 and arrives
    index.make_searchable()
    assert (index.picture(key(1)) is not None) == whole
    assert [one.image_key for one in index.pictures()] == [key(1)] * whole
    assert index.count().pictures == whole
    assert set(index.picture_vectors([key(1)])) == ({key(1)} if whole else set())
    assert (index.object(picture(1).entries[0].object_id) is not None) == whole
    made = picture(1, ["cow"])
    assert index.put([made]) == WriteReport(1)
    read = index.picture(key(1))
    assert read is not None
    assert read.entries == made.entries
    assert _found(index) == {key(1): {entry.object_id for entry in made.entries}}
    assert index.count() == IndexCounts(1, 1)
    assert index.delete([key(1)]) == 1
    assert _found(index) == {}


@pytest.mark.parametrize("bulk", [1, 2, 3], ids=["claim", "others", "head"])
def test_a_delete_that_was_broken_off_leaves_no_half(
    index: ElasticsearchIndex, slow_index: ElasticsearchIndex, proxy: FaultProxy, bulk: int
) -> None:
    """The picture is whole or missing; the next delete removes it, the next put brings it back."""
    made = picture(1, ["dog", "cat"])
    index.put([made])

    def before(exchange: Exchange) -> None:
        if exchange.is_bulk and len(proxy.bulks) == bulk:
            exchange.forward, exchange.cut = False, True

    proxy.before = before
    with pytest.raises(IndexUnavailable):
        slow_index.delete([key(1)])
    index.make_searchable()
    whole = bulk == 1
    assert (index.picture(key(1)) is not None) == whole
    assert [one.image_key for one in index.pictures()] == [key(1)] * whole
    assert index.put([made]) == WriteReport(1)
    assert _found(index) == {key(1): {entry.object_id for entry in made.entries}}
    assert index.delete([key(1)]) == 1
    assert _found(index) == {}


def test_deleted_may_come_back(index: ElasticsearchIndex) -> None:
    """A put after a delete writes the picture again, whole, time after time."""
    for labels in (["dog", "cat"], ["dog"], ["dog", "cat", "bird"]):
        made = picture(1, labels)
        assert index.put([made]) == WriteReport(1)
        read = index.picture(key(1))
        assert read is not None
        assert read.entries == made.entries
        assert index.delete([key(1)]) == 1
        assert _found(index) == {}


def test_puts_and_deletes_at_once(index: ElasticsearchIndex) -> None:
    """Whatever order writers met in, what is found is exactly what the pictures have."""
    keys = [key(number) for number in range(PICTURES)]

    def write(writer: int) -> None:
        generator = np.random.default_rng(writer)
        for _ in range(TURNS):
            number = int(generator.integers(PICTURES))
            if generator.random() < 0.4:
                index.delete([key(number)])
            else:
                labels = ["dog"] * int(generator.integers(1, 8))
                assert index.put([picture(number, labels)]) == WriteReport(1)

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    there = {
        name: {entry.object_id for entry in read.entries}
        for name in keys
        if (read := index.picture(name)) is not None
    }
    assert _found(index) == there
    index.delete(keys)
    assert _found(index) == {}
    assert index.count() == IndexCounts(0, 0)
