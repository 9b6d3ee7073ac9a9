"""What waits for the pipeline: requests of several pictures, by priority, bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import IntEnum

from embedding_pipeline.pipeline.tasks import PictureResult, PictureTask


class Priority(IntEnum):
    """Who goes first when several wait."""

    SEARCH = 0
    UPLOAD = 1
    BACKFILL = 2


@dataclass(slots=True)
class Request:
    """Tasks that were submitted together and the results that they have so far."""

    tasks: Sequence[PictureTask]
    future: Future[list[PictureResult]]
    results: dict[int, PictureResult] = field(default_factory=dict)

    def take(self, position: int, result: PictureResult) -> bool:
        """Keep a result; True with the last one. Not for several threads at once."""
        self.results[position] = result
        return len(self.results) == len(self.tasks)

    def finish(self) -> None:
        """Hand the results over, unless nobody wants them any more."""
        if not self.future.done() and self.future.set_running_or_notify_cancel():
            self.future.set_result([self.results[i] for i in range(len(self.tasks))])

    def fail(self, error: Exception) -> None:
        """Hand an error over, unless the request has ended."""
        if not self.future.done() and self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class Waiting:
    """Pictures that wait, in the order of their coming. The caller keeps threads apart.

    Args:
        most: pictures that may wait for each priority; one request alone may have more.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._queues: dict[Priority, deque[tuple[Request, int]]] = {
            priority: deque() for priority in Priority
        }

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return any(self._queues.values())

    def has(self, priority: Priority) -> bool:
        """Whether pictures of this priority wait."""
        return bool(self._queues[priority])

    def has_room(self, priority: Priority, count: int) -> bool:
        """Whether so many more may wait."""
        waiting = len(self._queues[priority])
        return waiting == 0 or waiting + count <= self._most

    def add(self, request: Request, priority: Priority) -> None:
        """Let all pictures of a request wait."""
        self._queues[priority].extend((request, i) for i in range(len(request.tasks)))

    def take(self, priority: Priority, count: int) -> list[tuple[Request, int]]:
        """The next pictures, fewer or none if no more wait; of ended requests none."""
        taken: list[tuple[Request, int]] = []
        queue = self._queues[priority]
        while queue and len(taken) < count:
            request, position = queue.popleft()
            if not request.future.done():
                taken.append((request, position))
        return taken

    def drop(self) -> list[Request]:
        """Everything that waits, which then waits no more."""
        requests = [request for queue in self._queues.values() for request, _ in queue]
        for queue in self._queues.values():
            queue.clear()
        return requests
