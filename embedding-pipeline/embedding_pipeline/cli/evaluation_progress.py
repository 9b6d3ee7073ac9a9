"""How far a measurement is, on a terminal or in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from embedding_pipeline.evaluation.gallery import Watcher

EVERY_S = 5.0


class Bars:
    """A bar a stage, with rate and time left; the Watcher of a measurement.

    Args:
        progress: shows them.
        name: of the settings that are measured.
    """

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._name = name
        self._task: TaskID | None = None

    def begin(self, stage: str, total: int) -> None:
        """See Watcher."""
        if self._task is not None:
            self._progress.update(self._task, visible=False)
        self._task = self._progress.add_task(f"{self._name[:24]}: {stage}", total=total)

    def advance(self, steps: int = 1) -> None:
        """See Watcher."""
        if self._task is not None:
            self._progress.advance(self._task, steps)


class _Rate(ProgressColumn):
    """Steps a second."""

    def render(self, task: Task) -> Text:
        """See ProgressColumn."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "")


class Lines:
    """A line every few seconds where there is no terminal; the Watcher of a measurement.

    Args:
        stream: gets them.
        name: of the settings that are measured.
        clock: seconds that only grow.
        every_s: seconds between two lines of one stage.
    """

    def __init__(
        self,
        stream: TextIO,
        name: str,
        clock: Callable[[], float] = time.monotonic,
        every_s: float = EVERY_S,
    ) -> None:
        self._stream = stream
        self._name = name
        self._clock = clock
        self._every_s = every_s
        self._stage = ""
        self._done = self._total = 0
        self._began = self._told = 0.0

    def begin(self, stage: str, total: int) -> None:
        """See Watcher."""
        self._stage, self._total, self._done = stage, total, 0
        self._began = self._told = self._clock()

    def advance(self, steps: int = 1) -> None:
        """See Watcher."""
        self._done += steps
        now = self._clock()
        if now - self._told >= self._every_s or self._done == self._total:
            self._told = now
            print(self._text(now - self._began), file=self._stream, flush=True)

    def _text(self, elapsed_s: float) -> str:
        text = f"{self._name[:24]}: {self._stage}: {self._done:,} of {self._total:,}"
        if not elapsed_s:
            return text
        rate = self._done / elapsed_s
        minutes, seconds = divmod(round((self._total - self._done) / rate), 60)
        return f"{text}, {rate:.1f}/s, {minutes}:{seconds:02d} left"


@contextmanager
def watching(stream: TextIO) -> Iterator[Callable[[str], Watcher]]:
    """Show progress while the block runs: bars on a terminal, else lines.

    Gives a function from the name of what is measured to its Watcher.
    """
    if not stream.isatty():
        yield lambda name: Lines(stream, name)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=stream), transient=True) as progress:
        yield lambda name: Bars(progress, name)
