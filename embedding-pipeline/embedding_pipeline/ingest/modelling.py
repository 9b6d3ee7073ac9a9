"""Model work of a run: on what the index does not have, each result kept at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from embedding_pipeline.ingest.library import Models, result_problem
from embedding_pipeline.ingest.patience import patiently
from embedding_pipeline.ingest.progress import Progress
from embedding_pipeline.ingest.result_spool import ResultSpool
from embedding_pipeline.ingest.shelving import Shelf
from embedding_pipeline.ingest.source_items import Problem, SourceItem
from embedding_pipeline.ingest.stages import Turns, read_ahead
from embedding_pipeline.pipeline.tasks import PictureResult, PictureTask

UNDER_WAY = 2
"""Parts of a batch at the models at once: while one is decoded or cropped, the other is at them."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """An item on its way: read, perhaps run through the models, or failed on the way.

    Args:
        item: what the source listed; its version is that of the bytes read.
        data: the bytes; empty with a problem.
        image_key: SHA-256 of the bytes; None when they were not read.
        result: what the models made of it; None when the index has it already.
        problem: why it goes no further.
        stamp: of the source's file, for records that point there.
    """

    item: SourceItem
    data: bytes = field(default=b"", repr=False)
    image_key: str | None = None
    result: PictureResult | None = None
    problem: Problem | None = None
    stamp: str = ""


class _Stopped(Exception):
    """The run is to end, and this part has not begun."""


class Modelling:
    """Runs the models on batches of what was read.

    Args:
        spool: where results wait for the index.
        shelf: tells what the index has.
        models: runs the pipeline; may be called from several threads.
        progress: counts for displays.
        batch_pictures: pictures that may be under way at once, in all parts together.
        stop: set by whoever wants the run to end after the batch in flight.
    """

    def __init__(
        self,
        *,
        spool: ResultSpool,
        shelf: Shelf,
        models: Models,
        progress: Progress,
        batch_pictures: int,
        stop: threading.Event,
    ) -> None:
        self._spool = spool
        self._shelf = shelf
        self._models = models
        self._progress = progress
        self._stop = stop
        self._turns = Turns()
        self._under_way = threading.Semaphore(min(UNDER_WAY, batch_pictures))
        self.part_pictures = max(1, batch_pictures // UNDER_WAY)
        """Pictures of a part, as ``parts`` wants them."""

    def parts(self, parts: Iterator[list[Loaded]]) -> Iterator[list[Loaded]]:
        """Run the models on what the index does not have.

        One part more than is at the models is on its way: what is known of it is looked up
        meanwhile, so that the models hardly wait. One that has not begun when stop is set is
        left for the next run.
        """

        def modelled(part: list[Loaded]) -> list[Loaded]:
            with suppress(_Stopped):
                return self._with_results(part, stops=True)
            return []

        ahead = UNDER_WAY + 1
        return read_ahead(parts, modelled, threads=ahead, weight=lambda _: 1, budget=ahead)

    def anew(self, one: Loaded) -> Loaded:
        """Model work for a picture whose result does not serve (any more)."""
        self._spool.drop([one.image_key] if one.image_key else [])
        return self._with_results([one], stops=False)[0]

    def _with_results(self, batch: Sequence[Loaded], *, stops: bool) -> list[Loaded]:
        data = {one.image_key: one.data for one in batch if one.image_key}
        results = self._results(data, stops=stops)
        return [_joined(one, results.get(one.image_key or "")) for one in batch]

    def _results(self, data: dict[str, bytes], *, stops: bool) -> dict[str, PictureResult]:
        """Results by key: kept ones, and fresh ones of what the index does not have.

        The same picture in two parts is one part's work; the other finds the kept result.
        """
        with self._turns.hold(data):
            return self._kept_or_made(data, stops=stops)

    def _kept_or_made(self, data: dict[str, bytes], *, stops: bool) -> dict[str, PictureResult]:
        results = self._spool.kept(data)
        missing = [key for key in data if key not in results and self._objects_of(key) is None]
        if missing:
            results |= self._made({key: data[key] for key in missing}, stops=stops)
        return results

    def _objects_of(self, image_key: str) -> int | None:
        return patiently(lambda: self._shelf.objects_of(image_key), self._stop)

    def _made(self, data: Mapping[str, bytes], *, stops: bool) -> dict[str, PictureResult]:
        """Model work, kept before the next part begins: a kill costs one batch at most."""
        with self._under_way:
            if stops and self._stop.is_set():
                raise _Stopped
            tasks = [PictureTask(content, key=key) for key, content in data.items()]
            with self._progress.busy("models"):
                fresh = dict(zip(data, self._models(tasks), strict=True))
            self._spool.put(fresh)
            return fresh


def _joined(one: Loaded, result: PictureResult | None) -> Loaded:
    """An item with its result; a failed result is the item's problem."""
    if result is None:
        return one
    return replace(one, result=result, problem=one.problem or result_problem(result))
