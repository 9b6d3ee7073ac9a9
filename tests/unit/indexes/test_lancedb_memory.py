"""When a table is held in memory, and that it answers as the table does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest

from embedding_pipeline.domain.entries import EntryFilter, LabelPreference
from embedding_pipeline.errors import IndexError_
from embedding_pipeline.indexes import lancedb_held_table
from embedding_pipeline.indexes.lancedb_catalog import LanceDbCatalog
from embedding_pipeline.indexes.lancedb_index import LanceDbIndex
from embedding_pipeline.indexes.lancedb_memory import Holding, Memory
from embedding_pipeline.indexes.lancedb_tidying import COMMITS_BEFORE_TIDYING
from support.indexes_samples import DIMENSION, description, key, picture, unit_vectors

ALL = EntryFilter()
REST_S = 0.2
AT_REST = Holding(quiet_s=REST_S)
AT_ONCE = Holding(quiet_s=0.0)
NEVER = Holding(most_bytes=0)


def _opened(folder: Path, holding: Holding) -> LanceDbIndex:
    catalog = LanceDbCatalog(folder, holding=holding)
    if catalog.active() is None:
        catalog.activate(catalog.create(description()).name)
    return catalog.open()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[LanceDbIndex]:
    """Two pictures, held as soon as nothing changed for a moment."""
    opened = _opened(tmp_path, AT_REST)
    opened.put([picture(1), picture(2)])
    yield opened
    opened.close()


def _is_held(index: LanceDbIndex) -> bool:
    index.nearest(unit_vectors(1)[0], limit=1, where=ALL)
    return index._memory.entries() is not None


def _wait_until_held(index: LanceDbIndex) -> None:
    until = time.monotonic() + 20
    while not _is_held(index):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_table_at_rest_is_held_and_follows_its_own_writes(index: LanceDbIndex) -> None:
    """Not at the first question; a write through the same index keeps it held."""
    assert not _is_held(index)
    _wait_until_held(index)
    index.put([picture(3)])
    assert _is_held(index)
    [best] = index.nearest(picture(3).vectors[1], limit=1, where=ALL)
    assert best.object_id == f"{key(3)}-001"
    index.delete([key(3)])
    assert _is_held(index)
    [best] = index.nearest(picture(3).vectors[1], limit=1, where=ALL)
    assert best.image_key != key(3)


@pytest.mark.parametrize("most_recent", [0, 9, 4000])
def test_own_writes_leave_what_the_table_has(
    most_recent: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures put, put again with fewer objects and deleted, in turns: read once, never stale.

    However often what was written goes into the large block.
    """
    monkeypatch.setattr(lancedb_held_table, "MOST_RECENT", most_recent)
    held, table = _opened(tmp_path, AT_REST), _opened(tmp_path, NEVER)
    held.put([picture(n) for n in range(20)])
    _wait_until_held(held)
    rng = np.random.default_rng(7)
    query = unit_vectors(1, seed="query")[0]
    for turn in range(30):
        some = rng.choice(40, 3, replace=False).tolist()
        if turn % 3 == 2:
            held.delete([key(n) for n in some])
        else:
            held.put([picture(n, ("dog", "cat", "bird")[: int(rng.integers(4))]) for n in some])
        assert _is_held(held)
        for limit, where, prefer in (
            (500, ALL, None),
            (7, ALL, LabelPreference("dog", 0.3)),
            (5, EntryFilter(labels=("cat",)), None),
            (5, EntryFilter(min_confidence=0.5), None),
        ):
            ours, theirs = (
                one.nearest(query, limit=limit, where=where, prefer=prefer) for one in (held, table)
            )
            assert [one.object_id for one in ours] == [one.object_id for one in theirs]
        keys = [key(n) for n in range(40)]
        mine, its = (one.score(query, image_keys=keys, where=ALL) for one in (held, table))
        assert [one.entry for one in mine] == [one.entry for one in its]
        assert held.labelled_pictures(keys, where=ALL) == table.labelled_pictures(keys, where=ALL)
        vectors = held.picture_vectors(keys)
        assert vectors.keys() == table.picture_vectors(keys).keys()
    held.close()
    table.close()


def test_a_write_under_way_leaves_the_state_before(
    index: LanceDbIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its commit and its end what is held answers, not the table; a failed one too."""
    _wait_until_held(index)
    during: list[bool] = []
    followed = Memory.wrote

    def looking(memory: Memory, before: int, keys: list[str], rows: object) -> None:
        during.append(_is_held(index))
        found = index.nearest(picture(9).vectors[0], limit=100, where=ALL)
        during.append(key(9) not in {one.image_key for one in found})
        followed(memory, before, keys, rows)
        if len(during) > 2:
            raise RuntimeError("after the commit")

    monkeypatch.setattr(Memory, "wrote", looking)
    index.put([picture(9)])
    assert during == [True, True]
    found = index.nearest(picture(9).vectors[0], limit=100, where=ALL)
    assert key(9) in {one.image_key for one in found}
    with suppress(IndexError_):
        index.delete([key(9)])
    found = index.nearest(picture(9).vectors[0], limit=100, where=ALL)
    assert key(9) not in {one.image_key for one in found}


def test_tidying_leaves_a_held_table_held(index: LanceDbIndex) -> None:
    """On request and after many writes: the same entries, and read only once."""
    _wait_until_held(index)
    entries = index._memory.entries()
    index.optimize()
    assert index._memory.entries() is entries
    version = int(index._table.version)
    for turn in range(COMMITS_BEFORE_TIDYING):
        index.put([picture(3 + turn % 5)])
        assert _is_held(index)
    index._tidying.close()
    assert int(index._table.version) > version + COMMITS_BEFORE_TIDYING
    assert _is_held(index)
    [best] = index.nearest(picture(7).vectors[1], limit=1, where=ALL)
    assert best.object_id == f"{key(7)}-001"


def test_a_write_before_tidying_by_another_process_is_seen(
    index: LanceDbIndex, tmp_path: Path
) -> None:
    """What it deleted is not held on to because tidying by itself changes nothing."""
    _wait_until_held(index)
    other = _opened(tmp_path, NEVER)
    other.delete([key(1)])
    other.optimize()
    other.close()
    index.optimize()
    assert not _is_held(index)
    found = index.nearest(picture(1).vectors[0], limit=10, where=ALL)
    assert {one.image_key for one in found} == {key(2)}


def test_what_another_handle_writes_is_seen(index: LanceDbIndex, tmp_path: Path) -> None:
    """Held entries are those of the newest state, whoever wrote it."""
    _wait_until_held(index)
    other = _opened(tmp_path, NEVER)
    other.delete([key(1)])
    other.close()
    assert not _is_held(index)
    found = index.nearest(picture(1).vectors[0], limit=10, where=ALL)
    assert {one.image_key for one in found} == {key(2)}


def test_a_large_table_stays_where_it_is(index: LanceDbIndex, tmp_path: Path) -> None:
    """Beyond the bytes nothing is read, however long it rests."""
    rows = sum(astuple(index.count()))
    most = Holding(quiet_s=0.0, most_bytes=rows * 4 * DIMENSION)
    assert _is_held(_opened(tmp_path, most))
    assert not _is_held(_opened(tmp_path, replace(most, most_bytes=most.most_bytes - 1)))
    assert not _is_held(_opened(tmp_path, replace(most, most_bytes=0)))


def test_equal_vectors_have_equal_scores_wherever_they_lie(tmp_path: Path) -> None:
    """Hundreds of copies among others: one score, in the order of their ids."""
    held = _opened(tmp_path, AT_ONCE)
    query = unit_vectors(1, seed="query")[0]
    copy = unit_vectors(1, seed="copy")
    held.put(
        [
            picture(n, ("cat",), vectors=np.concatenate((unit_vectors(1, seed=n), copy)))
            for n in range(300)
        ]
    )
    found = held.nearest(query, limit=1000, where=EntryFilter(kinds=("object",)))
    assert len(found) == 300
    assert len({one.score for one in found}) == 1
    assert [one.object_id for one in found] == sorted(one.object_id for one in found)
    held.close()


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(ALL, id="all"),
        pytest.param(EntryFilter(labels=("cat",)), id="label"),
        pytest.param(EntryFilter(kinds=("image",)), id="kind"),
        pytest.param(EntryFilter(collections=("even",)), id="collection"),
        pytest.param(EntryFilter(labels=("cat",), min_confidence=0.8), id="confidence"),
    ],
)
@pytest.mark.parametrize("prefer", [None, LabelPreference("dog", 0.3)], ids=["looks", "label"])
def test_memory_and_table_give_the_same(
    where: EntryFilter, prefer: LabelPreference | None, tmp_path: Path
) -> None:
    """Ids in order, scores, entries, facets and pictures' vectors."""
    held, table = _opened(tmp_path, AT_ONCE), _opened(tmp_path, NEVER)
    held.put(
        [
            picture(n, ("dog", "cat", "bird")[: n % 4], collections=("even", "odd")[n % 2 :][:1])
            for n in range(120)
        ]
    )
    query, keys = unit_vectors(1, seed="query")[0], [key(n) for n in range(0, 120, 3)]
    ours, theirs = (
        one.nearest(query, limit=40, where=where, prefer=prefer) for one in (held, table)
    )
    assert [one.object_id for one in ours] == [one.object_id for one in theirs]
    assert [one.rank_score for one in ours] == pytest.approx(
        [one.rank_score for one in theirs], abs=3e-6
    )
    mine, its = (
        one.score(query, image_keys=keys, where=where, prefer=prefer) for one in (held, table)
    )
    assert [one.entry for one in mine] == [one.entry for one in its]
    assert held.labelled_pictures(keys, where=where) == table.labelled_pictures(keys, where=where)
    vectors = held.picture_vectors(keys)
    assert vectors.keys() == table.picture_vectors(keys).keys()
    held.close()
    table.close()
