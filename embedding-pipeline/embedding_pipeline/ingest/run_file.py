"""What a run of another process is doing: a small file that the run renews every second."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from embedding_pipeline.ingest.progress import Progress

RunKind: TypeAlias = Literal["ingest", "rebuild", "reindex", "import"]

EVERY_S = 1.0
STALE_S = 30.0
"""A run that has not renewed its file for so long is over, whatever its process number says."""


@dataclass(frozen=True, slots=True)
class OtherRun:
    """A run that goes on in another process.

    Args:
        kind: which command.
        what: what it works on, in words.
        done: pictures that have reached their state.
        total: pictures that it has to do.
        images_per_s: since the work began.
        left_s: estimated seconds to the end; None while nothing is known.
    """

    kind: RunKind
    what: str
    done: int
    total: int
    images_per_s: float
    left_s: float | None


@contextmanager
def announced(folder: Path, kind: RunKind, what: str, progress: Progress) -> Iterator[None]:
    """Let other processes see how far this run is, inside the block.

    A file that cannot be written stops nothing: it is there to be looked at only.

    Args:
        folder: of the file, the same for all processes of a data folder.
        kind: which command.
        what: what it works on, in words.
        progress: of the run.
    """
    path = folder / f"run-{kind}.json"
    ended = threading.Event()

    def renew() -> None:
        while True:
            with suppress(OSError):
                _write(path, _fields(kind, what, progress))
            if ended.wait(EVERY_S):
                return

    thread = threading.Thread(target=renew, name="announce", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with suppress(OSError):
            path.unlink(missing_ok=True)


def other_runs(folder: Path, now: Callable[[], float] = time.time) -> list[OtherRun]:
    """Runs of other processes that are at work now; files of dead ones count for nothing."""
    found = (_read(folder / f"run-{kind}.json", now()) for kind in get_args(RunKind))
    return [run for run in found if run is not None]


def _fields(kind: RunKind, what: str, progress: Progress) -> dict[str, Any]:
    snapshot = progress.snapshot()
    return {
        "kind": kind,
        "what": what,
        "pid": os.getpid(),
        "pid_began": _began(os.getpid()),
        "host": socket.gethostname(),
        "at": time.time(),
        "state": snapshot.state,
        "done": snapshot.done,
        "total": snapshot.total,
        "images_per_s": snapshot.images_per_s,
        "left_s": snapshot.left_s,
    }


def _write(path: Path, fields: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(f".{os.getpid()}.half")
    half.write_text(json.dumps(fields), encoding="utf-8")
    half.replace(path)


def _read(path: Path, now: float) -> OtherRun | None:
    try:
        fields = json.loads(path.read_bytes())
        if fields["state"] != "running" or not _alive(fields, now):
            return None
        return OtherRun(
            kind=fields["kind"],
            what=str(fields["what"]),
            done=int(fields["done"]),
            total=int(fields["total"]),
            images_per_s=float(fields["images_per_s"]),
            left_s=None if fields["left_s"] is None else float(fields["left_s"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _alive(fields: dict[str, Any], now: float) -> bool:
    """Whether it is another process that lives; on another machine, by the file's age alone."""
    if abs(now - float(fields["at"])) > STALE_S:
        return False
    if fields["host"] != socket.gethostname():
        return True
    pid = int(fields["pid"])
    began = _began(pid)
    return pid != os.getpid() and began is not None and began == fields["pid_began"]


def _began(pid: int) -> str | None:
    """When a process began, in the system's own count; None when there is no such process."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    except OSError:
        return None
    return after_name.split()[19]
