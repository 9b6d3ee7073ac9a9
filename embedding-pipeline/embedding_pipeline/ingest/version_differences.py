"""Which pictures of a version do not agree with the store or with the version before."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import groupby

from embedding_pipeline.domain.entries import Entry
from embedding_pipeline.ports.index import ObjectIndex

PAGE_KEYS = 1000
STORED, NEW, OLD = range(3)


def differing_pictures(
    stored: Callable[[str, int], list[str]], index: ObjectIndex, old: ObjectIndex | None
) -> Iterator[str]:
    """Keys to look at, in order: sorted listings merged, so memory does not grow.

    A key is given when only one of store and version has it, or when the version before says
    something else of it (collections, metadata, time): uploads are written there, so what
    changed since the version was filled is seen there.

    Args:
        stored: pages of image keys greater than the first argument, at most the second many.
        index: the version that is to agree; made searchable before.
        old: the version that uploads went to meanwhile; None when there is none.
    """
    sides = [stored_keys(stored, STORED), _entries(index, NEW)]
    if old is not None:
        sides.append(_entries(old, OLD))
    merged = heapq.merge(*sides, key=lambda one: one[:2])
    for key, group in groupby(merged, key=lambda one: one[0]):
        found = {side: entry for _, side, entry in group}
        if (STORED in found) != (NEW in found) or _tell_otherwise(found.get(NEW), found.get(OLD)):
            yield key


def stored_keys(
    page: Callable[[str, int], list[str]], side: int = STORED
) -> Iterator[tuple[str, int, Entry | None]]:
    """All stored keys as one side of a merge."""
    after = ""
    while keys := page(after, PAGE_KEYS):
        for key in keys:
            yield key, side, None
        after = keys[-1]


def whole_pictures(index: ObjectIndex) -> Iterator[Entry]:
    """Whole-picture entries of all pictures in key order, page by page."""
    after = ""
    while page := index.pictures(after=after, limit=PAGE_KEYS):
        yield from page
        after = page[-1].image_key


def _entries(index: ObjectIndex, side: int) -> Iterator[tuple[str, int, Entry | None]]:
    for entry in whole_pictures(index):
        yield entry.image_key, side, entry


def _tell_otherwise(one: Entry | None, other: Entry | None) -> bool:
    if one is None or other is None:
        return False
    return (one.collections, dict(one.metadata), one.taken_at) != (
        other.collections,
        dict(other.metadata),
        other.taken_at,
    )
