from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minio_proxy.records import PictureRecord, RecordFormatError, RecordPart, part_from_json

KEY = "0" * 64
texts = st.text(st.characters(codec="utf-8"), max_size=8)
times = st.datetimes(
    datetime(1990, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(2030, 1, 1),  # noqa: DTZ001 - as above
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
parts = st.builds(
    RecordPart,
    source=st.sampled_from(["upload", "folder:/a", "s3://b/c"]),
    path=st.none() | texts,
    collection=st.none() | st.sampled_from(["", "one", "two"]),
    metadata=st.none() | st.dictionaries(texts, values, max_size=3),
    taken_at=st.none() | times,
    added_at=times,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(parts, max_size=6), st.randoms(use_true_random=False))
def test_order_does_not_matter(given_parts: list[RecordPart], random: object) -> None:
    """Whatever order a store lists parts in, the record is the same."""
    shuffled = list(given_parts)
    random.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis gives a random.Random
    assert PictureRecord.merge(KEY, shuffled) == PictureRecord.merge(KEY, given_parts)


@settings(max_examples=200, deadline=None)
@given(st.lists(parts, max_size=6))
def test_the_same_parts_again_change_nothing(given_parts: list[RecordPart]) -> None:
    """Merging is idempotent."""
    once = PictureRecord.merge(KEY, given_parts)
    assert PictureRecord.merge(KEY, given_parts * 3) == once


@settings(max_examples=200, deadline=None)
@given(parts)
def test_a_part_comes_back_as_it_was(one: RecordPart) -> None:
    """Through JSON and back nothing is lost, and the name stays the same."""
    back = part_from_json(one.to_json())
    assert back == one
    assert back.part_id == one.part_id


@settings(max_examples=200, deadline=None)
@given(parts, parts)
def test_names_are_those_of_facts(one: RecordPart, other: RecordPart) -> None:
    """Two parts share a name exactly if they tell the same fact, whenever they tell it."""
    same = [part.to_json() for part in (fact(one), fact(other))]
    assert (one.part_id == other.part_id) == (same[0] == same[1])


def fact(part: RecordPart) -> RecordPart:
    """The part without its times."""
    then = datetime(2000, 1, 1, tzinfo=UTC)
    return RecordPart(part.source, part.path, part.collection, part.metadata, None, then)


def test_no_parts_make_an_empty_record() -> None:
    """A picture of which nothing is known has no time of arrival."""
    record = PictureRecord.merge(KEY, [])
    assert (record.collections, record.sources, record.metadata) == ((), (), None)
    assert record.first_added_at is None


def test_times_without_a_zone_are_utc() -> None:
    """A naive time, as EXIF often gives, can be compared with the others."""
    naive = datetime(2020, 1, 1)  # noqa: DTZ001 - what is tested
    part = RecordPart("upload", None, None, None, naive, naive)
    aware = RecordPart("upload", "x", None, None, None, datetime(2021, 1, 1, tzinfo=UTC))
    record = PictureRecord.merge(KEY, [aware, part])
    assert record.taken_at == datetime(2020, 1, 1, tzinfo=UTC)
    assert record.first_added_at == datetime(2020, 1, 1, tzinfo=UTC)


def test_another_format_names_both() -> None:
    """A part of a newer Boxseek is not guessed at."""
    with pytest.raises(RecordFormatError) as caught:
        part_from_json(b'{"format": 3}')
    assert (caught.value.expected, caught.value.actual) == (1, 3)
