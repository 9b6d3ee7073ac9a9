"""Pictures as bulk operations: replaced by id, without a search and without scripts.

The document of rank 0 is the picture's head: its ``entry_count`` says which ids exist, and
it is read in real time. A picture that is not there is written by one bulk that creates its
head. One that is there is first claimed by a conditional write of its head (with the larger
of both counts, so that a crash in the middle leaves no unknown id), then its other entries
are written, ids that are no longer needed are deleted, and the head is written again under
the same condition. Who loses a claim begins anew, so the last writer's picture is whole.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from elasticsearch import Elasticsearch

from embedding_pipeline.domain.entries import ItemFailure, PictureEntries, object_id
from embedding_pipeline.errors import IndexUnavailable
from embedding_pipeline.indexes.elasticsearch_bulk import BulkWriter, Operation, Outcome
from embedding_pipeline.indexes.elasticsearch_documents import numbers_of, source_of
from embedding_pipeline.indexes.elasticsearch_errors import elasticsearch_errors, error_of

PICTURES_A_ROUND = 500
ROUNDS = 20
_CONFLICT = 409
_GONE = 404


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a stored picture: how many entries, and its last write."""

    entry_count: int
    seq_no: int
    primary_term: int


class PictureWriter:
    """Puts and deletes pictures of one version.

    Args:
        client: the client.
        bulk: sends the operations.
        alias: of the version.
        place: for messages.
    """

    def __init__(self, client: Elasticsearch, bulk: BulkWriter, alias: str, place: str) -> None:
        self._client = client
        self._bulk = bulk
        self._alias = alias
        self._place = place

    def put(self, pictures: Sequence[PictureEntries]) -> dict[str, ItemFailure]:
        """Replace all entries of each picture; returns the failures by image key."""
        failures: dict[str, ItemFailure] = {}
        for start in range(0, len(pictures), PICTURES_A_ROUND):
            self._put_some(pictures[start : start + PICTURES_A_ROUND], failures)
        return failures

    def delete(self, image_keys: Sequence[str]) -> int:
        """Remove pictures; returns how many were there."""
        removed = 0
        for start in range(0, len(image_keys), PICTURES_A_ROUND):
            heads = self.heads(image_keys[start : start + PICTURES_A_ROUND])
            operations = [
                _delete(key, rank)
                for key, head in heads.items()
                for rank in reversed(range(head.entry_count))
            ]
            for outcome in self._bulk.write(self._alias, operations):
                if not outcome.worked and outcome.status != _GONE:
                    raise error_of(outcome.status, outcome.error, self._place)
            removed += len(heads)
        return removed

    def heads(self, image_keys: Sequence[str]) -> dict[str, Head]:
        """Heads of the pictures that are there, as of now."""
        if not image_keys:
            return {}
        wanted = [
            {"_id": object_id(key, 0), "routing": key, "_source": ["entry_count"]}
            for key in image_keys
        ]
        return {
            document["_routing"]: Head(
                document["_source"]["entry_count"], document["_seq_no"], document["_primary_term"]
            )
            for document in self.documents(wanted)
        }

    def documents(self, wanted: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Documents that are there, by id and in real time."""
        with elasticsearch_errors(self._place):
            answer = self._client.mget(index=self._alias, docs=wanted)
        for document in answer["docs"]:
            if "error" in document:
                error = document["error"]
                status = _GONE if error["type"] == "index_not_found_exception" else 503
                raise error_of(status, error, self._place)
        return [document for document in answer["docs"] if document.get("found")]

    def _put_some(
        self, pictures: Sequence[PictureEntries], failures: dict[str, ItemFailure]
    ) -> None:
        waiting = list(pictures)
        for round_number in range(ROUNDS):
            if not waiting:
                return
            if round_number:
                time.sleep(random.uniform(0, 0.02 * 2 ** min(round_number, 6)))
            heads = self.heads([picture.image_key for picture in waiting])
            fresh = [picture for picture in waiting if picture.image_key not in heads]
            known = [picture for picture in waiting if picture.image_key in heads]
            waiting = self._create(fresh, failures) + self._replace(known, heads, failures)
        if waiting:
            raise IndexUnavailable(
                "Other writers keep changing the same pictures; try again.",
                image_key=waiting[0].image_key,
            )

    def _create(
        self, pictures: Sequence[PictureEntries], failures: dict[str, ItemFailure]
    ) -> list[PictureEntries]:
        groups = [
            [_write(picture, rank, action="create" if rank == 0 else "index")
             for rank in range(len(picture.entries))]
            for picture in pictures
        ]  # fmt: skip
        return self._lost(pictures, self._grouped(groups), failures)

    def _replace(
        self,
        pictures: Sequence[PictureEntries],
        heads: dict[str, Head],
        failures: dict[str, ItemFailure],
    ) -> list[PictureEntries]:
        claims = [
            [
                _write(
                    picture,
                    0,
                    condition=head,
                    entry_count=max(len(picture.entries), head.entry_count),
                )
            ]
            for picture in pictures
            for head in [heads[picture.image_key]]
        ]
        outcomes = self._grouped(claims)
        lost = self._lost(pictures, outcomes, failures)
        claimed = [
            (picture, outcome, heads[picture.image_key].entry_count)
            for picture, (outcome,) in zip(pictures, outcomes, strict=True)
            if outcome.worked
        ]
        groups = [
            [
                *[_write(picture, rank) for rank in range(1, len(picture.entries))],
                *[_delete(picture.image_key, rank) for rank in range(len(picture.entries), before)],
                _write(picture, 0, condition=Head(0, claim.seq_no, claim.primary_term)),
            ]
            for picture, claim, before in claimed
        ]
        written = [picture for picture, _, _ in claimed]
        return lost + self._lost(written, self._grouped(groups), failures)

    def _grouped(self, groups: Sequence[Sequence[Operation]]) -> list[list[Outcome]]:
        flat = [operation for group in groups for operation in group]
        outcomes = iter(self._bulk.write(self._alias, flat))
        return [[next(outcomes) for _ in group] for group in groups]

    def _lost(
        self,
        pictures: Sequence[PictureEntries],
        outcomes: Sequence[Sequence[Outcome]],
        failures: dict[str, ItemFailure],
    ) -> list[PictureEntries]:
        """Pictures whose claim was lost to another writer; real failures are noted."""
        lost = []
        for picture, group in zip(pictures, outcomes, strict=True):
            failed = [o for o in group if not o.worked and o.status not in {_CONFLICT, _GONE}]
            if failed:
                failures[picture.image_key] = self._failure(picture.image_key, failed[0])
            elif any(outcome.status == _CONFLICT for outcome in group):
                lost.append(picture)
        return lost

    def _failure(self, image_key: str, outcome: Outcome) -> ItemFailure:
        error = error_of(outcome.status, outcome.error, self._place)
        return ItemFailure(
            key=image_key,
            stage="index",
            reason=error.message,
            code=error.code,
            retryable=isinstance(error, IndexUnavailable),
        )


def _write(
    picture: PictureEntries,
    rank: int,
    *,
    action: str = "index",
    condition: Head | None = None,
    entry_count: int | None = None,
) -> Operation:
    header: dict[str, Any] = {
        "_id": picture.entries[rank].object_id,
        "routing": picture.image_key,
    }
    if condition is not None:
        header |= {"if_seq_no": condition.seq_no, "if_primary_term": condition.primary_term}
    count = len(picture.entries) if entry_count is None else entry_count
    (numbers,) = numbers_of(picture.vectors[rank : rank + 1])
    return Operation(action, header, source_of(picture.entries[rank], numbers, count))


def _delete(image_key: str, rank: int) -> Operation:
    return Operation("delete", {"_id": object_id(image_key, rank), "routing": image_key})
