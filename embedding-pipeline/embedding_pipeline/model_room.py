"""The models that run and the version of the index that they made; both change together."""

from __future__ import annotations

import fcntl
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.errors import BoxseekError
from embedding_pipeline.ingest.catch_up import CatchUp
from embedding_pipeline.models.loaded import LoadedModels
from embedding_pipeline.pipeline.pictures import PicturePipeline
from embedding_pipeline.pipeline.runner import PipelineRunner, Priority
from embedding_pipeline.pipeline.tasks import PictureResult, PictureTask
from embedding_pipeline.ports.index import IndexCatalog, ObjectIndex, same_version
from embedding_pipeline.search.live_index import LiveIndex
from embedding_pipeline.search.model_exchange import ModelExchange
from minio_proxy.errors import ProxyError

_log = logging.getLogger(__name__)


class ModelRoom:
    """Loads models in the background, and others when another version becomes active.

    Args:
        catalog: versions of the index.
        load: loads the models of a description, or for None those that settings choose.
        pipeline_of: builds the pipeline around models.
        catch_up: what the active version may lack.
        setup_lock: held while the first version is made, so that two processes make one.
        batch_pictures: pictures in one batch.
    """

    def __init__(
        self,
        catalog: IndexCatalog,
        *,
        load: Callable[[ModelDescription | None], LoadedModels],
        pipeline_of: Callable[[LoadedModels], PicturePipeline],
        catch_up: CatchUp,
        setup_lock: Path,
        batch_pictures: int,
    ) -> None:
        self.models: LoadedModels | None = None
        self._catalog = catalog
        self._load = load
        self._pipeline_of = pipeline_of
        self._catch_up = catch_up
        self._setup_lock = setup_lock
        self._closing = threading.Event()
        self.exchange = ModelExchange(
            catalog,
            running=self._running,
            load=self._load_others,
            switch=self._switch,
            settled=lambda index, pipeline: catch_up.settled(index, pipeline.run),
            after=self._settle,
        )
        self.index = LiveIndex(catalog, self._running, exchange=self.exchange)
        self._settling: threading.Thread | None = None
        self.runner = PipelineRunner(self._load_first, batch_pictures=batch_pictures)

    def close(self) -> None:
        """End the models' threads and close the index."""
        self._closing.set()
        self.runner.close()
        self.exchange.close()
        if self._settling is not None:
            self._settling.join()
        self.index.close()

    def _running(self) -> ModelDescription | None:
        return self.models.description if self.models else None

    def _load_first(self) -> PicturePipeline:
        """Load the models of the index, or choose some and create it; in the runner's thread."""
        with _taking_turns(self._setup_lock):
            active = self._catalog.active()
            loaded = self._load(active.description if active else None)
            if active is None:
                self._catalog.activate(self._catalog.create(loaded.description).name)
        self.models = loaded
        if self._catch_up.noted():
            self._settling = threading.Thread(target=self._settle, name="settle", daemon=True)
            self._settling.start()
        return self._pipeline_of(loaded)

    def _load_others(
        self, description: ModelDescription
    ) -> tuple[PicturePipeline, Callable[[], None]]:
        loaded = self._load(description)

        def take() -> None:
            self.models = loaded

        pipeline = self._pipeline_of(loaded)
        pipeline.warm_up()
        return pipeline, take

    def _switch(
        self, pipeline: PicturePipeline, index: ObjectIndex, take_models: Callable[[], None]
    ) -> None:
        self.runner.exchange(pipeline, lambda: self.index.adopt(index, take_models))

    def _settle(self) -> None:
        """Work off what other versions got that the active one still lacks."""
        try:
            index, active = self.index(), self._catalog.active()
            if active is not None and same_version(index.version, active):
                self._catch_up.settle(index, self._backfill, self._closing.is_set)
        except (BoxseekError, ProxyError) as error:
            if not self._closing.is_set():
                _log.warning("pictures wait to be brought into the index: %s", error.message)

    def _backfill(self, tasks: Sequence[PictureTask]) -> list[PictureResult]:
        return self.runner.run(tasks, Priority.BACKFILL)


@contextmanager
def _taking_turns(path: Path) -> Iterator[None]:
    """Two processes that start on an empty folder must not both create the index."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
