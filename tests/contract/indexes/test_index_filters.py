"""Contract of the index port: what each part of a filter lets pass."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from embedding_pipeline.domain.entries import EntryFilter
from embedding_pipeline.errors import InvalidQuery
from embedding_pipeline.ports.index import ObjectIndex
from support.indexes_samples import fill, key, picture, unit_vectors

NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)
AT_TOKYO = timezone(timedelta(hours=9))


def _found(index: ObjectIndex, where: EntryFilter) -> set[tuple[str, int]]:
    """Passing entries by picture name and rank; all verbs with a filter must agree."""
    query = unit_vectors(1, seed="q")[0]
    names = {key(name): str(name) for name in ("a", "b", "c", "d")}
    nearest = index.nearest(query, limit=100, where=where)
    scored = index.score(query, image_keys=list(names), where=where)
    assert [hit.object_id for hit in nearest] == [hit.entry.object_id for hit in scored]
    labelled = {(hit.label, hit.image_key) for hit in nearest if hit.label is not None}
    counts = index.labelled_pictures(list(names), where=where)
    assert counts == Counter(label for label, _ in labelled)
    return {(names[hit.image_key], int(hit.object_id.rpartition("-")[2])) for hit in nearest}


def _pictures(found: set[tuple[str, int]]) -> set[str]:
    return {name for name, _ in found}


@pytest.fixture
def filled(index: ObjectIndex) -> ObjectIndex:
    """Four small pictures that differ in everything a filter can ask for."""
    fill(
        index,
        [
            picture(
                "a", ["dog", "cat"], confidences=[0.9, 0.3], collections=["x", "y"], taken_at=NOON
            ),
            picture(
                "b",
                ["dog"],
                confidences=[0.5],
                collections=["y"],
                taken_at=NOON + timedelta(microseconds=1),
            ),
            picture("c", ['o\'brien \n\\ "日本" %_*', "Dog"], collections=['it\'s (a) "b", c']),
            picture("d", [], taken_at=NOON - timedelta(days=1)),
        ],
    )
    return index


def test_empty_filter_lets_all_pass(filled: ObjectIndex) -> None:
    """Without any part given every entry passes, also one without time or collection."""
    assert len(_found(filled, EntryFilter())) == 9


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        pytest.param(EntryFilter(kinds=("image",)), {"a0", "b0", "c0", "d0"}, id="image"),
        pytest.param(EntryFilter(kinds=("object",)), {"a1", "a2", "b1", "c1", "c2"}, id="object"),
        pytest.param(EntryFilter(labels=("dog",)), {"a1", "b1"}, id="label, case matters"),
        pytest.param(EntryFilter(labels=("cat", "Dog")), {"a2", "c2"}, id="any label"),
        pytest.param(EntryFilter(labels=("o'brien \n\\ \"日本\" %_*",)), {"c1"}, id="odd label"),
        pytest.param(EntryFilter(labels=("unknown",)), set(), id="unknown label"),
        pytest.param(EntryFilter(labels=("' OR 1=1 --",)), set(), id="no injection"),
        pytest.param(EntryFilter(labels=("do%", "d*", "")), set(), id="no patterns"),
        pytest.param(
            EntryFilter(collections=("y",)), {"a0", "a1", "a2", "b0", "b1"}, id="collection"
        ),
        pytest.param(
            EntryFilter(collections=("x", "it's (a) \"b\", c")),
            {"a0", "a1", "a2", "c0", "c1", "c2"},
            id="any collection, odd name",
        ),
        pytest.param(EntryFilter(collections=("' OR 1=1 --", "z")), set(), id="no collection"),
        pytest.param(
            EntryFilter(taken_after=NOON), {"a0", "a1", "a2", "b0", "b1"}, id="at or after"
        ),
        pytest.param(EntryFilter(taken_before=NOON), {"d0"}, id="before, not at"),
        pytest.param(
            EntryFilter(taken_after=NOON, taken_before=NOON + timedelta(microseconds=1)),
            {"a0", "a1", "a2"},
            id="one microsecond",
        ),
        pytest.param(
            EntryFilter(taken_after=NOON.astimezone(AT_TOKYO), kinds=("image",)),
            {"a0", "b0"},
            id="another offset",
        ),
        pytest.param(
            EntryFilter(taken_after=datetime(1, 1, 2, tzinfo=UTC), kinds=("image",)),
            {"a0", "b0", "d0"},
            id="no time never passes",
        ),
        pytest.param(
            EntryFilter(min_confidence=0.5),
            {"a0", "a1", "b0", "b1", "c0", "c1", "c2", "d0"},
            id="confidence, whole pictures pass",
        ),
        pytest.param(
            EntryFilter(
                kinds=("object",),
                min_confidence=0.4,
                collections=("y",),
                labels=("dog", "cat"),
                taken_before=NOON + timedelta(seconds=1),
            ),
            {"a1", "b1"},
            id="all together",
        ),
        pytest.param(EntryFilter(kinds=("image",), labels=("dog",)), set(), id="contradiction"),
    ],
)  # fmt: skip
def test_filter(filled: ObjectIndex, where: EntryFilter, expected: set[str]) -> None:
    """Exactly the entries that meet every given part pass, after optimize as before."""
    assert {f"{name}{rank}" for name, rank in _found(filled, where)} == expected
    filled.optimize()
    assert {f"{name}{rank}" for name, rank in _found(filled, where)} == expected


METADATA: dict[str, dict[str, Any]] = {
    "a": {
        "sku": "A'1",
        "count": 1,
        "ok": True,
        "deep": {"er": {"x": "y"}, "list": [1, "two", {"z": None}]},
        "名": '日本\n"q" \\',
        "long": "x" * 40_000,
    },
    "b": {"sku": "B", "count": 2.5, "ok": False, "deep": {"er": "x=y"}, "": "empty name"},
    "c": {"sku": ["A'1", "B"], "count": 1.0, "none": None, "a.b": 1, "empty": [], "x=y": "z"},
    "d": {},
}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param({}, "abcd", id="nothing asked"),
        pytest.param({"sku": "A'1"}, "ac", id="text, also in a list"),
        pytest.param({"sku": ["A'1", "B"]}, "c", id="every asked element"),
        pytest.param({"sku": "a'1"}, "", id="case matters"),
        pytest.param({"sku": "A"}, "", id="whole values only"),
        pytest.param({"count": 1}, "ac", id="whole number"),
        pytest.param({"count": 1.0}, "ac", id="whole number as float"),
        pytest.param({"count": 2.5}, "b", id="fraction"),
        pytest.param({"ok": True}, "a", id="true"),
        pytest.param({"ok": False}, "b", id="false"),
        pytest.param({"none": None}, "c", id="null"),
        pytest.param({"missing": None}, "", id="missing is not null"),
        pytest.param({"deep": {"er": {"x": "y"}}}, "a", id="nested"),
        pytest.param({"deep.er.x": "y"}, "a", id="dotted name is the same path"),
        pytest.param({"deep": {"er": {"x=y": ""}}}, "", id="equals sign in a name"),
        pytest.param({"deep": {"er": "x=y"}}, "b", id="equals sign in a value"),
        pytest.param({"x=y": "z"}, "c", id="equals sign in a stored name"),
        pytest.param({"x": "y=z"}, "", id="other side of the equals sign"),
        pytest.param({"deep": {"list": "two"}}, "a", id="element of a nested list"),
        pytest.param({"deep": {"list": {"z": None}}}, "a", id="object in a list"),
        pytest.param({"名": '日本\n"q" \\'}, "a", id="unicode, newline, quotes"),
        pytest.param({"": "empty name"}, "b", id="empty name"),
        pytest.param({"a": {"b": 1}}, "c", id="stored dotted name"),
        pytest.param({"empty": []}, "c", id="empty list"),
        pytest.param({"long": "x" * 40_000}, "a", id="very long value"),
        pytest.param({"long": "x" * 39_999}, "", id="another very long value"),
        pytest.param({"sku": "B", "ok": False}, "b", id="two fields"),
        pytest.param({"sku": "B", "ok": True}, "", id="one of two fields"),
        pytest.param({"sku": "') OR 1=1 --"}, "", id="no injection"),
    ],
)
def test_metadata_filter(index: ObjectIndex, asked: dict[str, Any], expected: str) -> None:
    """Metadata passes as domain.metadata says, and is stored unharmed."""
    fill(index, [picture(name, ["dog"], metadata=value) for name, value in METADATA.items()])
    assert _pictures(_found(index, EntryFilter(metadata=asked))) == set(expected)
    read = index.picture(key("a"))
    assert read is not None
    assert read.entries[0].metadata == METADATA["a"]


def test_deep_metadata_is_kept_and_found(index: ObjectIndex) -> None:
    """Metadata nested fifty levels deep is stored and can be asked for."""
    deep: dict[str, Any] = {"leaf": 1}
    for _ in range(50):
        deep = {"n": deep}
    fill(index, [picture("a", metadata=deep), picture("b")])
    assert _pictures(_found(index, EntryFilter(metadata=deep))) == {"a"}


def test_time_without_zone_is_refused(index: ObjectIndex) -> None:
    """A filter's time must say which instant it means."""
    naive = NOON.replace(tzinfo=None)
    with pytest.raises(InvalidQuery):
        index.nearest(unit_vectors(1)[0], limit=1, where=EntryFilter(taken_after=naive))


def test_text_that_is_no_unicode_is_refused(index: ObjectIndex) -> None:
    """A lone surrogate, which JSON can carry, can't be in any index."""
    with pytest.raises(InvalidQuery):
        index.nearest(unit_vectors(1)[0], limit=1, where=EntryFilter(labels=("\ud800",)))
