"""How far a run is: counted by the run, read by displays and by the API's status."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from embedding_pipeline.ingest.source_items import State

Clock = Callable[[], float]
STAGES = ("read", "models", "write")
MERGING = "the index to merge its parts, which takes long when it is large"
LOAD_S = 10.0
"""What "now" means for the load of a stage."""
MARK_S = 0.5
_NOTHING = dict.fromkeys(STAGES, 0.0)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a run at one moment.

    Args:
        state: ``idle`` before and after, ``running`` while pictures are worked on.
        done: items that have reached their state in this run.
        total: items that this run has to do; grows while the source is being listed.
        listing: the source is still being listed.
        states: how many of ``done`` ended in which state.
        objects: entries of kind object written.
        elapsed_s: seconds since the work began.
        load: share of the last LOAD_S seconds that each stage was busy, 0 to 1; of the whole
            work when it is over.
        waiting: what the run waits for, in words; empty while it works.
    """

    state: Literal["idle", "running"]
    done: int
    total: int
    listing: bool
    states: dict[str, int] = field(default_factory=dict)
    objects: int = 0
    elapsed_s: float = 0.0
    load: dict[str, float] = field(default_factory=dict)
    waiting: str = ""

    @property
    def images_per_s(self) -> float:
        """Items a second since the work began; 0 before the first."""
        return self.done / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def objects_per_s(self) -> float:
        """Objects a second since the work began."""
        return self.objects / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """Estimated seconds to the end; None while nothing is known."""
        if self.listing or not self.done or self.state == "idle":
            return None
        return (self.total - self.done) / self.images_per_s


class Progress:
    """Counts of a run. May be written and read from many threads.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._running = False
        self._listing = False
        self._reset()

    def begin(self) -> None:
        """A run starts: all counts from zero."""
        with self._lock:
            self._reset()
            self._running = self._listing = True

    def planned(self, count: int, *, complete: bool) -> None:
        """So many items are to be done; ``complete`` when the listing is at its end."""
        with self._lock:
            self._total = count
            if complete and self._listing:
                self._started = self._clock()
            self._listing = not complete

    def finished(self, state: State, objects: int) -> None:
        """One item reached its state."""
        with self._lock:
            self._states[state] += 1
            self._objects += objects

    def end(self) -> None:
        """The run is over; the counts stay readable."""
        with self._lock:
            if self._running:
                self._elapsed_s = self._clock() - self._started
            self._running = self._listing = False

    @contextmanager
    def busy(self, stage: str) -> Iterator[None]:
        """Count the time inside as this stage's; where several threads are inside, once."""
        with self._lock:
            if not self._inside[stage]:
                self._entered[stage] = self._clock()
            self._inside[stage] += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside[stage] -= 1
                if not self._inside[stage]:
                    self._busy_s[stage] += self._clock() - self._entered[stage]

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Say what the run waits for while the block lasts."""
        with self._lock:
            self._waiting[what] += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= Counter([what])

    def snapshot(self) -> Snapshot:
        """Counts of one moment."""
        with self._lock:
            elapsed = self._clock() - self._started if self._running else self._elapsed_s
            return Snapshot(
                state="running" if self._running else "idle",
                done=self._states.total(),
                total=self._total,
                listing=self._listing,
                states=dict(self._states),
                objects=self._objects,
                elapsed_s=elapsed,
                load=self._load(),
                waiting=", ".join(sorted(self._waiting)),
            )

    def _load(self) -> dict[str, float]:
        """Share of each stage since the oldest mark, which then moves on."""
        if not self._running:
            span = max(self._elapsed_s, 1e-9)
            return {stage: min(1.0, self._busy_s[stage] / span) for stage in STAGES}
        now = self._clock()
        busy = {
            stage: self._busy_s[stage] + (now - self._entered[stage] if self._inside[stage] else 0)
            for stage in STAGES
        }
        while len(self._marks) > 1 and now - self._marks[1][0] >= LOAD_S:
            self._marks.popleft()
        since, before = self._marks[0] if self._marks else (self._started, dict(_NOTHING))
        if not self._marks or now - self._marks[-1][0] >= MARK_S:
            self._marks.append((now, busy))
        span = max(now - since, 1e-9)
        return {stage: min(1.0, (busy[stage] - before[stage]) / span) for stage in STAGES}

    def _reset(self) -> None:
        self._marks: deque[tuple[float, dict[str, float]]] = deque()
        self._states: Counter[str] = Counter()
        self._busy_s: dict[str, float] = dict.fromkeys(STAGES, 0.0)
        self._inside: Counter[str] = Counter()
        self._entered: dict[str, float] = {}
        self._waiting: Counter[str] = Counter()
        self._objects = 0
        self._total = 0
        self._started = self._clock()
        self._elapsed_s = 0.0
