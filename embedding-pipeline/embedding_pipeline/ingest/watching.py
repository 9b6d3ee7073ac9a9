"""A source kept in step: what changes is brought in at once, the whole compared now and then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from embedding_pipeline.errors import BoxseekError, DeleteRefused
from embedding_pipeline.ingest.run_report import RunReport
from embedding_pipeline.ingest.source_items import Watcher
from minio_proxy.errors import ProxyError

QUIET_S: Final = 1.0
"""A path is looked at when nothing was told of it for so long: files take time to be written."""
MOST_QUIET_S: Final = 30.0
"""One that never comes to rest is looked at all the same."""
LOOK_S: Final = 0.2
SETTLE_S: Final = 5.0
SETTLE_AGAIN_S: Final = 60.0
LISTENING_S: Final = 60.0
MOST_WAIT_S: Final = 60.0
LEAST_PACE_S: Final = 2.0
MOST_PACE_S: Final = 60.0
PACE: Final = 10
"""Where nothing is told, comparisons of the whole take at most a tenth of the time or so."""


class Pending:
    """Paths of which a change was told, until they are taken. May be used from many threads.

    Args:
        say: tells people something.
        clock: seconds, monotonic.
    """

    def __init__(
        self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.say = say
        self._clock = clock
        self._lock = threading.Lock()
        self._first: dict[str, float] = {}
        self._last: dict[str, float] = {}
        self._lost = False
        self.pace_s = LEAST_PACE_S
        self.listening = threading.Event()

    def add(self, paths: Iterable[str]) -> None:
        """These paths changed, came or went."""
        now = self._clock()
        with self._lock:
            for path in paths:
                self._first.setdefault(path, now)
                self._last[path] = now

    def lost(self) -> None:
        """Changes may have gone by untold; from now on they are told again."""
        with self._lock:
            self._lost = True
        self.listening.set()

    def take_lost(self) -> bool:
        """Whether changes went by since this was asked last; what waits is then dropped.

        The comparison of everything that follows sees what waited, too.
        """
        with self._lock:
            lost, self._lost = self._lost, False
            if lost:
                self._first.clear()
                self._last.clear()
            return lost

    def take(self) -> list[str]:
        """Paths that came to rest, in order."""
        now = self._clock()
        with self._lock:
            ready = sorted(
                path
                for path, last in self._last.items()
                if now - last >= QUIET_S or now - self._first[path] >= MOST_QUIET_S
            )
            for path in ready:
                del self._first[path], self._last[path]
        return ready


class Run(Protocol):
    """One run over some paths, or over the whole source."""

    def __call__(self, only: Sequence[str] | None, *, removed: int, delete: bool) -> RunReport:
        """Bring in what changed.

        Args:
            only: paths of files and folders; None for the whole source.
            removed: pictures that were removed since the last run over the whole.
            delete: removing is allowed, if it was asked for at all.
        """
        ...


class Watch:
    """Runs as things change, until it is stopped.

    Neither a source nor a store nor an index that goes away ends it: it says so, waits ever
    longer, and then compares everything.

    Args:
        run: does the work.
        watcher: tells of changes.
        unsettled: whether something came or went without the index.
        stop: ends it after the batch in flight.
        reconcile_s: seconds between comparisons of the whole.
        tell: gets the report of each run, and whether it was over the whole.
        say: tells people something.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        run: Run,
        watcher: Watcher,
        unsettled: Callable[[], bool],
        stop: threading.Event,
        *,
        reconcile_s: float,
        tell: Callable[[RunReport, bool], None],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._watcher = watcher
        self._unsettled = unsettled
        self._stop = stop
        self._reconcile_s = reconcile_s
        self._tell = tell
        self._say = say
        self._clock = clock
        self._pending = Pending(say, clock)
        self._removed = 0
        self._next_whole = clock()
        self._next_settle = clock() + SETTLE_S
        self._wait_s = 0.0
        self._said = ""

    def go(self) -> RunReport | None:
        """Watch until stop is set; gives the report of the last run over the whole."""
        listener = threading.Thread(
            target=self._watcher.run, args=(self._pending, self._stop), name="watch", daemon=True
        )
        listener.start()
        last: RunReport | None = None
        try:
            self._wait_for_listener()
            while not self._stop.is_set():
                last = self._step() or last
                self._stop.wait(self._wait_s or LOOK_S)
        finally:
            self._stop.set()
            listener.join()
        return last

    def _wait_for_listener(self) -> None:
        """Begin to compare only when changes are told, so that none goes by in between."""
        waited = self._clock() + LISTENING_S
        while not self._stop.is_set() and not self._pending.listening.wait(LOOK_S):
            if self._clock() > waited:
                return

    def _step(self) -> RunReport | None:
        """Do what is to be done now; gives the report of a run over the whole."""
        try:
            lost = self._pending.take_lost()
            if lost or self._clock() >= self._next_whole:
                report = self._whole()
            else:
                self._some()
                report = None
        except (BoxseekError, ProxyError) as exc:
            self._wait_s = min(max(1.0, 2 * self._wait_s), MOST_WAIT_S)
            self._next_whole = self._clock()
            if exc.message != self._said:
                self._say(f"{exc.message} Watching goes on; it is tried again.")
            self._said = exc.message
            return None
        if self._said:
            self._say("it works again")
        self._wait_s, self._said = 0.0, ""
        return report

    def _whole(self) -> RunReport:
        # Set before the run: what changes during it is told.
        due = self._clock() + self._reconcile_s
        began = self._clock()
        report = self._go(None, 0)
        took_s = self._clock() - began
        self._pending.pace_s = min(max(LEAST_PACE_S, PACE * took_s), MOST_PACE_S)
        self._removed = 0
        self._next_whole = due
        return report

    def _some(self) -> None:
        paths = self._pending.take()
        settle = self._clock() >= self._next_settle
        if settle:
            self._next_settle = self._clock() + SETTLE_S
        if paths or (settle and self._unsettled()):
            report = self._go(paths, self._removed)
            self._removed += report.deleted
            if report.settled.problems:
                self._next_settle = self._clock() + SETTLE_AGAIN_S

    def _go(self, only: Sequence[str] | None, removed: int) -> RunReport:
        try:
            report = self._run(only, removed=removed, delete=True)
        except DeleteRefused as exc:
            self._say(exc.message)
            report = self._run(only, removed=removed, delete=False)
        self._tell(report, only is None)
        return report
