"""The single writes of which a put and a delete of a picture consist, as pure functions.

In what order they are sent, and why, elasticsearch_writes.py says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from embedding_pipeline.domain.entries import PictureEntries, object_id
from embedding_pipeline.indexes.elasticsearch_bulk import Operation, Outcome
from embedding_pipeline.indexes.elasticsearch_documents import numbers_of, source_of


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a stored picture.

    Args:
        entry_count: ids of rank 0 up to this may exist.
        seq_no: sequence number of the head's last write.
        primary_term: its primary term.
        bare: it is a claim alone; the picture's first put has not ended.
    """

    entry_count: int
    seq_no: int
    primary_term: int
    bare: bool


def claim_of(picture: PictureEntries, head: Head | None) -> Operation:
    """Claim a picture to be put: bare if it is new, with its new head if it is there."""
    if head is None:
        return _bare(picture.image_key, len(picture.entries), "create")
    count = max(len(picture.entries), head.entry_count)
    if head.bare:
        return _bare(picture.image_key, count, "index", head)
    return head_of(picture, condition=head, entry_count=count)


def bare_claim_of(image_key: str, head: Head) -> Operation:
    """Claim a picture to be deleted: from then on nothing finds it."""
    return _bare(image_key, head.entry_count, "index", head)


def held_by(claim: Outcome, before: Head | None) -> Head:
    """Head of a picture after a claim that worked."""
    count, bare = (before.entry_count, before.bare) if before else (0, True)
    return Head(count, claim.seq_no, claim.primary_term, bare)


def lacks_head(picture: PictureEntries, held: Head) -> bool:
    """Whether the claim is bare, or has kept a count too large for what there is now."""
    return held.bare or held.entry_count > len(picture.entries)


def _bare(image_key: str, count: int, action: str, condition: Head | None = None) -> Operation:
    header = _header(image_key, 0) | (_only_if(condition) if condition else {})
    claim = {"image_key": image_key, "entry_count": count}
    return Operation(action, header, json.dumps(claim).encode())


def head_of(
    picture: PictureEntries, *, condition: Head, entry_count: int | None = None
) -> Operation:
    """Write a picture's first entry, which says how many it has."""
    header = _header(picture.image_key, 0) | _only_if(condition)
    count = len(picture.entries) if entry_count is None else entry_count
    (numbers,) = numbers_of(picture.vectors[:1])
    return Operation("index", header, source_of(picture.entries[0], numbers, count))


def others_of(picture: PictureEntries, held: Head) -> list[Operation]:
    """Write every entry but the head, and delete what the picture had more of before."""
    version = _version(held)
    writes = [
        Operation("index", _header(picture.image_key, rank) | version, source_of(entry, numbers, 0))
        for rank, (entry, numbers) in enumerate(
            zip(picture.entries[1:], numbers_of(picture.vectors[1:]), strict=True), 1
        )
    ]
    surplus = range(len(picture.entries), held.entry_count)
    return writes + [
        Operation("delete", _header(picture.image_key, rank) | version) for rank in surplus
    ]


def deletes_of(image_key: str, held: Head) -> list[Operation]:
    """Delete every entry but the head."""
    version = _version(held)
    return [
        Operation("delete", _header(image_key, rank) | version)
        for rank in range(1, held.entry_count)
    ]


def end_of(image_key: str, held: Head) -> Operation:
    """Delete the head, the last of a picture."""
    return Operation("delete", _header(image_key, 0) | _only_if(held))


def _header(image_key: str, rank: int) -> dict[str, Any]:
    return {"_id": object_id(image_key, rank), "routing": image_key}


def _only_if(head: Head) -> dict[str, Any]:
    return {"if_seq_no": head.seq_no, "if_primary_term": head.primary_term}


def _version(held: Head) -> dict[str, Any]:
    # Above every version that Elasticsearch counted by itself: it grows with the sequence.
    return {"version": held.seq_no + 1, "version_type": "external_gte"}
