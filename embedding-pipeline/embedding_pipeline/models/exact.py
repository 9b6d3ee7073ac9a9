"""Finding the very file that an index was made with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from embedding_pipeline.domain.description import DetectorDescription, EmbedderDescription
from embedding_pipeline.errors import ModelError, UnknownModel, WeightsChanged, WeightsNotFound
from embedding_pipeline.models.choose import (
    Chooser,
    existing_path,
    packaged_detector,
    packaged_embedder,
)
from embedding_pipeline.models.downloads import sha256_of
from embedding_pipeline.models.sources import Source, detector_source, embedder_source
from embedding_pipeline.models.torchvision_embedder import is_torchvision
from embedding_pipeline.models.trusted import PACKAGED
from embedding_pipeline.models.weights import DETECTOR_SUFFIXES, EMBEDDER_SUFFIX, Weights


def exact_detector(wanted: DetectorDescription, chooser: Chooser) -> Weights:
    """The detector's file with the described SHA-256, from wherever it can be had."""
    return _exact(
        wanted,
        chooser,
        suffixes=DETECTOR_SUFFIXES,
        setting=chooser.settings.detector,
        from_package=lambda: packaged_detector(chooser.folder),
        source=lambda: detector_source(wanted.name, chooser.settings),
    )


def exact_embedder(wanted: EmbedderDescription, chooser: Chooser) -> Weights:
    """The embedder's file with the described SHA-256, from wherever it can be had."""
    return _exact(
        wanted,
        chooser,
        suffixes=(EMBEDDER_SUFFIX,),
        setting=chooser.settings.embedder,
        from_package=lambda: packaged_embedder(chooser.folder),
        source=lambda: embedder_source(wanted.name, chooser.settings),
    )


def _exact(
    wanted: DetectorDescription | EmbedderDescription,
    chooser: Chooser,
    *,
    suffixes: tuple[str, ...],
    setting: str,
    from_package: Callable[[], Weights],
    source: Callable[[], Source],
) -> Weights:
    if wanted.sha256 in PACKAGED:
        found = _packaged(wanted.sha256, from_package)
        if found is not None:
            return found
    if is_torchvision(wanted.name):
        named = chooser.local(source())
        if named is not None and named.sha256 == wanted.sha256:
            return Weights(wanted.name, named.path, named.sha256, wanted.origin)
    path = _among(_candidates(wanted.name, chooser, suffixes, setting), wanted.sha256)
    if path is not None:
        return Weights(wanted.name, path, chooser.folder.verified(path), wanted.origin)
    if chooser.settings.models == "packaged":
        raise _missing(wanted, chooser, "no hub was asked")
    return _from_hub(wanted, chooser, source)


def _packaged(sha256: str, from_package: Callable[[], Weights]) -> Weights | None:
    """The package's weights if they are the wanted ones; a missing package is no error here."""
    try:
        weights = from_package()
    except (WeightsNotFound, WeightsChanged):
        return None
    return weights if weights.sha256 == sha256 else None


def _candidates(
    name: str, chooser: Chooser, suffixes: tuple[str, ...], setting: str
) -> Iterable[Path]:
    """Files that could be it: the one that settings name, then local ones, likely ones first."""
    try:
        named = existing_path(setting, suffixes) if setting else None
    except ModelError:
        named = None
    if named is not None:
        yield named
    local = [path for path in chooser.folder.files() if path.suffix in suffixes]
    yield from sorted(local, key=lambda path: (not path.name.startswith(name), path.name))


def _among(paths: Iterable[Path], sha256: str) -> Path | None:
    return next((path for path in paths if sha256_of(path) == sha256), None)


def _from_hub(
    wanted: DetectorDescription | EmbedderDescription,
    chooser: Chooser,
    source: Callable[[], Source],
) -> Weights:
    """The hub's file of this name, downloaded beside what is there and kept if it is the one."""
    try:
        return chooser.pulled(source(), expected_sha256=wanted.sha256)
    except (WeightsNotFound, WeightsChanged, UnknownModel) as error:
        raise _missing(wanted, chooser, error.message) from error


def _missing(
    wanted: DetectorDescription | EmbedderDescription, chooser: Chooser, hub: str
) -> WeightsNotFound:
    return WeightsNotFound(
        f"the index was made with {wanted.name} (SHA-256 {wanted.sha256}, {wanted.origin}), and "
        f"that file is neither in {chooser.folder.folder} nor packaged here ({hub}); copy it "
        f"into that folder",
        model=wanted.name,
        sha256=wanted.sha256,
        origin=wanted.origin,
        folder=str(chooser.folder.folder),
    )
