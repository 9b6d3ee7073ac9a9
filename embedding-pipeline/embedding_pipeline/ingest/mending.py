"""A version of the index brought into agreement with originals and records, picture by picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from embedding_pipeline.domain.entries import PictureEntries
from embedding_pipeline.ingest.changes import fits
from embedding_pipeline.ingest.key_locks import KeyLocks
from embedding_pipeline.ingest.library import Models
from embedding_pipeline.ingest.shelving import entries_of, problem_of, with_record
from embedding_pipeline.ingest.source_items import Problem
from embedding_pipeline.pipeline.tasks import PictureResult, PictureTask
from embedding_pipeline.ports.index import ObjectIndex
from minio_proxy.errors import ObjectNotFound, ProxyError
from minio_proxy.originals import Originals
from minio_proxy.records import PictureRecord


@dataclass(slots=True)
class Mended:
    """What became of some pictures.

    Args:
        objects: entries of kind object of those that were written, by image key.
        removed: keys that the index had and the store has not.
        problems: of those that could not be written, by image key.
        lacking: keys that the version lacks and that no result was given for.
    """

    objects: dict[str, int] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    problems: dict[str, Problem] = field(default_factory=dict)
    lacking: list[str] = field(default_factory=list)

    def add(self, other: Mended) -> None:
        """Take in what became of others."""
        self.objects |= other.objects
        self.removed += other.removed
        self.problems |= other.problems
        self.lacking += other.lacking

    @property
    def changed(self) -> bool:
        """Whether anything was written or removed."""
        return bool(self.objects or self.removed)


class Mender:
    """Makes entries of what is stored; what is right already is left alone.

    A result of other models than the version's counts as none.

    Args:
        originals: pictures and records, the truth.
        locks: the same that uploads take, so that nothing changes between look and write.
        models: runs the pipeline that made the version.
    """

    def __init__(self, originals: Originals, locks: KeyLocks, models: Models) -> None:
        self._originals = originals
        self._locks = locks
        self._models = models

    def read(self, image_keys: Sequence[str]) -> tuple[dict[str, bytes], dict[str, Problem]]:
        """Bytes of originals, and why others could not be read; deleted ones are in neither."""
        data: dict[str, bytes] = {}
        problems: dict[str, Problem] = {}
        for key in image_keys:
            try:
                data[key] = self._originals.read(key)
            except ObjectNotFound:
                continue
            except ProxyError as exc:
                problems[key] = problem_of(exc, "read")
        return data, problems

    def results(self, data: Mapping[str, bytes]) -> dict[str, PictureResult]:
        """What the models make of pictures, by image key."""
        if not data:
            return {}
        tasks = [PictureTask(content, key=key) for key, content in data.items()]
        return dict(zip(data, self._models(tasks), strict=True))

    def write(
        self,
        index: ObjectIndex,
        image_keys: Sequence[str],
        results: Mapping[str, PictureResult],
        *,
        then: Callable[[Mended], None] = lambda _: None,
    ) -> Mended:
        """Write what the records say now, remove what is no longer stored.

        Args:
            index: the version.
            image_keys: the pictures.
            results: of those that the version lacks; one without a result is left out.
            then: called before the pictures' locks are given back.
        """
        mended = Mended()
        with self._locks.hold(image_keys):
            self._write(index, image_keys, results, mended)
            then(mended)
        return mended

    def _write(
        self,
        index: ObjectIndex,
        image_keys: Sequence[str],
        results: Mapping[str, PictureResult],
        mended: Mended,
    ) -> None:
        made: list[PictureEntries] = []
        gone: list[str] = []
        for key in image_keys:
            try:
                record = self._record(key)
            except ObjectNotFound:
                gone.append(key)
                continue
            except ProxyError as exc:
                mended.problems[key] = problem_of(exc, "read")
                continue
            result = results.get(key)
            after = _after(
                index.picture(key), result if fits(result, index) else None, record, mended, key
            )
            if after is not None:
                made.append(after)
        if gone:
            mended.removed = [key for key in gone if index.picture(key) is not None]
            index.delete(mended.removed)
        report = index.put(made)
        for failure in report.failures:
            mended.problems[failure.key] = Problem(
                "failed", failure.stage, failure.reason, failure.code, failure.retryable
            )
        for entries in made:
            if entries.image_key not in mended.problems:
                count = sum(entry.kind == "object" for entry in entries.entries)
                mended.objects[entries.image_key] = count

    def _record(self, key: str) -> PictureRecord:
        stat, record = self._originals.stat(key), self._originals.record(key)
        if record.first_added_at is None:
            # Stored by a run that was killed before it wrote where the picture came from.
            return replace(record, first_added_at=stat.modified_at)
        return record


def _after(
    before: PictureEntries | None,
    result: PictureResult | None,
    record: PictureRecord,
    mended: Mended,
    key: str,
) -> PictureEntries | None:
    """Entries to write, or None: they are right already, or there is nothing to make them of."""
    if before is not None:
        renewed = with_record(before, record)
        return None if renewed.entries == before.entries else renewed
    if result is None:
        mended.lacking.append(key)
        return None
    if result.failure is not None:
        failure = result.failure
        mended.problems[key] = Problem(
            "failed", failure.stage, failure.reason, failure.code, failure.retryable
        )
        return None
    return entries_of(record, result)
