"""Pictures as bulk operations: replaced by id, without a search and without scripts.

The document of rank 0 is the picture's head: its ``entry_count`` says which ids exist, and
it is read in real time. Every write of a picture begins with a claim, a conditional write of
its head (with the larger of both counts, so that a crash in the middle leaves no unknown id).
The claim's sequence number becomes the version of every other write of the picture: a later
claim has a higher one, so Elasticsearch refuses what an older writer sends late (from a queue,
again after a refusal, or from a process that has ended), also where the newer one deleted.
Who loses a claim begins anew, so the last writer's picture is whole, and deleted is deleted.

The claim of a new picture, and of one to be deleted, is bare: no more than a count, which no
search, list or sum sees. A new picture's head comes last. So one whose first put or whose delete
was broken off counts as missing and is written again, never as whole; until then a search may
find objects of it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from elasticsearch import Elasticsearch

from embedding_pipeline.domain.entries import ItemFailure, PictureEntries, object_id
from embedding_pipeline.errors import IndexUnavailable
from embedding_pipeline.indexes.elasticsearch_bulk import BulkWriter, Operation, Outcome
from embedding_pipeline.indexes.elasticsearch_errors import elasticsearch_errors, error_of
from embedding_pipeline.indexes.elasticsearch_operations import (
    Head,
    bare_claim_of,
    claim_of,
    deletes_of,
    end_of,
    head_of,
    held_by,
    lacks_head,
    others_of,
)

PICTURES_A_ROUND = 500
ENTRIES_A_ROUND = 5000
ROUNDS = 20
_CONFLICT = 409
_GONE = 404

_T = TypeVar("_T")
_Sent = tuple[list[tuple[PictureEntries, list[Outcome]]], list[PictureEntries]]


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
        for some in _rounds(pictures):
            _until_claimed(some, lambda waiting: self._put_some(waiting, failures))
        return failures

    def delete(self, image_keys: Sequence[str]) -> int:
        """Remove pictures; returns how many were there."""
        removed: list[str] = []
        for start in range(0, len(image_keys), PICTURES_A_ROUND):
            some = image_keys[start : start + PICTURES_A_ROUND]
            _until_claimed(some, lambda waiting: self._delete_some(waiting, removed))
        return len(removed)

    def heads(self, image_keys: Sequence[str]) -> dict[str, Head]:
        """Heads of the pictures that are there or claimed, as of now."""
        if not image_keys:
            return {}
        wanted = [
            {"_id": object_id(key, 0), "routing": key, "_source": ["entry_count", "kind"]}
            for key in image_keys
        ]
        return {
            document["_routing"]: Head(
                document["_source"]["entry_count"],
                document["_seq_no"],
                document["_primary_term"],
                bare="kind" not in document["_source"],
            )
            for document in self._documents(wanted)
        }

    def entries(self, wanted: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Documents of entries that are there, by id and in real time; no bare claims."""
        return [one for one in self._documents(wanted) if "features" in one["_source"]]

    def _documents(self, wanted: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
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
    ) -> list[PictureEntries]:
        """Write pictures; returns those that another writer has claimed meanwhile."""
        heads = self.heads([picture.image_key for picture in pictures])
        claims = [[claim_of(picture, heads.get(picture.image_key))] for picture in pictures]
        claimed, lost = self._sent(pictures, claims, failures)
        held = {
            picture.image_key: held_by(claim, heads.get(picture.image_key))
            for picture, (claim,) in claimed
        }
        mine = [picture for picture, _ in claimed]
        others = [others_of(picture, held[picture.image_key]) for picture in mine]
        written, more = self._sent(mine, others, failures)
        lost += more
        unfinished = [
            picture for picture, _ in written if lacks_head(picture, held[picture.image_key])
        ]
        heads_last = [
            [head_of(picture, condition=held[picture.image_key])] for picture in unfinished
        ]
        return lost + self._sent(unfinished, heads_last, failures)[1]

    def _delete_some(self, image_keys: Sequence[str], removed: list[str]) -> list[str]:
        """Remove pictures; returns those that another writer has claimed meanwhile."""
        heads = self.heads(image_keys)
        keys = list(heads)
        claims = self._all_or_raise([[bare_claim_of(key, heads[key])] for key in keys])
        held = {
            key: held_by(claim, heads[key])
            for key, (claim,) in zip(keys, claims, strict=True)
            if claim.worked
        }
        others = self._all_or_raise([deletes_of(key, head) for key, head in held.items()])
        mine = [
            key
            for key, outcomes in zip(held, others, strict=True)
            if all(outcome.status != _CONFLICT for outcome in outcomes)
        ]
        ends = self._all_or_raise([[end_of(key, held[key])] for key in mine])
        gone = [key for key, (end,) in zip(mine, ends, strict=True) if end.worked]
        removed += gone
        return [key for key in keys if key not in set(gone)]

    def _grouped(self, groups: Sequence[Sequence[Operation]]) -> list[list[Outcome]]:
        flat = [operation for group in groups for operation in group]
        outcomes = iter(self._bulk.write(self._alias, flat))
        return [[next(outcomes) for _ in group] for group in groups]

    def _all_or_raise(self, groups: Sequence[Sequence[Operation]]) -> list[list[Outcome]]:
        grouped = self._grouped(groups)
        for outcome in (outcome for group in grouped for outcome in group):
            if not outcome.worked and outcome.status not in {_CONFLICT, _GONE}:
                raise error_of(outcome.status, outcome.error, self._place)
        return grouped

    def _sent(
        self,
        pictures: Sequence[PictureEntries],
        groups: Sequence[Sequence[Operation]],
        failures: dict[str, ItemFailure],
    ) -> _Sent:
        """Send the operations of each picture.

        Returns:
            The pictures for which all worked, and those with a conflict; others are noted as
            failures.
        """
        worked, lost = [], []
        for picture, group in zip(pictures, self._grouped(groups), strict=True):
            failed = [one for one in group if not one.worked and one.status != _CONFLICT]
            if failed:
                failures[picture.image_key] = self._failure(picture.image_key, failed[0])
            elif all(outcome.worked for outcome in group):
                worked.append((picture, group))
            else:
                lost.append(picture)
        return worked, lost

    def _failure(self, image_key: str, outcome: Outcome) -> ItemFailure:
        error = error_of(outcome.status, outcome.error, self._place)
        return ItemFailure(
            key=image_key,
            stage="index",
            reason=error.message,
            code=error.code,
            retryable=isinstance(error, IndexUnavailable),
        )


def _until_claimed(items: Sequence[_T], attempt: Callable[[Sequence[_T]], Sequence[_T]]) -> None:
    """Attempt what lost its claim again, after a random and growing pause."""
    waiting = items
    for number in range(ROUNDS):
        if number:
            time.sleep(random.uniform(0, 0.02 * 2 ** min(number, 6)))
        waiting = attempt(waiting)
        if not waiting:
            return
    raise IndexUnavailable("Other writers keep changing the same pictures; try again.")


def _rounds(pictures: Sequence[PictureEntries]) -> Iterator[list[PictureEntries]]:
    """Parts that stay below both bounds, so that memory does."""
    some: list[PictureEntries] = []
    entries = 0
    for picture in pictures:
        entries += len(picture.entries)
        if some and (len(some) == PICTURES_A_ROUND or entries > ENTRIES_A_ROUND):
            yield some
            some, entries = [], len(picture.entries)
        some.append(picture)
    if some:
        yield some
