"""Another version's models, loaded in the background while the version before answers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.errors import BoxseekError, ModelError
from embedding_pipeline.pipeline.pictures import PicturePipeline
from embedding_pipeline.ports.index import IndexCatalog, ObjectIndex
from embedding_pipeline.search.live_index import check_description
from minio_proxy.errors import ProxyError

_log = logging.getLogger(__name__)

RETRY_S = 10.0
"""Pause after models that could not be loaded, before they are tried again."""

Load = Callable[[ModelDescription], tuple[PicturePipeline, Callable[[], None]]]
"""Gives a pipeline of these models, and what makes them the running ones."""

Switch = Callable[[PicturePipeline, ObjectIndex, Callable[[], None]], None]
"""Lets pipeline, version and running models change together."""


class ModelExchange:
    """Brings the models of the active version here when others run. Thread-safe.

    Both pairs of models are in memory until the exchange is done.

    Args:
        catalog: the versions.
        running: the description of the models that run; None while the first are loaded,
            when nothing is exchanged.
        load: loads models; slow.
        switch: takes them into use.
        settled: brings the version up to date with the new pipeline before both are in use,
            and keeps writers waiting inside its block.
        after: called in the background after every exchange.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        catalog: IndexCatalog,
        *,
        running: Callable[[], ModelDescription | None],
        load: Load,
        switch: Switch,
        settled: Callable[[ObjectIndex, PicturePipeline], AbstractContextManager[None]],
        after: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalog = catalog
        self._running = running
        self._load = load
        self._switch = switch
        self._settled = settled
        self._after = after
        self._clock = clock
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._not_before = 0.0
        self._problem: BoxseekError | ProxyError | None = None

    @property
    def problem(self) -> BoxseekError | ProxyError | None:
        """Why the active version's models could not be loaded; None when they can, or run."""
        return self._problem

    @property
    def loading(self) -> bool:
        """Models are being loaded now."""
        return self._thread is not None

    def __call__(self) -> BoxseekError | ProxyError | None:
        """Begin, unless it has begun or failed just now; gives the problem."""
        with self._lock:
            if self._thread is None and not self._closed and self._clock() >= self._not_before:
                self._thread = threading.Thread(target=self._work, name="exchange", daemon=True)
                self._thread.start()
            return self._problem

    def close(self) -> None:
        """Begin nothing any more, and wait for what has begun."""
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        try:
            exchanged = False
            while not self._closed and (wanted := self._wanted()) is not None:
                exchanged |= self._exchange(wanted)
            self._problem = None
            if exchanged:
                self._after()
        except (BoxseekError, ProxyError) as error:
            self._failed(error)
        except Exception as error:  # noqa: BLE001 - loading code of any library; kept and shown
            self._failed(ModelError(f"the models could not be loaded: {error!r}"))
        finally:
            with self._lock:
                self._thread = None

    def _wanted(self) -> ModelDescription | None:
        active, running = self._catalog.active(), self._running()
        if active is None or running is None or not active.description.differences(running):
            return None
        return active.description

    def _exchange(self, wanted: ModelDescription) -> bool:
        """Load and switch; False when another version became active meanwhile."""
        _log.info("another version of the index is active; loading %s", wanted.summary())
        pipeline, take_models = self._load(wanted)
        with ExitStack() as stack:
            stack.callback(pipeline.close)
            check_description(wanted, pipeline.description)
            active = self._catalog.active()
            if active is None or active.description.differences(wanted):
                return False
            index = self._catalog.open(active.name)
            stack.callback(index.close)
            with self._settled(index, pipeline):
                self._switch(pipeline, index, take_models)
            stack.pop_all()
        _log.info("searching %s with %s now", active.name, wanted.summary())
        return True

    def _failed(self, error: BoxseekError | ProxyError) -> None:
        self._problem = error
        self._not_before = self._clock() + RETRY_S
        if not self._closed:
            _log.warning("the active version's models cannot be used here: %s", error.message)
