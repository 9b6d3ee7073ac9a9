"""The queue before the pipeline; upload, search and backfill hand it their pictures."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from embedding_pipeline.errors import BoxseekError, IndexUnavailable, ModelError
from embedding_pipeline.pipeline.pictures import PicturePipeline
from embedding_pipeline.pipeline.requests import Priority, Request, Waiting
from embedding_pipeline.pipeline.tasks import PictureResult, PictureTask
from embedding_pipeline.pipeline.turns import Rank, RankedTurn, Turns
from minio_proxy.errors import ProxyError, StoreUnavailable

__all__ = ["PipelineRunner", "Priority"]

AWAY = (IndexUnavailable, StoreUnavailable)
"""Errors that pass by themselves: something does not answer now."""

MOST_RETRY_S = 30.0

LANES = 2
"""Batches of one priority under way at once: while one is at the models, the other is decoded
or cropped."""


@dataclass(frozen=True, slots=True)
class _Exchange:
    """A pipeline that waits for its turn, and what is to be done in that moment."""

    pipeline: PicturePipeline
    then: Callable[[], None]
    done: Future[None]


class PipelineRunner:
    """A bounded queue before one pipeline, whose models are loaded and used in one thread only.

    Requests of one priority that wait together share batches. Every priority has lanes of its
    own, so a search is decoded at once; at the models it waits for one piece of a backfill's
    batch at most (see Turns).

    Args:
        factory: builds the pipeline (loads the models), in the models' thread; called again
            after a while when it failed with one of AWAY, else once.
        batch_pictures: pictures in one batch.
        max_waiting: pictures that may wait for each priority; submitting more blocks.
        retry_s: the first pause before the factory is called again; it doubles up to
            MOST_RETRY_S.
        lanes: batches of one priority under way at once.
    """

    def __init__(
        self,
        factory: Callable[[], PicturePipeline],
        *,
        batch_pictures: int = 8,
        max_waiting: int = 64,
        retry_s: float = 1.0,
        lanes: int = LANES,
    ) -> None:
        self._factory = factory
        self._batch_pictures = batch_pictures
        self._retry_s = retry_s
        self._turns = Turns()
        self._changed = threading.Condition()
        self._waiting = Waiting(max_waiting)
        self._numbers = itertools.count()
        self._running = 0
        self._next: _Exchange | None = None
        self._closed = False
        self._pipeline: PicturePipeline | None = None
        self._error: BoxseekError | ProxyError | None = None
        self._settled = threading.Event()
        self._lanes = [
            threading.Thread(
                target=self._lane, args=(priority,), name=f"lane-{priority.name}", daemon=True
            )
            for priority in Priority
            for _ in range(lanes)
        ]
        self._thread = threading.Thread(target=self._work, name="pipeline", daemon=True)
        for thread in (self._thread, *self._lanes):
            thread.start()

    @property
    def ready(self) -> bool:
        """The models are loaded."""
        return self._pipeline is not None

    @property
    def error(self) -> BoxseekError | ProxyError | None:
        """Why the models could not be loaded; every submitted request gets it too.

        One of AWAY goes by itself once what is away is back.
        """
        return self._error

    @property
    def pipeline(self) -> PicturePipeline | None:
        """The pipeline once it is ready: for its description and labels, not to be run."""
        return self._pipeline

    def wait_ready(self, timeout_s: float | None = None) -> bool:
        """Wait until the models are loaded; True if they are, False if not (yet)."""
        self._settled.wait(timeout_s)
        return self.ready

    def submit(
        self, tasks: Sequence[PictureTask], priority: Priority = Priority.SEARCH
    ) -> Future[list[PictureResult]]:
        """Queue tasks; blocks while too many of this priority wait.

        Returns:
            A future of one result a task, in order. What breaks the pipeline itself, and the
            models' loading error, are the future's exception.

        Raises:
            ModelError: the runner is closed.
        """
        future: Future[list[PictureResult]] = Future()
        if not tasks:
            future.set_result([])
            return future
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or self._waiting.has_room(priority, len(tasks))
            )
            if self._closed:
                raise ModelError("the pipeline is closed")
            if self._error is not None:
                future.set_exception(self._error)
                return future
            self._waiting.add(Request(tuple(tasks), future), priority)
            self._changed.notify_all()
        return future

    def run(
        self, tasks: Sequence[PictureTask], priority: Priority = Priority.SEARCH
    ) -> list[PictureResult]:
        """Submit tasks and wait for their results."""
        return self.submit(tasks, priority).result()

    def attending(self) -> AbstractContextManager[None]:
        """While a search is being answered, background work begins no further piece."""
        return self._turns.attending()

    def exchange(self, pipeline: PicturePipeline, then: Callable[[], None]) -> None:
        """Use another pipeline from the next batch on; returns once it is in use.

        Args:
            pipeline: built elsewhere, used and closed by this runner from now on.
            then: called when no batch runs.

        Raises:
            ModelError: the runner is closed, or its first models are not loaded.
        """
        done: Future[None] = Future()
        with self._changed:
            if self._closed or not self.ready or self._next is not None:
                raise ModelError("the pipeline cannot be exchanged now")
            self._next = _Exchange(pipeline, then, done)
            self._changed.notify_all()
        done.result()

    def close(self) -> None:
        """End after the batches under way; what still waits fails."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for lane in self._lanes:
            lane.join()
        self._turns.end()
        self._thread.join()

    def _work(self) -> None:
        """Load the models and do the lanes' pieces of model work, in this one thread."""
        try:
            self._load_patiently()
            if self._pipeline is not None:
                self._turns.serve()
        finally:
            self._drop_waiting(self._error or ModelError("the pipeline is closed"))
            if self._pipeline is not None:
                self._pipeline.close()

    def _load_patiently(self) -> None:
        """Load the models; while what they need is away, again and again until closed."""
        pause_s = self._retry_s
        self._load()
        while isinstance(self._error, AWAY):
            self._drop_waiting(self._error)
            with self._changed:
                if self._changed.wait_for(lambda: self._closed, pause_s):
                    return
            pause_s = min(2 * pause_s, MOST_RETRY_S)
            self._load()

    def _load(self) -> None:
        pipeline: PicturePipeline | None = None
        error: BoxseekError | ProxyError | None = None
        try:
            pipeline = self._factory()
            pipeline.warm_up()
        except (BoxseekError, ProxyError) as known:
            error = known
        except Exception as foreign:  # noqa: BLE001 - loading code of any library; kept and shown
            error = ModelError(
                f"the models could not be loaded: {type(foreign).__name__}: {foreign}"
            )
            error.__cause__ = foreign
        with self._changed:
            self._error = error
            if error is None:
                self._pipeline = pipeline
            self._changed.notify_all()
        self._settled.set()

    def _lane(self, priority: Priority) -> None:
        """Take batches of one priority, one after another, until it is time to end."""
        while (taken := self._take(priority)) is not None:
            try:
                self._run(*taken, priority)
            finally:
                with self._changed:
                    self._running -= 1
                    self._changed.notify_all()

    def _take(
        self, priority: Priority
    ) -> tuple[PicturePipeline, list[tuple[Request, int]], int] | None:
        """The pipeline, the next batch and its number; None when it is time to end."""
        with self._changed:
            while not self._closed:
                self._exchange_when_idle()
                if self._pipeline is not None and self._next is None:
                    batch = self._waiting.take(priority, self._batch_pictures)
                    self._changed.notify_all()
                    if batch:
                        self._running += 1
                        return self._pipeline, batch, next(self._numbers)
                self._changed.wait_for(lambda: self._closed or self._has_work(priority))
        return None

    def _has_work(self, priority: Priority) -> bool:
        if self._next is not None:
            return self._running == 0
        return self._pipeline is not None and self._waiting.has(priority)

    def _exchange_when_idle(self) -> None:
        """Use the pipeline that is waiting, if there is one and no batch is under way."""
        if self._next is None or self._running:
            return
        before, following, self._next = self._pipeline, self._next, None
        self._changed.notify_all()
        try:
            following.then()
        except BaseException as error:  # noqa: BLE001 - raised where exchange was called
            following.done.set_exception(error)
            return
        self._pipeline = following.pipeline
        if before is not None:
            before.close()
        following.done.set_result(None)

    def _run(
        self,
        pipeline: PicturePipeline,
        batch: Sequence[tuple[Request, int]],
        number: int,
        priority: Priority,
    ) -> None:
        turn = RankedTurn(self._turns, Rank(priority, number))
        attending = self.attending() if priority is Priority.SEARCH else nullcontext()
        try:
            with attending:
                results = pipeline.run([request.tasks[i] for request, i in batch], turn)
        except Exception as error:  # noqa: BLE001 - reaches every caller of this batch
            for request, _ in batch:
                request.fail(error)
            return
        for (request, position), result in zip(batch, results, strict=True):
            with self._changed:
                whole = request.take(position, result)
            if whole:
                request.finish()

    def _drop_waiting(self, error: Exception) -> None:
        with self._changed:
            for request in self._waiting.drop():
                request.fail(error)
            if self._next is not None:
                self._next.done.set_exception(error)
                self._next = None
            self._changed.notify_all()
