"""Which weights a new index gets: local folder, then hub, then packages; never a mix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from embedding_pipeline.errors import UnknownModel, WeightsNotFound
from embedding_pipeline.models import packaged
from embedding_pipeline.models.downloads import ProgressCallback, download, why_unreachable
from embedding_pipeline.models.sources import (
    DEFAULT_DETECTOR,
    DEFAULT_EMBEDDER,
    Source,
    check_detector_name,
    detector_source,
    embedder_source,
)
from embedding_pipeline.models.trusted import PACKAGED_DETECTOR, PACKAGED_EMBEDDER
from embedding_pipeline.models.weights import (
    DETECTOR_SUFFIXES,
    EMBEDDER_SUFFIX,
    Weights,
    WeightsFolder,
)
from embedding_pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Choice:
    """Weights for both models.

    Args:
        detector: its weights.
        embedder: its weights; None when they are random.
        notice: what people should know about the choice, or None.
    """

    detector: Weights
    embedder: Weights | None
    notice: str | None


def packaged_detector(folder: WeightsFolder) -> Weights:
    """The detector that a package brings."""
    return _pinned(packaged.DETECTOR, packaged.detector_file(), PACKAGED_DETECTOR, folder)


def packaged_embedder(folder: WeightsFolder) -> Weights:
    """The embedder that a package brings."""
    return _pinned(packaged.EMBEDDER, packaged.embedder_file(), PACKAGED_EMBEDDER, folder)


@dataclass(frozen=True, slots=True)
class Chooser:
    """Finds weights by name.

    Args:
        settings: say where to look.
        folder: of local weights.
        progress: told of downloads.
    """

    settings: Settings
    folder: WeightsFolder
    progress: ProgressCallback | None = None

    def defaults(
        self, *, detector: bool, embedder: bool
    ) -> tuple[Weights | None, Weights | None, str | None]:
        """Default weights of the wanted parts, all from hubs or all packaged, and a notice."""
        sources = [
            detector_source(DEFAULT_DETECTOR, self.settings) if detector else None,
            embedder_source(DEFAULT_EMBEDDER, self.settings) if embedder else None,
        ]
        if self.settings.models == "packaged":
            return (*self._packaged(detector=detector, embedder=embedder), None)
        if self.settings.models == "hub":
            return (*self._pair(sources), None)
        reason = self._why_not([source for source in sources if source])
        if reason is None:
            try:
                return (*self._pair(sources), None)
            except WeightsNotFound as error:
                reason = error.message
        return (
            *self._packaged(detector=detector, embedder=embedder),
            (
                f"The model hubs cannot be used ({reason}), so the packaged models "
                f"{packaged.DETECTOR} and {packaged.EMBEDDER} are used instead of "
                f"{DEFAULT_DETECTOR} and {DEFAULT_EMBEDDER}."
            ),
        )

    def detector(self, name: str) -> Weights:
        """The detector of this name or path: local folder, release, package."""
        path = existing_path(name, DETECTOR_SUFFIXES)
        if path is not None:
            return Weights(path.stem, path, self.folder.verified(path), "local")
        source = detector_source(name, self.settings)
        return self._by_name(
            source,
            packaged_name=packaged.DETECTOR,
            from_package=packaged_detector,
            check=lambda: check_detector_name(source.name, self.settings),
        )

    def embedder(self, name: str) -> Weights:
        """The embedder of this name or path: local folder, hub, package."""
        path = existing_path(name, (EMBEDDER_SUFFIX,))
        if path is not None:
            title = path.parent.name if path.name == "model.safetensors" else path.stem
            return Weights(title, path, self.folder.verified(path), "local")
        return self._by_name(
            embedder_source(name, self.settings),
            packaged_name=packaged.EMBEDDER,
            from_package=packaged_embedder,
        )

    def local(self, source: Source) -> Weights | None:
        """Weights in the local folder, or None."""
        path = self.folder.find(source.filenames)
        if path is None:
            return None
        return Weights(source.name, path, self.folder.verified(path), "local")

    def local_or_hub(self, source: Source) -> Weights:
        """Weights from the local folder, else downloaded into it."""
        return self.local(source) or self.pulled(source)

    def pulled(self, source: Source, expected_sha256: str | None = None) -> Weights:
        """Weights downloaded into the local folder; a file of that name must stay the same."""
        filename = source.remote.filename
        path = download(
            source.remote,
            self.folder.folder,
            connect_timeout_s=self.settings.hub_connect_timeout_s,
            expected_sha256=expected_sha256 or self.folder.recorded().get(filename),
            progress=self.progress,
        )
        return Weights(source.name, path, self.folder.verified(path), "hub")

    def _by_name(
        self,
        source: Source,
        *,
        packaged_name: str,
        from_package: Callable[[WeightsFolder], Weights],
        check: Callable[[], None] = lambda: None,
    ) -> Weights:
        found = self.local(source)
        if found is not None:
            return found
        has_package = source.name.partition(".")[0] == packaged_name
        if self.settings.models == "packaged":
            if has_package:
                return from_package(self.folder)
            raise WeightsNotFound(
                f"{source.name} is neither in {self.folder.folder} nor packaged, and "
                "BOXSEEK_MODELS=packaged asks no hub",
                model=source.name,
            )
        check()
        try:
            return self.pulled(source)
        except WeightsNotFound:
            if self.settings.models == "auto" and has_package:
                return from_package(self.folder)
            raise

    def _pair(self, sources: Sequence[Source | None]) -> tuple[Weights | None, Weights | None]:
        first, second = (self.local_or_hub(s) if s else None for s in sources)
        return first, second

    def _why_not(self, sources: list[Source]) -> str | None:
        """Why the hubs cannot give what is not local; None if nothing is in the way."""
        for source in sources:
            if self.folder.find(source.filenames) is None:
                reason = why_unreachable(source.remote, self.settings.hub_connect_timeout_s)
                if reason is not None:
                    return reason
        return None

    def _packaged(self, *, detector: bool, embedder: bool) -> tuple[Weights | None, Weights | None]:
        return (
            packaged_detector(self.folder) if detector else None,
            packaged_embedder(self.folder) if embedder else None,
        )


def _pinned(name: str, path: Path, sha256: str, folder: WeightsFolder) -> Weights:
    actual = folder.pinned(path, sha256)
    return Weights(name, path, actual, "packaged")


def existing_path(name: str, suffixes: tuple[str, ...]) -> Path | None:
    """The file that a setting names; None if it is a model's name and no path.

    A folder means the ``model.safetensors`` in it (timm's ``config.json`` beside it).

    Raises:
        WeightsNotFound: it is a path, and no such file is there.
        UnknownModel: it is a path of another kind of file.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        path /= "model.safetensors"
    is_path = path.suffix in suffixes and (path.is_file() or len(path.parts) > 1)
    if not is_path:
        if len(path.parts) > 1:
            raise UnknownModel(f"{name} is no file of weights ({', '.join(suffixes)})", model=name)
        return None
    if not path.is_file():
        raise WeightsNotFound(f"there is no file {path}", model=name)
    return path
