"""The index brought in step with what came or went behind its back.

The proxy alone takes and deletes originals without an index; it leaves a note of each. Every
run works the notes off, and what a comparison of all keys found on one side only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from embedding_pipeline.errors import IndexError_
from embedding_pipeline.ingest.mending import Mended, Mender
from embedding_pipeline.ingest.patience import STOP_CODES, run_ends
from embedding_pipeline.ingest.result_spool import ResultSpool
from embedding_pipeline.ports.index import ObjectIndex
from minio_proxy.errors import StoreError
from minio_proxy.originals import Originals

PAGE_NOTES = 1000


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a run knows of store and index before it begins.

    Args:
        is_complete: whether a picture is stored and indexed.
        stored_only: keys that the index lacked; no more than a guess once the run is under way.
        indexed_only: keys that the store lacked; likewise.
    """

    is_complete: Callable[[str], bool]
    stored_only: Iterable[str] = ()
    indexed_only: Iterable[str] = ()


@dataclass(slots=True)
class Settled:
    """What was brought in step.

    Args:
        written: pictures whose entries were written.
        removed: pictures whose entries went, because their originals are gone.
        problems: why others could not be, by image key.
        refusal: why entries without original stay; empty when none had to.
        unfinished: something is left to be tried again.
    """

    written: int = 0
    removed: int = 0
    problems: dict[str, str] = field(default_factory=dict)
    refusal: str = ""
    unfinished: bool = False

    @property
    def changed(self) -> bool:
        """Whether the index is another than before."""
        return bool(self.written or self.removed)

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "written": self.written,
            "removed": self.removed,
            "problems": self.problems,
            "refusal": self.refusal,
        }


class Settling:
    """Brings single pictures of the index in step with originals and records.

    Args:
        originals: the truth, and the notes.
        index: gives the open active version.
        mender: writes.
        spool: results of model work that were not written any more.
        batch_pictures: pictures in one batch of model work.
        stop: ends it after the batch in flight.
    """

    def __init__(
        self,
        *,
        originals: Originals,
        index: Callable[[], ObjectIndex],
        mender: Mender,
        spool: ResultSpool,
        batch_pictures: int,
        stop: threading.Event,
    ) -> None:
        self._originals = originals
        self._index = index
        self._mender = mender
        self._spool = spool
        self._batch_pictures = batch_pictures
        self._stop = stop
        self._settled = Settled()

    @property
    def settled(self) -> Settled:
        """What was brought in step so far."""
        return self._settled

    def compared(self, knowledge: Knowledge, *, removable_share: float) -> None:
        """Mend what only one side has.

        Args:
            knowledge: from before the run.
            removable_share: largest share of the index that may be taken out of it because the
                store, which may be the wrong one, lacks the originals.
        """
        self._mend(knowledge.stored_only)
        lost = sum(1 for _ in self._lost(knowledge))
        total = self._index().count().pictures if lost else 0
        if lost > total * removable_share:
            self._settled.refusal = (
                f"{lost:,} of {total:,} indexed pictures have no original, more than "
                f"{removable_share:.0%}; they stay. Is this the right store? "
                "--force-delete removes them."
            )
        else:
            self._mend(self._lost(knowledge))

    def _lost(self, knowledge: Knowledge) -> Iterator[str]:
        return (key for key in knowledge.indexed_only if not self._originals.exists(key))

    def noted(self) -> None:
        """Work off all notes."""
        after = ""
        while not self._stop.is_set():
            page = self._originals.unsettled.pending(after, PAGE_NOTES)
            if not page:
                return
            after = page[-1][0]
            names: dict[str, list[str]] = {}
            for name, key in page:
                names.setdefault(key, []).append(name)
            for key in self._mended(names):
                self._originals.unsettled.drop(names[key])

    def _mend(self, image_keys: Iterable[str]) -> None:
        for _ in self._mended(image_keys):
            pass

    def _mended(self, image_keys: Iterable[str]) -> Iterator[str]:
        """Bring pictures in step; gives the keys of those that need no further try."""
        keys = iter(image_keys)
        while batch := list(islice(keys, self._batch_pictures)):
            if self._stop.is_set():
                return
            try:
                mended = self._mend_batch(batch)
            except (IndexError_, StoreError) as exc:
                if exc.code in STOP_CODES:
                    raise run_ends(exc.message, exc.code) from exc
                raise
            self._settled.written += len(mended.objects)
            self._settled.removed += len(mended.removed)
            self._settled.problems |= {
                key: f"{problem.stage}: {problem.reason}"
                for key, problem in mended.problems.items()
            }
            again = {key for key, problem in mended.problems.items() if problem.retryable}
            again |= set(mended.lacking)
            self._settled.unfinished |= bool(again)
            yield from (key for key in batch if key not in again)

    def _mend_batch(self, keys: Sequence[str]) -> Mended:
        index = self._index()
        lacking = [key for key in keys if index.picture(key) is None]
        kept = self._spool.kept(lacking)
        data, problems = self._mender.read([key for key in lacking if key not in kept])
        results = kept | self._mender.results(data)
        mended = self._mender.write(index, [key for key in keys if key not in problems], results)
        mended.problems |= problems
        return mended
