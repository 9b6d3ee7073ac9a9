"""What changes in a folder, as the system tells it."""

from __future__ import annotations

import os
import threading
from typing import Final

from watchfiles import watch

from embedding_pipeline.ingest.source_items import Changes

LOOK_MS: Final = 1000
"""How often the watched folder itself is looked at: who is mounted away tells nothing."""
GATHER_MS: Final = 200
AGAIN_S: Final = 1.0


class FolderWatcher:
    """Tells of every file and folder below a folder that changes.

    Where the system has no room for more watches, the whole folder is compared over and over.
    What another machine changes on a network drive is told by no system; there, too, the
    comparison finds it.

    Args:
        root: the folder, absolute.
        hidden: also names that begin with a dot.
    """

    def __init__(self, root: bytes, *, hidden: bool) -> None:
        self._root = root
        self._hidden = hidden

    def run(self, changes: Changes, stop: threading.Event) -> None:
        """Tell until stop is set."""
        said = ""
        while not stop.is_set():
            identity = self._identity()
            wait_s = AGAIN_S
            if identity is not None:
                try:
                    self._listen(identity, changes, stop)
                except Exception as exc:  # noqa: BLE001 - the library raises its own of many kinds
                    wait_s, said = changes.pace_s, _say_once(changes, said, exc)
            changes.lost()
            stop.wait(wait_s)

    def _listen(self, identity: tuple[int, int], changes: Changes, stop: threading.Event) -> None:
        """Tell until stop is set or the folder is no longer the same."""
        rounds = watch(
            os.fsdecode(self._root),
            watch_filter=None,
            debounce=2 * GATHER_MS,
            step=GATHER_MS,
            stop_event=stop,
            rust_timeout=LOOK_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
            ignore_permission_denied=True,
        )
        first = True
        for told in rounds:
            if first:
                changes.lost()  # between the last comparison and the first watch
                first = False
            changes.add(path for _, name in told if (path := self._relative(name)))
            if self._identity() != identity:
                return

    def _relative(self, name: str) -> str:
        """Path inside the source; empty for what is none of it."""
        path = os.path.relpath(os.fsencode(name), self._root)
        parts = path.split(b"/")
        hidden = not self._hidden and any(part.startswith(b".") for part in parts)
        return "" if hidden or parts[0] in {b".", b".."} else os.fsdecode(path)

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._root)  # noqa: PTH116 - bytes
        except OSError:
            return None
        return status.st_dev, status.st_ino


def _say_once(changes: Changes, said: str, exc: Exception) -> str:
    text = (
        f"the system does not tell what changes ({exc}); the whole folder is compared over and over"
    )
    if text != said:
        changes.say(text)
    return text
