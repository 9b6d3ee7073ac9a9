"""What models there are, for ``boxseek models list | pull | show``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from embedding_pipeline.domain.description import Origin
from embedding_pipeline.errors import UnknownModel, UntrustedWeights, WeightsChanged
from embedding_pipeline.models import packaged
from embedding_pipeline.models.choose import Chooser, packaged_detector, packaged_embedder
from embedding_pipeline.models.downloads import ProgressCallback, sha256_of
from embedding_pipeline.models.sources import (
    DEFAULT_DETECTOR,
    DEFAULT_EMBEDDER,
    Source,
    check_detector_name,
    detector_source,
    embedder_source,
)
from embedding_pipeline.models.weights import DETECTOR_SUFFIXES, Weights, WeightsFolder
from embedding_pipeline.settings import Settings

ModelKind: TypeAlias = Literal["detector", "embedder"]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model that can be used, or could be had.

    Args:
        name: what settings call it.
        kind: detector or embedder.
        origin: local, packaged, or hub when it is not here yet.
        path: its file, or None when it is not here.
        sha256: of its file, or None when it is not here.
        size_bytes: of its file, or None when it is not here.
        problem: why it would be refused, or None.
        details: more about it, JSON values (``show`` only).
    """

    name: str
    kind: ModelKind
    origin: Origin
    path: Path | None
    sha256: str | None
    size_bytes: int | None
    problem: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)


def list_models(settings: Settings) -> list[ModelInfo]:
    """Local files, packaged models, and the hubs' defaults when they are not here yet."""
    folder = WeightsFolder.of(settings)
    local = [_local(path, folder) for path in folder.files()]
    here = {(info.kind, info.name) for info in local}
    defaults = (
        _at_hub("detector", detector_source(DEFAULT_DETECTOR, settings)),
        _at_hub("embedder", embedder_source(DEFAULT_EMBEDDER, settings)),
    )
    missing = [info for info in defaults if (info.kind, info.name) not in here]
    return [
        *local,
        _info("detector", packaged_detector(folder)),
        _info("embedder", packaged_embedder(folder)),
        *missing,
    ]


def pull(
    names: Sequence[str], settings: Settings, progress: ProgressCallback | None = None
) -> list[ModelInfo]:
    """Download models into the local folder; those that are there are only checked.

    Args:
        names: Ultralytics and timm names; empty for the defaults.
        settings: where from and where to.
        progress: told of downloads.

    Raises:
        ModelError: what resolve_models raises for the same name.
    """
    chooser = Chooser(settings, WeightsFolder.of(settings), progress)
    pulled = []
    for name in names or (DEFAULT_DETECTOR, DEFAULT_EMBEDDER):
        kind, source = _source(name, settings)
        pulled.append(_info(kind, chooser.local_or_hub(source)))
    return pulled


def show(name: str, settings: Settings) -> ModelInfo:
    """What is known of one model, without loading it.

    Raises:
        UnknownModel: neither local nor known to Ultralytics or timm.
    """
    for info in list_models(settings):
        if info.name == name or (info.path is not None and info.path.name == name):
            return _with_details(info)
    kind, source = _source(name, settings)
    path = WeightsFolder.of(settings).find(source.filenames)
    found = _local(path, WeightsFolder.of(settings)) if path else _at_hub(kind, source)
    return _with_details(found, source)


def _source(name: str, settings: Settings) -> tuple[ModelKind, Source]:
    try:
        return "embedder", embedder_source(name, settings)
    except UnknownModel:
        source = detector_source(name, settings)
    if WeightsFolder.of(settings).find(source.filenames) is None:
        try:
            check_detector_name(source.name, settings)
        except UnknownModel as error:
            raise UnknownModel(
                f"neither Ultralytics nor timm knows a model {name}", model=name
            ) from error
    return "detector", source


def _local(path: Path, folder: WeightsFolder) -> ModelInfo:
    is_detector = path.suffix in DETECTOR_SUFFIXES
    name = path.parent.name if path.name == "model.safetensors" else path.stem
    problem = None
    try:
        folder.verified(path)
    except (UntrustedWeights, WeightsChanged) as error:
        problem = error.message
    return ModelInfo(
        name=name,
        kind="detector" if is_detector else "embedder",
        origin="local",
        path=path,
        sha256=sha256_of(path),
        size_bytes=path.stat().st_size,
        problem=problem,
    )


def _info(kind: ModelKind, weights: Weights) -> ModelInfo:
    size_bytes = weights.path.stat().st_size
    return ModelInfo(weights.name, kind, weights.origin, weights.path, weights.sha256, size_bytes)


def _at_hub(kind: ModelKind, source: Source) -> ModelInfo:
    return ModelInfo(source.name, kind, "hub", None, None, None, details={"url": source.remote.url})


def _with_details(info: ModelInfo, source: Source | None = None) -> ModelInfo:
    details = dict(info.details)
    if source is not None:
        details["url"] = source.remote.url
    if info.kind == "embedder":
        details |= _timm_details(info.name)
    return ModelInfo(
        info.name,
        info.kind,
        info.origin,
        info.path,
        info.sha256,
        info.size_bytes,
        info.problem,
        details,
    )


def _timm_details(name: str) -> dict[str, object]:
    import timm  # noqa: PLC0415 - brings torch, which lists need only for this

    known = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    if known is None:
        return {}
    return {
        "input_size": known.input_size[-1],
        "mean": list(known.mean),
        "std": list(known.std),
        "interpolation": known.interpolation,
        "license": known.license,
        "packaged": name.partition(".")[0] == packaged.EMBEDDER,
    }
