"""The active version of the index, opened once and followed when another becomes active."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.errors import BoxseekError, DescriptionMismatch, NotReady
from embedding_pipeline.ports.index import IndexCatalog, IndexVersion, ObjectIndex, same_version
from minio_proxy.errors import ProxyError

FOLLOW_S = 1.0


class LiveIndex:
    """Gives the open active version; looks for another one once a second. Thread-safe.

    When another version becomes active that other models made, the one before goes on
    answering until those models run here (``exchange`` is asked for them, ``adopt`` is called
    with them), so that an index and the models that run always belong together.

    Args:
        catalog: the versions.
        running: the description of the models that run here; None while none are loaded.
        exchange: asks for the models of the active version, at once and as often as one
            likes; gives why the last attempt to load them failed, or None. Without it, other
            models are refused.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        catalog: IndexCatalog,
        running: Callable[[], ModelDescription | None] = lambda: None,
        *,
        exchange: Callable[[], BoxseekError | ProxyError | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalog = catalog
        self._running = running
        self._exchange = exchange
        self._clock = clock
        self._lock = threading.Lock()
        self._open: ObjectIndex | None = None
        self._retired: ObjectIndex | None = None
        self._look_again = 0.0

    def __call__(self) -> ObjectIndex:
        """The open version; its models are those that run here, if any do.

        Raises:
            NotReady: there is no version yet, or its models are being loaded.
            DescriptionMismatch: it was made by other models than those that run here.
        """
        with self._lock:
            if self._open is None or self._clock() >= self._look_again:
                self._follow()
            if self._open is None:
                raise NotReady("The index is being set up; try again soon.", retry_after_s=2)
            running = self._running()
            if self._exchange is not None and _differ(self._open.version, running):
                raise self._exchange() or NotReady(
                    "The models of the index are being loaded; try again soon.", retry_after_s=2
                )
            check_description(self._open.version.description, running)
            return self._open

    def adopt(self, index: ObjectIndex, take_models: Callable[[], None]) -> None:
        """Change models and version together.

        Args:
            index: the version, open; closed by this object from now on.
            take_models: makes the models that made it the running ones.
        """
        with self._lock:
            take_models()
            self._replace(index)

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
        if active is None or (self._open and same_version(self._open.version, active)):
            return
        running = self._running()
        if self._exchange is not None and running is not None and _differ(active, running):
            self._exchange()
            if self._open is not None and not _differ(self._open.version, running):
                return
            active = self._newest_of(running) or active
        self._replace(self._catalog.open(active.name))

    def _newest_of(self, running: ModelDescription) -> IndexVersion | None:
        """The newest version that was active and that the running models made."""
        made = (one for one in reversed(self._catalog.versions()) if not _differ(one, running))
        return next((one for one in made if one.previous), None)

    def _replace(self, opened: ObjectIndex) -> None:
        if self._retired is not None:
            self._retired.close()
        # Calls that began on the version before may still run; it is closed at the next change.
        self._retired, self._open = self._open, opened


def _differ(version: IndexVersion, running: ModelDescription | None) -> bool:
    return running is not None and bool(version.description.differences(running))


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
