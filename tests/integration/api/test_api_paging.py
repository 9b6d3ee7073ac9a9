"""Paging through 600 pictures of a larger index while pictures come and go."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from fastapi.testclient import TestClient

from embedding_pipeline.bootstrap import Boxseek
from support import indexes_samples
from support.api_app import opened, search

PICTURES = 700


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Boxseek, TestClient]]:
    """700 pictures, and one whose hundred entries are all close to one another."""
    with opened(tmp_path_factory.mktemp("paging")) as (boxseek, client):
        crowd = np.repeat(indexes_samples.unit_vectors(1, seed="crowd"), 101, axis=0)
        pictures = [indexes_samples.picture(n, vectors=None) for n in range(PICTURES)]
        indexes_samples.fill(
            boxseek.index(),
            [*pictures, indexes_samples.picture("crowd", ["dog"] * 100, vectors=crowd)],
        )
        yield boxseek, client


def test_600_pictures_can_be_paged_without_repeats_or_skips(
    app: tuple[Boxseek, TestClient],
) -> None:
    """Deleted ones drop out, added ones stay out, scores never rise, facets stay."""
    boxseek, client = app
    asked = f"{indexes_samples.key('crowd')}-001"
    answer = search(client, object_id=asked, limit=100, label_weight=0)
    assert answer["hits"][0]["image_key"] == indexes_samples.key("crowd")
    assert len(answer["hits"][0]["matches"]) == 101
    facets, hits = answer["facets"], list(answer["hits"])
    assert facets == {"dog": 600, "cat": 599}
    gone: set[str] = set()
    page = 0
    while answer["next_cursor"]:
        page += 1
        doomed = indexes_samples.key(page)
        if doomed not in {hit["image_key"] for hit in hits}:
            gone.add(doomed)
            boxseek.index().delete([doomed])
        boxseek.index().put([indexes_samples.picture(f"new {page}")])
        boxseek.index().make_searchable()
        answer = search(client, cursor=answer["next_cursor"])
        assert answer["facets"] == facets
        hits += answer["hits"]
    keys = [hit["image_key"] for hit in hits]
    assert len(keys) == len(set(keys))
    assert 600 - len(gone) <= len(keys) <= 600
    assert not gone & set(keys)
    scores = [hit["score"] for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert all(len(hit["matches"]) == 3 for hit in hits[1:])


def test_the_same_cursor_gives_the_same_page(app: tuple[Boxseek, TestClient]) -> None:
    """Going back and forward in a browser asks for pages again."""
    _, client = app
    cursor = search(client, object_id=f"{indexes_samples.key('crowd')}-001")["next_cursor"]
    pages = [search(client, cursor=cursor)["hits"] for _ in range(2)]
    assert pages[0] == pages[1]
