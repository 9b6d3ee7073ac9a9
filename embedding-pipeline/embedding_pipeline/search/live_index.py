"""The active version of the index, opened once and followed when another becomes active."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.errors import DescriptionMismatch, NotReady
from embedding_pipeline.ports.index import IndexCatalog, IndexVersion, ObjectIndex

FOLLOW_S = 1.0


class LiveIndex:
    """Gives the open active version; looks for another one once a second. Thread-safe.

    Args:
        catalog: the versions.
        running: the description of the models that run here; None while none are loaded.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        catalog: IndexCatalog,
        running: Callable[[], ModelDescription | None] = lambda: None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalog = catalog
        self._running = running
        self._clock = clock
        self._lock = threading.Lock()
        self._open: ObjectIndex | None = None
        self._retired: ObjectIndex | None = None
        self._look_again = 0.0

    def __call__(self) -> ObjectIndex:
        """The open active version.

        Raises:
            NotReady: there is no version yet.
            DescriptionMismatch: it was made by other models than those that run here.
        """
        with self._lock:
            if self._open is None or self._clock() >= self._look_again:
                self._follow()
            if self._open is None:
                raise NotReady("The index is being set up; try again soon.", retry_after_s=2)
            check_description(self._open.version.description, self._running())
            return self._open

    def close(self) -> None:
        """Close what is open."""
        with self._lock:
            for index in (self._open, self._retired):
                if index is not None:
                    index.close()
            self._open = self._retired = None

    def _follow(self) -> None:
        active = self._catalog.active()
        self._look_again = self._clock() + FOLLOW_S
        if active is None or (self._open and _same(self._open.version, active)):
            return
        opened = self._catalog.open(active.name)
        if self._retired is not None:
            self._retired.close()
        # Calls that began on the version before may still run; it is closed at the next change.
        self._retired, self._open = self._open, opened


def _same(one: IndexVersion, other: IndexVersion) -> bool:
    """Whether both are one version; after all were deleted a new one has an old one's name."""
    return (one.name, one.created_at) == (other.name, other.created_at)


def check_description(index: ModelDescription, running: ModelDescription | None) -> None:
    """Refuse models that did not make the index; None stands for models not loaded yet.

    Raises:
        DescriptionMismatch: they differ; the message names both and the differing fields.
    """
    differences = index.differences(running) if running is not None else {}
    if running is not None and differences:
        raise DescriptionMismatch(
            f"The index was made by {index.summary()}, but {running.summary()} runs here "
            f"(different: {', '.join(sorted(differences))}). Restart the service to load the "
            "models of the index, or activate an index that these models made.",
            expected=index.summary(),
            actual=running.summary(),
            differing=sorted(differences),
        )
