"""What changes in a bucket, as its server tells it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from embedding_pipeline.ingest.source_items import Changes
from minio_proxy.errors import NotOffered, ProxyError
from minio_proxy.ports import BucketSource

ASK_AGAIN_S: Final = 600.0
MOST_WAIT_S: Final = 60.0
LOOK_S: Final = 0.2


class Once:
    """Does something the first time it is called, in whatever thread.

    Args:
        act: what to do.
    """

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act
        self._lock = threading.Lock()
        self._done = False

    def __call__(self) -> None:
        """Do it, unless it was done."""
        with self._lock:
            if not self._done:
                self._done = True
                self._act()


class BucketWatcher:
    """Tells of every object below a prefix that is written or removed.

    MinIO tells; with any other server the whole bucket is compared over and over.

    Args:
        bucket: the bucket.
        prefix: that keys begin with.
        name: of the source, for messages.
    """

    def __init__(self, bucket: BucketSource, prefix: str, name: str) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._name = name

    def run(self, changes: Changes, stop: threading.Event) -> None:
        """Tell until stop is set."""
        wait_s, said = 1.0, ""
        while not stop.is_set():
            heard = threading.Event()
            try:
                self._listen(changes, stop, heard)
            except NotOffered as exc:
                if exc.message != said:
                    changes.say(f"{exc.message} {self._name} is compared over and over instead.")
                said = exc.message
                self._poll(changes, stop)
            except ProxyError as exc:
                if not stop.is_set():
                    changes.say(f"{self._name} tells no changes now: {exc.message}")
            changes.lost()
            wait_s = 1.0 if heard.is_set() else min(2 * wait_s, MOST_WAIT_S)
            stop.wait(wait_s)

    def _listen(self, changes: Changes, stop: threading.Event, heard: threading.Event) -> None:
        def connected() -> None:
            heard.set()
            changes.lost()  # what changed before this connection is not told

        done = threading.Event()
        listened = self._bucket.listen(self._prefix, connected)
        keys = listened.__enter__()
        close = Once(partial(listened.__exit__, None, None, None))
        closer = threading.Thread(target=_close_at_stop, args=(close, stop, done), daemon=True)
        closer.start()
        try:
            for key in keys:
                changes.add([key])
        except (AttributeError, ValueError, OSError):
            # What reading gives when the connection is closed under it.
            if not stop.is_set():
                raise
        finally:
            done.set()
            closer.join()
            close()

    @staticmethod
    def _poll(changes: Changes, stop: threading.Event) -> None:
        """Have the whole compared for a while, after which the server is asked again."""
        until = time.monotonic() + ASK_AGAIN_S
        while not stop.is_set() and time.monotonic() < until:
            changes.lost()
            stop.wait(changes.pace_s)


def _close_at_stop(
    close: Callable[[], object], stop: threading.Event, done: threading.Event
) -> None:
    """Close the connection when it is time, as only that ends a wait for the next change."""
    while not done.wait(LOOK_S):
        if stop.is_set():
            with suppress(Exception):
                close()
            return
