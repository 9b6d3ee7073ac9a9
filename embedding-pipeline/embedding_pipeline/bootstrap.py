"""Builds and closes everything concrete: models, index, store, and the services above them."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.domain.entries import Box, EntryFilter
from embedding_pipeline.errors import NotReady
from embedding_pipeline.indexes.catalogs import build_catalog
from embedding_pipeline.ingest.catch_up import CATCH_UP, CatchUp
from embedding_pipeline.ingest.key_locks import KeyLocks
from embedding_pipeline.ingest.library import AddResult, Library, Upload
from embedding_pipeline.ingest.progress import Progress
from embedding_pipeline.ingest.sampling import stored_samples
from embedding_pipeline.model_room import ModelRoom
from embedding_pipeline.models.agreement import check_names
from embedding_pipeline.models.artifacts import Artifacts
from embedding_pipeline.models.loaded import LoadedModels
from embedding_pipeline.models.quiet import available_cores
from embedding_pipeline.models.real import real_models
from embedding_pipeline.pipeline.fetch import PictureFetcher
from embedding_pipeline.pipeline.pictures import PicturePipeline
from embedding_pipeline.pipeline.runner import Priority
from embedding_pipeline.pipeline.tasks import PictureResult, PictureTask
from embedding_pipeline.ports.index import IndexCatalog
from embedding_pipeline.search.frozen import FrozenRankings
from embedding_pipeline.search.queries import QueryStore
from embedding_pipeline.search.results import (
    IndexedObject,
    PictureBytes,
    Scope,
    SearchPage,
    SearchRequest,
)
from embedding_pipeline.search.service import SearchService
from embedding_pipeline.settings import Settings
from minio_proxy.bootstrap import ProxyServices, build_services
from minio_proxy.picture.header import Limits

__all__ = ["Boxseek", "ModelSource", "build_catalog", "limits_of", "pipeline_of", "real_models"]

OBJECT_ID = re.compile(r"[0-9a-f]{64}-[0-9]{3}", re.ASCII)

ModelSource: TypeAlias = Callable[[Settings, ModelDescription | None], LoadedModels]
"""Loads the models of a description; for None, those that settings choose for a new index."""


class Boxseek:
    """Everything that is open: originals, index, models, and the services above them.

    Opening returns at once; the models load in the background, and what needs them raises
    NotReady until then (``wait_ready`` waits). Close it, or use it as a context manager.

    Args:
        settings: what to open.
        services: originals, thumbnails, guard.
        catalog: versions of the index.
        models: loads the models; tests give fakes.
        stack: closed at the end, in reverse order.
    """

    def __init__(
        self,
        settings: Settings,
        services: ProxyServices,
        catalog: IndexCatalog,
        models: ModelSource,
        stack: ExitStack,
    ) -> None:
        self.settings = settings
        self.services = services
        self.originals = services.originals
        self.catalog = catalog
        self.progress = Progress()
        self._stack = stack
        self._closed = threading.Lock()
        self._locks = KeyLocks(settings.data_dir / "locks")
        self.catch_up = CatchUp(
            settings.data_dir / CATCH_UP,
            catalog,
            self.originals,
            self._locks,
            batch_pictures=settings.batch_pictures,
        )
        self.model_room = ModelRoom(
            catalog,
            load=partial(models, settings),
            pipeline_of=partial(pipeline_of, settings),
            catch_up=self.catch_up,
            setup_lock=settings.data_dir / "setup.lock",
            batch_pictures=settings.batch_pictures,
        )
        stack.callback(self.model_room.close)
        self.index, self.runner = self.model_room.index, self.model_room.runner
        self.library = self._library()
        self.search_service = self._search_service()

    @classmethod
    def open(
        cls,
        settings: Settings | None = None,
        *,
        models: ModelSource | None = None,
        catalog: IndexCatalog | None = None,
        samples: Callable[[], Iterable[bytes]] | None = None,
    ) -> Self:
        """Open everything that the settings name.

        Args:
            settings: None reads the environment and ``.env``.
            models: loads the models; None takes the real ones.
            catalog: of the index, closed at the end; None builds the one that settings name.
            samples: pictures that a new index is calibrated on; None takes stored ones.

        Raises:
            DescriptionMismatch: the settings name other models than those that made the index.
            SettingsError: a setting that cannot work.
        """
        settings = settings or Settings()
        with ExitStack() as stack:
            services = stack.enter_context(build_services(settings))
            catalog = catalog or build_catalog(settings)
            stack.callback(catalog.close)
            active = catalog.active()
            if active is not None:
                check_names(settings, active.description)
            models = models or partial(
                real_models,
                artifacts=Artifacts(services.store),
                samples=samples or stored_samples(services.originals),
            )
            return cls(settings, services, catalog, models, stack.pop_all())

    @property
    def models(self) -> LoadedModels | None:
        """The models that run; None until they are loaded."""
        return self.model_room.models

    def close(self) -> None:
        """End the models' thread, close index and store; a second call does nothing."""
        with self._closed:
            self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def wait_ready(self, timeout_s: float | None = None) -> None:
        """Wait until the models are loaded.

        Raises:
            NotReady: they are not, in this time.
            BoxseekError: why they cannot be loaded.
        """
        self.runner.wait_ready(timeout_s)
        self._check_models()

    def check_ready(self) -> None:
        """Raise why a search would not work now; return when it would."""
        self._check_models()
        self.index().check()
        self.services.store.check()

    def check_writable(self) -> None:
        """Raise why adding pictures would not work now."""
        self._check_models()
        self.index()

    def search(
        self,
        picture: Path | str | bytes,
        *,
        box: Box | None = None,
        scope: Scope = "auto",
        limit: int = 20,
        min_score: float | None = None,
        where: EntryFilter | None = None,
    ) -> SearchPage:
        """Find pictures with something like this in them; waits for the models.

        Args:
            picture: path of a picture, its bytes, or the object_id of an entry of the index.
            box: ``x1, y1, x2, y2`` pixels of the upright picture; None: as the scope says.
            scope: what is searched for without a box.
            limit: images on the page, 1 to 100; ``search_service.page`` gives further ones.
            min_score: entries below do not match.
            where: entries that may answer.
        """
        source: IndexedObject | PictureBytes
        if isinstance(picture, str) and OBJECT_ID.fullmatch(picture):
            source = IndexedObject(picture)
        else:
            data = picture if isinstance(picture, bytes) else self._bytes_of(Path(picture))
            source = PictureBytes(data)
        self.wait_ready()
        request = SearchRequest(
            source, box, scope, where or EntryFilter(), min_score=min_score, limit=limit
        )
        return self.search_service.search(request)

    def add(
        self,
        paths: Sequence[Path | str],
        *,
        collection: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> list[AddResult]:
        """Store and index these files; one result each, in order. Waits for the models."""
        self.wait_ready()
        size = self.settings.batch_pictures
        results: list[AddResult] = []
        for start in range(0, len(paths), size):
            files = [Path(path) for path in paths[start : start + size]]
            uploads = [
                Upload(
                    file.name, self._bytes_of(file), collection, metadata, f"folder:{file.parent}"
                )
                for file in files
            ]
            results += self.library.add(uploads)
        return results

    def add_folder(self, folder: Path | str, *, collection: str | None = None) -> list[AddResult]:
        """Store and index every file below a folder, in the order of their paths.

        What is no picture is rejected in its result. For an archive use `boxseek ingest`,
        which resumes and reports.
        """
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return self.add(files, collection=collection)

    def _bytes_of(self, file: Path) -> bytes:
        """Bytes of a file; of one that is too large, just enough to see that it is."""
        with file.open("rb") as opened:
            return opened.read(self.settings.max_bytes + 1)

    def _check_models(self) -> None:
        if self.runner.error is not None:
            raise self.runner.error
        if not self.runner.ready:
            raise NotReady("The models are being loaded; try again soon.", retry_after_s=2)

    def _ask(self, task: PictureTask) -> PictureResult:
        self._check_models()
        return self.runner.run([task], Priority.SEARCH)[0]

    def _ask_many(self, tasks: Sequence[PictureTask]) -> list[PictureResult]:
        self._check_models()
        return self.runner.run(tasks, Priority.UPLOAD)

    def _library(self) -> Library:
        return Library(
            originals=self.originals,
            index=self.index,
            models=self._ask_many,
            limits=limits_of(self.settings),
            locks=self._locks,
            after_change=self.catch_up.after_change,
            forget_derived=self.services.thumbnails.delete,
            batch_pictures=self.settings.batch_pictures,
        )

    def _search_service(self) -> SearchService:
        settings = self.settings
        queries = QueryStore(
            settings.data_dir / "queries",
            ttl_s=settings.query_ttl_s,
            max_queries=settings.max_queries,
            max_bytes=settings.max_query_bytes,
        )
        fetch = PictureFetcher(max_bytes=settings.max_bytes) if settings.allow_urls else None
        return SearchService(
            index=self.index,
            ask=self._ask,
            read_original=self.originals.read,
            queries=queries,
            rankings=FrozenRankings(ttl_s=settings.cursor_ttl_s),
            labels=lambda: self.models.detector.labels if self.models else None,
            fetch=fetch,
            attending=self.runner.attending,
            max_results=settings.max_results,
            min_score=settings.min_score,
            label_weight=settings.label_weight,
            fold=settings.fold,
        )


def pipeline_of(settings: Settings, models: LoadedModels) -> PicturePipeline:
    """Build the pipeline around models; the caller closes it."""
    return PicturePipeline(
        models.detector,
        models.embedder,
        limits_of(settings),
        batch_pictures=settings.batch_pictures,
        decode_threads=settings.threads or available_cores(),
    )


def limits_of(settings: Settings) -> Limits:
    """What is refused from a picture's header."""
    return Limits(max_bytes=settings.max_bytes, max_pixels=settings.max_pixels)
