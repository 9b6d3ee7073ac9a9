"""A whole Boxseek of its own for a measurement: temporary folder, own index, gone at the end."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from embedding_pipeline.bootstrap import Boxseek, ModelSource, build_catalog
from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.errors import IndexError_, IndexNotFound
from embedding_pipeline.ports.index import IndexCatalog, IndexVersion, ObjectIndex
from embedding_pipeline.settings import Settings


class TrialCatalog:
    """An IndexCatalog whose versions all go when it is closed.

    Which version is active is kept here and not in the backend: there, an active version cannot
    be dropped, and a measurement leaves nothing behind.

    Args:
        inner: the real catalog, with a place of its own.
    """

    def __init__(self, inner: IndexCatalog) -> None:
        self._inner = inner
        self._active: str | None = None
        self._made: list[str] = []

    def versions(self) -> list[IndexVersion]:
        """See IndexCatalog."""
        return [replace(one, active=one.name == self._active) for one in self._inner.versions()]

    def active(self) -> IndexVersion | None:
        """See IndexCatalog."""
        return next((version for version in self.versions() if version.active), None)

    def create(self, description: ModelDescription) -> IndexVersion:
        """See IndexCatalog."""
        version = self._inner.create(description)
        self._made.append(version.name)
        return version

    def activate(self, name: str) -> None:
        """See IndexCatalog."""
        if name not in {version.name for version in self._inner.versions()}:
            raise IndexNotFound(f"The index has no version {name!r}.", version=name)
        self._active = name

    def rollback(self) -> IndexVersion:
        """A trial has no previous version."""
        raise IndexNotFound("There is no previous version of the index to go back to.")

    def drop(self, name: str) -> None:
        """See IndexCatalog."""
        self._inner.drop(name)
        self._made.remove(name)

    def open(self, name: str | None = None) -> ObjectIndex:
        """See IndexCatalog."""
        wanted = name or self._active
        if wanted is None:
            raise IndexNotFound("There is no index yet.")
        return self._inner.open(wanted)

    def close(self) -> None:
        """Drop every version that was made here, and free connections."""
        for name in tuple(self._made):
            with suppress(IndexError_):
                self.drop(name)
        self._inner.close()


@contextmanager
def trial(
    settings: Settings,
    models: ModelSource | None = None,
    samples: Callable[[], Iterable[bytes]] | None = None,
) -> Iterator[Boxseek]:
    """Open a Boxseek with these settings on nothing, its models loaded; it is gone at the end.

    Args:
        settings: models, detection, ranking and index; folders, store and index name are
            replaced by its own. Weights are looked for where they always are.
        models: loads the models; None takes the real ones, tests give fakes.
        samples: pictures that the new index is calibrated on, as `boxseek ingest` gives them.

    Raises:
        BoxseekError: the models cannot be had, the index cannot be reached.
    """
    with tempfile.TemporaryDirectory(prefix="boxseek-eval-") as folder:
        own = trial_settings(settings, Path(folder))
        catalog = TrialCatalog(build_catalog(own))
        with Boxseek.open(own, models=models, catalog=catalog, samples=samples) as boxseek:
            boxseek.wait_ready()
            yield boxseek


def trial_settings(settings: Settings, folder: Path) -> Settings:
    """These settings with places of their own below a folder."""
    return settings.model_copy(
        update={
            "data_dir": folder / "data",
            "models_dir": settings.models_dir or settings.data_dir / "models",
            "store": "folder",
            "keys_file": None,
            "elasticsearch_index": f"{settings.elasticsearch_index}-eval-{secrets.token_hex(4)}",
        }
    )
