"""Adding and removing pictures, as uploads do."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from embedding_pipeline.domain.entries import PictureEntries
from embedding_pipeline.ingest.changes import AfterChange, nothing_more
from embedding_pipeline.ingest.key_locks import KeyLocks
from embedding_pipeline.ingest.shelving import (
    Incoming,
    Shelf,
    Shelved,
    problem_of,
)
from embedding_pipeline.ingest.source_items import Problem, check_head
from embedding_pipeline.pipeline.tasks import PictureResult, PictureTask
from embedding_pipeline.ports.index import ObjectIndex
from minio_proxy.errors import PictureError, ProxyError
from minio_proxy.originals import Originals
from minio_proxy.picture.formats import HEAD_BYTES
from minio_proxy.picture.header import Limits
from minio_proxy.records import RecordPart

AddStatus: TypeAlias = Literal["indexed", "duplicate", "rejected", "failed"]
Models: TypeAlias = Callable[[Sequence[PictureTask]], list[PictureResult]]
"""PicturePipeline.run or PipelineRunner.run."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture to add.

    Args:
        filename: the name it had; kept in its record.
        data: its bytes.
        collection: to put it in; None for none.
        metadata: the user's fields; None keeps those that the picture has.
        source: where it comes from.
    """

    filename: str
    data: bytes = field(repr=False)
    collection: str | None = None
    metadata: Mapping[str, Any] | None = None
    source: str = "upload"


@dataclass(frozen=True, slots=True)
class AddResult:
    """What became of an upload.

    Args:
        filename: the upload's.
        image_key: SHA-256 of the bytes; also of what was not kept.
        status: indexed, duplicate, rejected (no picture we take) or failed (our side).
        objects: entries of kind object that the index has of it.
        reason: why it was rejected or failed.
        code: that error's stable code.
    """

    filename: str
    image_key: str
    status: AddStatus
    objects: int = 0
    reason: str | None = None
    code: str | None = None


class Library:
    """Pictures go in and out as a whole. May be used from many threads.

    Args:
        originals: pictures and records, the truth.
        index: gives the open active version of the index.
        models: runs the pipeline.
        limits: of size and pixels.
        locks: keeps writers of the same picture apart; the same folder for all processes.
        forget_derived: removes thumbnails and crops of an image key.
        batch_pictures: pictures that are worked on, and held, at once.
        after_change: see Shelf.
        now: UTC; tests give their own.
    """

    def __init__(
        self,
        *,
        originals: Originals,
        index: Callable[[], ObjectIndex],
        models: Models,
        limits: Limits,
        locks: KeyLocks,
        forget_derived: Callable[[str], object],
        batch_pictures: int = 8,
        after_change: AfterChange = nothing_more,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._originals = originals
        self._shelf = Shelf(originals, index, locks, forget_derived, after_change)
        self._index = index
        self._models = models
        self._limits = limits
        self._batch_pictures = batch_pictures
        self._now = now

    @property
    def shelf(self) -> Shelf:
        """Where pictures are written; the backfill shares it."""
        return self._shelf

    def add(self, uploads: Sequence[Upload]) -> list[AddResult]:
        """Store and index pictures; one result each, in the order given.

        What it says is indexed or a duplicate is durable and can be found. What is rejected
        leaves nothing behind. One bad picture stops no other.
        """
        results: list[AddResult] = []
        for start in range(0, len(uploads), self._batch_pictures):
            results += self._add_batch(uploads[start : start + self._batch_pictures])
        if any(result.status in {"indexed", "duplicate"} for result in results):
            self._index().make_searchable()
        return results

    def delete(self, image_key: str) -> bool:
        """Remove a picture: index, thumbnails, records, original; False when it was not there."""
        return self._shelf.remove(image_key)

    def entries(self, image_key: str) -> PictureEntries | None:
        """What the index has of a picture."""
        return self._index().picture(image_key)

    def _add_batch(self, uploads: Sequence[Upload]) -> list[AddResult]:
        keys = [hashlib.sha256(upload.data).hexdigest() for upload in uploads]
        problems: dict[str, Problem] = {}
        for upload, key in zip(uploads, keys, strict=True):
            try:
                check_head(upload.data[:HEAD_BYTES], len(upload.data), self._limits)
            except PictureError as exc:
                problems[key] = problem_of(exc, "decode")
        data = {k: u.data for u, k in zip(uploads, keys, strict=True) if k not in problems}
        results = self._run({k: d for k, d in data.items() if self._shelf.objects_of(k) is None})
        problems |= _problems(results)
        shelved = self._write(uploads, keys, problems, results)
        return [
            _answer(upload, key, problems.get(key), done)
            for upload, key, done in zip(uploads, keys, shelved, strict=True)
        ]

    def _write(
        self,
        uploads: Sequence[Upload],
        keys: Sequence[str],
        problems: dict[str, Problem],
        results: dict[str, PictureResult],
    ) -> list[Shelved]:
        """Write what is fit; what another deleted meanwhile gets its model work now."""
        fit = [position for position, key in enumerate(keys) if key not in problems]
        shelved = [Shelved(key, problem=problems.get(key)) for key in keys]
        while fit:
            incoming = [self._incoming(uploads[p], keys[p], results.get(keys[p])) for p in fit]
            for position, done in zip(fit, self._shelf.write(incoming), strict=True):
                shelved[position] = done
            fit = [position for position in fit if shelved[position].needs_models]
            results |= self._run({keys[p]: uploads[p].data for p in fit})
            problems |= _problems({keys[p]: results[keys[p]] for p in fit})
            fit = [position for position in fit if keys[position] not in problems]
        for one in shelved:
            if one.problem is not None and one.problem.stage == "index":
                self._leave_note(one.image_key)
        return shelved

    def _leave_note(self, image_key: str) -> None:
        """Let the next run bring the index in step with a picture that it failed to take."""
        # Where the store fails as well, only a comparison of all keys finds the picture.
        with suppress(ProxyError, OSError):
            self._originals.unsettled.note(image_key)

    def _run(self, data: Mapping[str, bytes]) -> dict[str, PictureResult]:
        if not data:
            return {}
        tasks = [PictureTask(content, key=key) for key, content in data.items()]
        return dict(zip(data, self._models(tasks), strict=True))

    def _incoming(self, upload: Upload, key: str, result: PictureResult | None) -> Incoming:
        part = RecordPart(
            source=upload.source,
            path=upload.filename,
            collection=upload.collection,
            metadata=upload.metadata,
            taken_at=None,
            added_at=self._now(),
        )
        return Incoming(key, upload.data, part, result)


def result_problem(result: PictureResult) -> Problem | None:
    """Where and why the models failed on a picture, or None."""
    if result.failure is None:
        return None
    stage, reason = result.failure.stage, result.failure.reason
    rejected = isinstance(result.error, PictureError)
    return Problem(
        "rejected" if rejected else "failed",
        stage,
        reason,
        result.failure.code,
        retryable=result.failure.retryable and not rejected,
    )


def _problems(results: Mapping[str, PictureResult]) -> dict[str, Problem]:
    found = {key: result_problem(result) for key, result in results.items()}
    return {key: problem for key, problem in found.items() if problem is not None}


def _answer(upload: Upload, key: str, problem: Problem | None, done: Shelved) -> AddResult:
    problem = problem or done.problem
    if problem is not None:
        return AddResult(
            upload.filename, key, problem.state, reason=problem.reason, code=problem.code
        )
    status: AddStatus = "duplicate" if done.indexed_before else "indexed"
    return AddResult(upload.filename, key, status, done.objects)
