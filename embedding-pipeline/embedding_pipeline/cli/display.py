"""Progress on a terminal, as plain lines, or as JSON lines."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TextIO, TypeAlias

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from embedding_pipeline.ingest.progress import Progress as Counts
from embedding_pipeline.ingest.progress import Snapshot

Mode: TypeAlias = Literal["live", "plain", "json"]
LIVE_S = 0.25
PLAIN_S = 5.0
JSON_S = 1.0


def mode_for(stream: TextIO, *, as_json: bool) -> Mode:
    """JSON when asked for, live on a terminal, else plain lines."""
    if as_json:
        return "json"
    return "live" if stream.isatty() else "plain"


@contextmanager
def shown(counts: Counts, mode: Mode, stream: TextIO | None = None) -> Iterator[None]:
    """Show progress while the block runs, and its last state at the end."""
    stream = stream or sys.stderr
    ended = threading.Event()
    show = _live if mode == "live" else _lines
    thread = threading.Thread(
        target=show, args=(counts, mode, stream, ended), name="display", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def text_of(snapshot: Snapshot) -> str:
    """One plain line: what is done, how fast, how long still, what failed."""
    total = f"{snapshot.total:,}" + ("+" if snapshot.listing else "")
    return (
        f"{snapshot.done:,} of {total} {'picture' if snapshot.total == 1 else 'pictures'}, "
        f"{_rates(snapshot)}, {_left(snapshot)}, {_trouble(snapshot)}, {_load(snapshot)}"
        f"{_waiting(snapshot)}"
    )


def json_of(snapshot: Snapshot) -> str:
    """One JSON object a line."""
    left_s = snapshot.left_s
    return json.dumps(
        {
            "event": "progress",
            "state": snapshot.state,
            "done": snapshot.done,
            "total": snapshot.total,
            "listing": snapshot.listing,
            "states": snapshot.states,
            "objects": snapshot.objects,
            "elapsed_s": round(snapshot.elapsed_s, 3),
            "left_s": None if left_s is None else round(left_s, 1),
            "images_per_s": round(snapshot.images_per_s, 2),
            "objects_per_s": round(snapshot.objects_per_s, 2),
            "load": {stage: round(share, 3) for stage, share in snapshot.load.items()},
            "waiting": snapshot.waiting,
        }
    )


def _lines(counts: Counts, mode: Mode, stream: TextIO, ended: threading.Event) -> None:
    """A line every few seconds while there is something to tell, and one at the end."""
    told = (-1, "")
    while not ended.wait(JSON_S if mode == "json" else PLAIN_S):
        snapshot = counts.snapshot()
        news = (snapshot.done, snapshot.waiting)
        if snapshot.state == "running" and news != told:
            _line(snapshot, mode, stream)
            told = news
    last = counts.snapshot()
    if last.done > max(told[0], 0):
        _line(last, mode, stream)


def _line(snapshot: Snapshot, mode: Mode, stream: TextIO) -> None:
    print(json_of(snapshot) if mode == "json" else text_of(snapshot), file=stream, flush=True)


def _live(counts: Counts, mode: Mode, stream: TextIO, ended: threading.Event) -> None:
    """A bar, and below it a line of facts, so that both fit a narrow terminal."""
    del mode
    bar = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    task = bar.add_task("listing", total=None)
    facts = Text()
    with Live(Group(bar, facts), console=Console(file=stream), refresh_per_second=4) as live:
        while True:
            last = ended.wait(LIVE_S)
            snapshot = counts.snapshot()
            bar.update(
                task,
                description="listing" if snapshot.listing else "indexing",
                completed=snapshot.done,
                total=None if snapshot.listing else snapshot.total,
            )
            facts.plain = _facts(snapshot)
            if last:
                live.refresh()
                return


def _facts(snapshot: Snapshot) -> str:
    told = f"{_rates(snapshot)} · {_left(snapshot)} · {_trouble(snapshot)} · {_load(snapshot)}"
    return f"{told}{_waiting(snapshot)}"


def _load(snapshot: Snapshot) -> str:
    return "busy: " + " ".join(f"{stage} {share:.0%}" for stage, share in snapshot.load.items())


def _waiting(snapshot: Snapshot) -> str:
    return f" · waiting: {snapshot.waiting}" if snapshot.waiting else ""


def _rates(snapshot: Snapshot) -> str:
    return f"{snapshot.images_per_s:.1f} images/s, {snapshot.objects_per_s:.1f} objects/s"


def _left(snapshot: Snapshot) -> str:
    if snapshot.state == "idle":
        return f"took {snapshot.elapsed_s:.1f} s"
    if snapshot.left_s is None:
        return "time left unknown"
    minutes, seconds = divmod(round(snapshot.left_s), 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
    return f"{clock} left"


def _trouble(snapshot: Snapshot) -> str:
    failed, rejected = snapshot.states.get("failed", 0), snapshot.states.get("rejected", 0)
    return f"{failed:,} failed" + (f", {rejected:,} rejected" if rejected else "")
