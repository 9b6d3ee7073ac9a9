"""Originals, records and index written together, so that neither is without the other.

The order never changes: original and record durable first, then the index, then the answer.
A crash in between leaves an original without entries, which the next upload, backfill or
rebuild of the same picture mends (an index that fails, also a note for the next run); entries
without an original cannot come about.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from embedding_pipeline.domain.entries import PictureEntries
from embedding_pipeline.errors import (
    IndexDenied,
    IndexError_,
    IndexFull,
    IndexUnavailable,
)
from embedding_pipeline.ingest.changes import AfterChange, fits, nothing_more
from embedding_pipeline.ingest.key_locks import KeyLocks
from embedding_pipeline.ingest.source_items import Problem
from embedding_pipeline.pipeline.entries import to_entries
from embedding_pipeline.pipeline.tasks import PictureResult
from embedding_pipeline.ports.index import ObjectIndex
from minio_proxy.errors import (
    PictureError,
    ProxyError,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from minio_proxy.originals import Originals
from minio_proxy.records import PictureRecord, RecordPart

STORE_THREADS = 8
_RETRYABLE = (StoreUnavailable, StoreFull, StoreDenied, IndexUnavailable, IndexFull, IndexDenied)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A picture on its way in.

    Args:
        image_key: SHA-256 of data, hex.
        data: the original's bytes.
        part: where it comes from and what is said of it.
        result: what the models made of it; None when the index should have it already.
    """

    image_key: str
    data: bytes
    part: RecordPart
    result: PictureResult | None


@dataclass(frozen=True, slots=True)
class Shelved:
    """What became of one Incoming.

    Args:
        image_key: its key.
        objects: entries of kind object that the index now has.
        stored_before: the original was there already.
        indexed_before: its entries were there already, so no model work was used.
        record: what is known of it now; None when it could not be stored.
        problem: where and why it failed, or None.
        needs_models: nothing failed, but the index has no entries and no result was given;
            give it again with one.
    """

    image_key: str
    objects: int = 0
    stored_before: bool = False
    indexed_before: bool = False
    record: PictureRecord | None = None
    problem: Problem | None = None
    needs_models: bool = False


class Shelf:
    """Writes and removes pictures as a whole. May be used from many threads.

    Args:
        originals: pictures and records.
        index: gives the open active version; called anew for every write, because another
            version may become active meanwhile.
        locks: keeps writers of the same picture apart.
        forget_derived: removes thumbnails and crops of a picture.
        after_change: told of every picture that was written to or removed from a version,
            while its lock is held; sees to it that the active version follows.
    """

    def __init__(
        self,
        originals: Originals,
        index: Callable[[], ObjectIndex],
        locks: KeyLocks,
        forget_derived: Callable[[str], object],
        after_change: AfterChange = nothing_more,
    ) -> None:
        self._originals = originals
        self._index = index
        self._locks = locks
        self._forget_derived = forget_derived
        self._after_change = after_change

    def objects_of(self, image_key: str) -> int | None:
        """Number of objects of a stored picture in the index; None when either lacks it."""
        if not self._originals.exists(image_key):
            return None
        entries = self._index().picture(image_key)
        return None if entries is None else _objects(entries)

    def write(self, incoming: Sequence[Incoming]) -> list[Shelved]:
        """Store and index pictures; one answer each, in order, failures among them.

        What is answered without a problem is durable in the store and written to the index
        (searchable after the index's make_searchable). The same key twice: the second is a
        duplicate of the first.
        """
        if not incoming:
            return []
        with self._locks.hold(one.image_key for one in incoming):
            stored = self._store_all(incoming)
            try:
                index = self._index()
            except IndexError_ as exc:
                problem = problem_of(exc, "index")
                return [replace(one, problem=one.problem or problem) for one in stored]
            entries = self._entries(index, incoming, stored)
            return self._put(index, stored, entries)

    def remove(self, image_key: str) -> bool:
        """Remove a picture everywhere: index, thumbnails, records and original, in that order.

        Returns:
            Whether there was anything to remove.
        """
        with self._locks.hold([image_key]):
            return self._remove(image_key)

    def remove_source(self, image_key: str, source: str, path: str | None = None) -> bool:
        """Take a source off a picture; without any other source the picture goes.

        Returns:
            Whether the picture went.
        """
        with self._locks.hold([image_key]):
            record = self._originals.record(image_key)
            if all(pair == (source, path) for pair in record.sources):
                return self._remove(image_key)
            self._originals.remove_source(image_key, source, path)
            if not self._originals.exists(image_key):
                return self._remove(image_key)  # its bytes lay in that source alone
            index = self._index()
            entries = index.picture(image_key)
            if entries is not None:
                index.put([with_record(entries, self._originals.record(image_key))])
                self._after_change(index, [image_key])
            return False

    def _remove(self, image_key: str) -> bool:
        index = self._index()
        had_entries = index.delete([image_key]) > 0
        if had_entries:
            index.make_searchable()
        self._after_change(index, [image_key])
        self._forget_derived(image_key)
        had_original = self._originals.delete(image_key)
        # Another version may have become active since the first look.
        self._after_change(index, [image_key])
        return had_original or had_entries

    def _store_all(self, incoming: Sequence[Incoming]) -> list[Shelved]:
        """Store pictures several at once, as a store answers late; the same one in its order."""
        positions: dict[str, list[int]] = {}
        for position, one in enumerate(incoming):
            positions.setdefault(one.image_key, []).append(position)

        def store(own: list[int]) -> list[tuple[int, Shelved]]:
            return [(position, self._store(incoming[position])) for position in own]

        if len(positions) == 1:
            found = [store(own) for own in positions.values()]
        else:
            with ThreadPoolExecutor(STORE_THREADS, thread_name_prefix="store") as pool:
                found = list(pool.map(store, positions.values()))
        shelved = dict(pair for pairs in found for pair in pairs)
        return [shelved[position] for position in range(len(incoming))]

    def _store(self, one: Incoming) -> Shelved:
        try:
            part = one.part
            if one.result is not None and part.taken_at is None:
                part = replace(part, taken_at=one.result.taken_at)
            if part.place is None:
                added = self._originals.add(io.BytesIO(one.data), part)
            else:
                added = self._originals.add_in_place(one.data, part)
            record = self._originals.record(one.image_key)
        except (ProxyError, OSError) as exc:
            return Shelved(one.image_key, problem=problem_of(exc, "store"))
        return Shelved(one.image_key, stored_before=added.duplicate, record=record)

    def _entries(
        self, index: ObjectIndex, incoming: Sequence[Incoming], stored: list[Shelved]
    ) -> dict[str, PictureEntries]:
        """Entries to write by key, made of results or of what the index has.

        A result of other models than the index's counts as none.
        """
        made: dict[str, PictureEntries] = {}
        for position, (given, shelved) in enumerate(zip(incoming, stored, strict=True)):
            one = given if fits(given.result, index) else replace(given, result=None)
            if shelved.problem is not None or shelved.record is None:
                continue
            try:
                before = made.get(one.image_key) or self._present(index, one, shelved)
            except IndexError_ as exc:
                stored[position] = replace(shelved, problem=problem_of(exc, "index"))
                continue
            after = self._renewed(one, before, shelved.record)
            if after is None:
                stored[position] = replace(shelved, needs_models=True)
                continue
            made[one.image_key] = after
            stored[position] = replace(
                shelved, indexed_before=before is not None, objects=_objects(after)
            )
        return made

    @staticmethod
    def _present(index: ObjectIndex, one: Incoming, shelved: Shelved) -> PictureEntries | None:
        """What the index has; a new original with a result needs no look, put replaces all."""
        if one.result is not None and not shelved.stored_before:
            return None
        return index.picture(one.image_key)

    @staticmethod
    def _renewed(
        one: Incoming, before: PictureEntries | None, record: PictureRecord
    ) -> PictureEntries | None:
        if before is not None:
            return with_record(before, record)
        if one.result is None:
            return None
        return entries_of(record, one.result, one.part)

    def _put(
        self, index: ObjectIndex, stored: list[Shelved], entries: Mapping[str, PictureEntries]
    ) -> list[Shelved]:
        if not entries:
            return stored
        try:
            report = index.put(list(entries.values()))
            self._after_change(index, list(entries))
        except IndexError_ as exc:
            problems = dict.fromkeys(entries, problem_of(exc, "index"))
        else:
            problems = {
                failure.key: Problem(
                    "failed", failure.stage, failure.reason, failure.code, failure.retryable
                )
                for failure in report.failures
            }
        return [
            replace(one, problem=problems[one.image_key])
            if one.problem is None and one.image_key in problems
            else one
            for one in stored
        ]


def entries_of(
    record: PictureRecord, result: PictureResult, part: RecordPart | None = None
) -> PictureEntries:
    """Entries of a picture as its record and the models say; the same on every run."""
    ingested_at = record.first_added_at or (part.added_at if part else None)
    if ingested_at is None:
        raise StoreError(f"picture {record.image_key} has no record", key=record.image_key)
    return to_entries(
        record.image_key,
        result,
        collections=record.collections,
        metadata=record.metadata,
        taken_at=record.taken_at,
        ingested_at=ingested_at,
    )


def with_record(entries: PictureEntries, record: PictureRecord) -> PictureEntries:
    """The same entries and vectors with what the record says now."""
    renewed = tuple(
        replace(
            entry,
            collections=record.collections,
            metadata=dict(record.metadata or {}),
            taken_at=record.taken_at or entry.taken_at,
        )
        for entry in entries.entries
    )
    return PictureEntries(entries.image_key, renewed, entries.vectors)


def problem_of(error: Exception, stage: str) -> Problem:
    """The state that an error puts a picture in."""
    reason = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
    code = getattr(error, "code", "failed")
    if isinstance(error, PictureError):
        return Problem("rejected", stage, reason, code, retryable=False)
    retryable = isinstance(error, (OSError, *_RETRYABLE))
    return Problem("failed", stage, reason, code, retryable=retryable)


def _objects(entries: PictureEntries) -> int:
    return sum(entry.kind == "object" for entry in entries.entries)
