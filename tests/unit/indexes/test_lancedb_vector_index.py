"""A table that is large enough for a vector index: found are the nearest, as without one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from embedding_pipeline.domain.entries import EntryFilter
from embedding_pipeline.indexes import lancedb_vectors
from embedding_pipeline.indexes.lancedb_catalog import LanceDbCatalog
from embedding_pipeline.indexes.lancedb_index import LanceDbIndex
from embedding_pipeline.indexes.lancedb_memory import Holding
from embedding_pipeline.indexes.lancedb_tidying import VECTOR_INDEX_FROM_ROWS
from embedding_pipeline.indexes.lancedb_vectors import VECTOR_INDEX
from support.indexes_samples import DIMENSION, description
from support.indexes_vectors import LatentVectors, pictures_of

QUERIES = 5


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    """The queries, then what is indexed; the last two pictures are as the first two."""
    drawn = LatentVectors(DIMENSION).draw(QUERIES + VECTOR_INDEX_FROM_ROWS + 500)
    drawn[-10:] = drawn[QUERIES : QUERIES + 10]
    return drawn


@pytest.fixture(scope="module")
def index(vectors: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanceDbIndex]:
    """Indexed but for the last 500, which came after tidying; never held in memory."""
    catalog = LanceDbCatalog(tmp_path_factory.mktemp("index"), holding=Holding(most_bytes=0))
    opened = catalog.open(catalog.create(description()).name)
    pictures = list(pictures_of(vectors[QUERIES:]))
    opened.put(pictures[:-100])
    opened.optimize()
    opened.put(pictures[-100:])
    yield opened
    opened.close()


def _ids(vectors: np.ndarray) -> list[str]:
    return [entry.object_id for one in pictures_of(vectors[QUERIES:]) for entry in one.entries]


@pytest.mark.parametrize("limit", [1, 10, 700])
def test_the_nearest_are_found_and_ties_ordered_by_id(
    index: LanceDbIndex, vectors: np.ndarray, limit: int
) -> None:
    """Those of a full comparison, whether they are in the vector index yet or not."""
    assert VECTOR_INDEX in {one.name for one in index._table.list_indices()}
    ids = _ids(vectors)
    for query in (*vectors[:QUERIES], vectors[QUERIES], vectors[QUERIES + 7]):
        scores = np.round((vectors[QUERIES:] @ query).astype(np.float64), 6)
        expected = sorted(zip(-scores, ids, strict=True))[:limit]
        found = index.nearest(query, limit=limit, where=EntryFilter())
        assert [one.score for one in found] == pytest.approx([-s for s, _ in expected], abs=2e-6)
        assert {one.object_id for one in found[: limit - 1]} <= {name for _, name in expected}
        assert found == sorted(found, key=lambda one: (-one.score, one.object_id))


def test_beyond_a_size_half_of_it_is_looked_at_unless_more_is_needed(
    index: LanceDbIndex, vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most of the ten nearest are there; who wants nearly everything gets it all the same."""
    monkeypatch.setattr(lancedb_vectors, "EXACT_UP_TO_ROWS", 1000)
    every = len(vectors) - QUERIES
    found = index.nearest(vectors[0], limit=every, where=EntryFilter())
    assert len({one.object_id for one in found}) == every
    exact = {one.object_id for one in found[:10]}
    some = index.nearest(vectors[0], limit=10, where=EntryFilter())
    assert len(exact & {one.object_id for one in some}) >= 7


def test_an_index_of_an_earlier_kind_is_made_anew(tmp_path: Path) -> None:
    """Earlier versions of Boxseek built a graph, which has no parts to look into."""
    from lancedb.index import HnswSq  # noqa: PLC0415 - only here

    catalog = LanceDbCatalog(tmp_path, holding=Holding(most_bytes=0))
    opened = catalog.open(catalog.create(description()).name)
    opened.put(list(pictures_of(LatentVectors(DIMENSION).draw(VECTOR_INDEX_FROM_ROWS))))
    opened._table.create_index("vector", config=HnswSq("dot"), name=VECTOR_INDEX)
    opened.optimize()
    kinds = {one.name: one.index_type for one in opened._table.list_indices()}
    assert kinds[VECTOR_INDEX] == "IvfFlat"
    opened.close()
