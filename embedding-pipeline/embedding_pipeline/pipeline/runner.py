"""One thread that owns the models; upload, search and backfill hand it their pictures."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import IntEnum

from embedding_pipeline.errors import BoxseekError, ModelError
from embedding_pipeline.pipeline.pictures import PicturePipeline
from embedding_pipeline.pipeline.tasks import PictureResult, PictureTask
from minio_proxy.errors import ProxyError


class Priority(IntEnum):
    """Who goes first when several wait."""

    SEARCH = 0
    UPLOAD = 1
    BACKFILL = 2


@dataclass(slots=True)
class _Request:
    """Tasks that were submitted together and the results that they have so far."""

    tasks: Sequence[PictureTask]
    future: Future[list[PictureResult]]
    results: dict[int, PictureResult] = field(default_factory=dict)


class PipelineRunner:
    """A bounded queue before one pipeline, which is built and used in one thread only.

    Requests of one priority that wait together share batches; between two batches the
    highest priority goes first, so a search waits for one batch of a backfill at most.

    Args:
        factory: builds the pipeline (loads the models); called once, in the runner's thread.
        batch_pictures: pictures in one batch.
        max_waiting: pictures that may wait for each priority; submitting more blocks.
    """

    def __init__(
        self,
        factory: Callable[[], PicturePipeline],
        *,
        batch_pictures: int = 8,
        max_waiting: int = 64,
    ) -> None:
        self._factory = factory
        self._batch_pictures = batch_pictures
        self._max_waiting = max_waiting
        self._changed = threading.Condition()
        self._heap: list[tuple[Priority, int, int, _Request]] = []
        self._waiting = dict.fromkeys(Priority, 0)
        self._order = itertools.count()
        self._closed = False
        self._pipeline: PicturePipeline | None = None
        self._error: BoxseekError | ProxyError | None = None
        self._settled = threading.Event()
        self._thread = threading.Thread(target=self._work, name="pipeline", daemon=True)
        self._thread.start()

    @property
    def ready(self) -> bool:
        """The models are loaded."""
        return self._pipeline is not None

    @property
    def error(self) -> BoxseekError | ProxyError | None:
        """Why the models could not be loaded; every submitted request gets it too."""
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
        request = _Request(tuple(tasks), future)
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._has_room(priority, len(tasks)))
            if self._closed:
                raise ModelError("the pipeline is closed")
            if self._error is not None:
                future.set_exception(self._error)
                return future
            for position in range(len(tasks)):
                heapq.heappush(self._heap, (priority, next(self._order), position, request))
            self._waiting[priority] += len(tasks)
            self._changed.notify_all()
        return future

    def run(
        self, tasks: Sequence[PictureTask], priority: Priority = Priority.SEARCH
    ) -> list[PictureResult]:
        """Submit tasks and wait for their results."""
        return self.submit(tasks, priority).result()

    def close(self) -> None:
        """End the thread after the batch it works on; what still waits fails."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _has_room(self, priority: Priority, count: int) -> bool:
        waiting = self._waiting[priority]
        return waiting == 0 or waiting + count <= self._max_waiting

    def _work(self) -> None:
        try:
            self._load()
            while batch := self._next_batch():
                self._run(batch)
        finally:
            self._drop_waiting(self._error or ModelError("the pipeline is closed"))
            if self._pipeline is not None:
                self._pipeline.close()

    def _load(self) -> None:
        try:
            self._pipeline = self._factory()
        except (BoxseekError, ProxyError) as error:
            self._error = error
        except Exception as error:  # noqa: BLE001 - loading code of any library; kept and shown
            self._error = ModelError(
                f"the models could not be loaded: {type(error).__name__}: {error}"
            )
            self._error.__cause__ = error
        self._settled.set()

    def _next_batch(self) -> list[tuple[_Request, int]]:
        """The next pictures of the highest waiting priority; empty when it is time to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._error or self._heap)
            if self._closed or self._error:
                return []
            first = self._heap[0][0]
            batch: list[tuple[_Request, int]] = []
            while self._heap and self._heap[0][0] == first and len(batch) < self._batch_pictures:
                _, _, position, request = heapq.heappop(self._heap)
                self._waiting[first] -= 1
                if not request.future.done():
                    batch.append((request, position))
            self._changed.notify_all()
        return batch or self._next_batch()

    def _run(self, batch: Sequence[tuple[_Request, int]]) -> None:
        pipeline = self._pipeline
        if pipeline is None:
            raise ModelError("the pipeline runs before it is loaded")
        try:
            results = pipeline.run([request.tasks[position] for request, position in batch])
        except Exception as error:  # noqa: BLE001 - reaches every caller of this batch
            for request, _ in batch:
                _fail(request.future, error)
            return
        for (request, position), result in zip(batch, results, strict=True):
            request.results[position] = result
            if len(request.results) == len(request.tasks):
                _finish(request)

    def _drop_waiting(self, error: Exception) -> None:
        with self._changed:
            for _, _, _, request in self._heap:
                _fail(request.future, error)
            self._heap.clear()
            self._waiting = dict.fromkeys(Priority, 0)
            self._changed.notify_all()


def _finish(request: _Request) -> None:
    if request.future.set_running_or_notify_cancel():
        request.future.set_result([request.results[i] for i in range(len(request.tasks))])


def _fail(future: Future[list[PictureResult]], error: Exception) -> None:
    if not future.done() and future.set_running_or_notify_cancel():
        future.set_exception(error)
