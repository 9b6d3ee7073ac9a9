"""Stages of a run that overlap: each in its own threads, with a bounded amount in between."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_END = object()
_WAIT_S = 0.1


def read_ahead(
    items: Iterable[T],
    work: Callable[[T], R],
    *,
    threads: int,
    weight: Callable[[T], int],
    budget: int,
) -> Iterator[R]:
    """Results of ``work`` in the order of the items, several being worked on at once.

    Args:
        items: what to work on; taken only as far as the budget reaches.
        work: may be called from several threads.
        threads: how many.
        weight: what an item holds in memory, e.g. bytes.
        budget: most weight in flight; one item alone may exceed it.
    """
    held = 0
    waiting: deque[tuple[int, Future[R]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="read") as pool:
        for item in items:
            heavy = weight(item)
            while waiting and (held + heavy > budget or len(waiting) >= 4 * threads):
                done, future = waiting.popleft()
                held -= done
                yield future.result()
            waiting.append((heavy, pool.submit(work, item)))
            held += heavy
        while waiting:
            yield waiting.popleft()[1].result()


class Turns:
    """Keeps threads apart that work on the same picture."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: set[str] = set()

    @contextmanager
    def hold(self, keys: Collection[str]) -> Iterator[None]:
        """Wait until nobody else holds any of these keys, and hold them all for the block."""
        with self._changed:
            self._changed.wait_for(lambda: self._held.isdisjoint(keys))
            self._held.update(keys)
        try:
            yield
        finally:
            with self._changed:
                self._held.difference_update(keys)
                self._changed.notify_all()


@contextmanager
def in_background(items: Iterator[T]) -> Iterator[Iterator[T]]:
    """Let another thread run an iterator, one result ahead of whoever takes them.

    An error of the iterator is raised where its result would have been taken. At the end of
    the block the thread stops at its next result and is waited for.
    """
    results: queue.Queue[object] = queue.Queue(maxsize=1)
    stopped = threading.Event()
    errors: list[BaseException] = []

    def fill() -> None:
        try:
            for item in items:
                if not _offer(results, item, stopped):
                    return
        except BaseException as exc:  # noqa: BLE001 - raised again by take, in the caller's thread
            errors.append(exc)
        finally:
            _offer(results, _END, stopped)

    def take() -> Iterator[T]:
        while (result := results.get()) is not _END:
            yield result  # type: ignore[misc]  # the queue holds T and the end mark
        if errors:
            raise errors[0]

    thread = threading.Thread(target=fill, name="models", daemon=True)
    thread.start()
    try:
        yield take()
    finally:
        stopped.set()
        thread.join()


def _offer(results: queue.Queue[object], item: object, stopped: threading.Event) -> bool:
    """Put an item as soon as there is room; False when nobody wants it any more."""
    while not stopped.is_set():
        try:
            results.put(item, timeout=_WAIT_S)
        except queue.Full:
            continue
        return True
    return False
