"""From settings to models for a new index, and from a description to models for an old one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedding_pipeline.domain.description import (
    DetectorDescription,
    EmbedderDescription,
    ModelDescription,
)
from embedding_pipeline.errors import ModelError, UnknownModel
from embedding_pipeline.models.artifacts import Artifacts
from embedding_pipeline.models.choose import Chooser
from embedding_pipeline.models.downloads import ProgressCallback
from embedding_pipeline.models.exact import exact_detector, exact_embedder
from embedding_pipeline.models.loaded import LoadedModels
from embedding_pipeline.models.sources import config_dir
from embedding_pipeline.models.weights import Weights, WeightsFolder
from embedding_pipeline.settings import Settings

if TYPE_CHECKING:
    from torch.nn import Module

PRECISION = "fp32"
RANDOM_PREFIX = "random:"
_STRIDE = 32


def resolve_models(
    settings: Settings,
    progress: ProgressCallback | None = None,
    *,
    artifacts: Artifacts | None = None,
) -> LoadedModels:
    """Choose, fetch and load models for a new index; the choice is in the description.

    Args:
        settings: names or paths, and where to look.
        progress: told of downloads.
        artifacts: where quantized networks and projections are kept; None: none are used.

    Raises:
        WeightsNotFound: not to be had anywhere that the settings allow.
        UntrustedWeights: a pickled file that is on no list.
        WeightsChanged: a file is not what was recorded.
        UnknownModel: nobody knows the name.
    """
    chooser = Chooser(settings, WeightsFolder.of(settings), progress)
    random_name = _random_name(settings.embedder)
    detector, embedder, notice = chooser.defaults(
        detector=not settings.detector, embedder=not settings.embedder
    )
    if settings.detector:
        detector = chooser.detector(settings.detector)
    if settings.embedder and random_name is None:
        embedder = chooser.embedder(settings.embedder)
    network = _network(embedder, random_name)
    description = ModelDescription(
        _describe_detector(detector, settings),
        _describe_embedder(network, embedder, random_name, settings),
    )
    return _load(description, detector, network, settings, notice, artifacts)


def load_models(
    description: ModelDescription,
    settings: Settings,
    progress: ProgressCallback | None = None,
    *,
    artifacts: Artifacts | None = None,
) -> LoadedModels:
    """Load exactly the models that an index was made with, whatever the settings prefer.

    Args:
        description: of the index.
        settings: where to look.
        progress: told of downloads.
        artifacts: where the quantized networks and projections of the description are kept.

    Raises:
        WeightsNotFound: a file with the described SHA-256 is nowhere; says which.
        UntrustedWeights: it is there, but pickled and on no list.
        ModelError: it was run in a precision that is not known here.
    """
    for part in (description.detector, description.embedder):
        if part.precision != PRECISION:
            raise ModelError(
                f"{part.name} was run in {part.precision}; only {PRECISION} is known here",
                model=part.name,
                expected=part.precision,
                actual=PRECISION,
            )
    chooser = Chooser(settings, WeightsFolder.of(settings), progress)
    random_name = _random_name(description.embedder.name)
    detector = exact_detector(description.detector, chooser)
    embedder = None if random_name else exact_embedder(description.embedder, chooser)
    network = _network(embedder, random_name)
    return _load(description, detector, network, settings, None, artifacts)


def _load(
    description: ModelDescription,
    detector: Weights | None,
    network: Module,
    settings: Settings,
    notice: str | None,
    artifacts: Artifacts | None,
) -> LoadedModels:
    from embedding_pipeline.models.detector import UltralyticsDetector  # noqa: PLC0415 - as below
    from embedding_pipeline.models.embedder import TimmEmbedder  # noqa: PLC0415

    if detector is None:
        raise ModelError("no detector was chosen")
    wanted = (
        description.detector.artifact,
        description.embedder.artifact,
        description.embedder.projection,
    )
    if artifacts is None and any(wanted):
        raise ModelError("the models need artifacts of a store, and no store is open")
    return LoadedModels(
        detector=UltralyticsDetector(
            detector.path,
            description.detector,
            config_dir=config_dir(settings),
            threads=settings.threads,
        ),
        embedder=TimmEmbedder(network, description.embedder, threads=settings.threads),
        description=description,
        notice=notice or _notice(description, settings),
    )


def _network(embedder: Weights | None, random_name: str | None) -> Module:
    # Brings torch, which takes seconds; commands that load no model start without it.
    from embedding_pipeline.models.networks import build_network, build_random  # noqa: PLC0415

    if random_name is not None:
        return build_random(random_name)
    if embedder is None:
        raise ModelError("no embedder was chosen")
    return build_network(embedder)


def _describe_detector(weights: Weights | None, settings: Settings) -> DetectorDescription:
    if weights is None:
        raise ModelError("no detector was chosen")
    return DetectorDescription(
        name=weights.name,
        sha256=weights.sha256,
        origin=weights.origin,
        precision=PRECISION,
        input_size=-(-settings.detector_input_size // _STRIDE) * _STRIDE,
        score_floor=settings.score_floor,
        nms_iou=settings.nms_iou,
        max_objects=settings.max_objects,
    )


def _describe_embedder(
    network: Module, weights: Weights | None, random_name: str | None, settings: Settings
) -> EmbedderDescription:
    from embedding_pipeline.models.networks import (  # noqa: PLC0415 - see _network
        data_config,
        dimension_of,
        random_sha256,
    )

    config = data_config(network)
    return EmbedderDescription(
        name=weights.name if weights else f"{RANDOM_PREFIX}{random_name}",
        sha256=weights.sha256 if weights else random_sha256(str(random_name)),
        origin=weights.origin if weights else "random",
        precision=PRECISION,
        dimension=dimension_of(network, config.input_size),
        metric="cosine",
        normalized=True,
        input_size=config.input_size,
        mean=config.mean,
        std=config.std,
        interpolation=config.interpolation,
        crop_rule=settings.crop_rule,
        margin=0.0,
    )


def _random_name(embedder: str) -> str | None:
    """Name after ``random:``, or None; one that timm does not know raises UnknownModel."""
    if not embedder.startswith(RANDOM_PREFIX):
        return None
    import timm  # noqa: PLC0415 - see _network

    name = embedder.removeprefix(RANDOM_PREFIX)
    if not timm.is_model(name):
        raise UnknownModel(f"timm knows no model {name}", model=name)
    return name


def _notice(description: ModelDescription, settings: Settings) -> str | None:
    """What people should know of models that were chosen earlier."""
    embedder = description.embedder
    if embedder.origin == "random":
        return (
            f"The embedder {embedder.name} has random weights: it finds nothing but the very "
            "same crop and is for tests only."
        )
    if embedder.origin == "packaged" and settings.models != "packaged":
        return (
            f"The index was made with the packaged models {description.detector.name} and "
            f"{embedder.name}; its description keeps them until it is made anew."
        )
    return None
