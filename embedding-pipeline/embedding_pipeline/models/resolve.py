"""From settings to models for a new index, and from a description to models for an old one."""

from __future__ import annotations

from collections.abc import Callable
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
from embedding_pipeline.models.finishing import finished, with_projection
from embedding_pipeline.models.loaded import LoadedModels
from embedding_pipeline.models.network import PLAIN, Network
from embedding_pipeline.models.samples import Samples
from embedding_pipeline.models.weights import Weights, WeightsFolder
from embedding_pipeline.ports.models import Detector
from embedding_pipeline.settings import Settings

if TYPE_CHECKING:
    from torch.nn import Module

RANDOM_PREFIX = "random:"
_STRIDE = 32
_DETECTED_INPUTS = 2
"""A shrunk JPEG's longer side keeps so many times the detector's input."""
_SHARP_CROPS = 10
"""A tenth of a shrunk JPEG's longer side still fills the embedder's input (docs/pipeline.md)."""
_TILED_INPUTS = 4
"""A JPEG keeps so many times the detector's input for tiles: five of them reach across."""


def resolve_models(
    settings: Settings,
    progress: ProgressCallback | None = None,
    *,
    artifacts: Artifacts | None = None,
    samples: Samples | None = None,
) -> LoadedModels:
    """Choose, fetch, measure and load models for a new index; the choice is in the description.

    Args:
        settings: names or paths, where to look, and what computes if that is not to be measured.
        progress: told of downloads.
        artifacts: where quantized networks and projections are kept; None: none are used.
        samples: gives pictures to calibrate on; None: nothing is calibrated.

    Raises:
        WeightsNotFound: not to be had anywhere that the settings allow.
        UntrustedWeights: a pickled file that is on no list.
        WeightsChanged: a file is not what was recorded.
        UnknownModel: nobody knows the name.
        ModelError: the models cannot be run as the settings wish.
    """
    from embedding_pipeline.models.embedder import TimmEmbedder  # noqa: PLC0415 - see _network
    from embedding_pipeline.models.pooling import pooled  # noqa: PLC0415 - with it
    from embedding_pipeline.models.settling import (  # noqa: PLC0415 - with it
        settle_detector,
        settle_embedder,
    )

    chooser = Chooser(settings, WeightsFolder.of(settings), progress)
    random_name = _random_name(settings.embedder)
    found, embedder, notice = chooser.defaults(
        detector=not settings.detector, embedder=not settings.embedder
    )
    if settings.detector:
        found = chooser.detector(settings.detector)
    if settings.embedder and random_name is None:
        embedder = chooser.embedder(settings.embedder)
    bare = _network(embedder, random_name)
    weights = _chosen(found)
    plain = _describe_embedder(bare, embedder, random_name, settings)
    network = pooled(bare, plain.pooling)
    detector = settle_detector(
        weights, _describe_detector(weights, settings, plain.input_size), settings
    )
    settled = settle_embedder(
        plain,
        lambda: network,
        settings,
        detector=detector,
        artifacts=artifacts,
        samples=samples,
    )
    how = with_projection(
        finished(TimmEmbedder(settled.network, settled.description), settled.description, None),
        settled.description,
        settings,
        detector=detector,
        artifacts=artifacts,
        samples=samples,
    )
    description = ModelDescription(detector.description, how)
    notice = notice or settled.notice
    return _loaded(description, detector, settled.network, settings, notice, artifacts)


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
        ModelError: it was run in a way that is not known here.
    """
    from embedding_pipeline.models.opening import (  # noqa: PLC0415 - commands that load no model
        open_detector,
        open_embedder_network,
    )

    chooser = Chooser(settings, WeightsFolder.of(settings), progress)
    how = description.embedder
    module = module_of(how, settings, progress)
    network = open_embedder_network(how, module, settings, artifacts)
    detector = open_detector(
        exact_detector(description.detector, chooser), description.detector, settings
    )
    return _loaded(description, detector, network, settings, None, artifacts)


def module_of(
    how: EmbedderDescription, settings: Settings, progress: ProgressCallback | None = None
) -> Callable[[], Module]:
    """Gives a function that builds an embedder's network from the very file it was made with.

    Raises:
        WeightsNotFound: the function does, if the file is nowhere.
    """

    def build() -> Module:
        from embedding_pipeline.models.pooling import pooled  # noqa: PLC0415 - see _network

        random_name = _random_name(how.name)
        if random_name is not None:
            return pooled(_network(None, random_name), how.pooling)
        chooser = Chooser(settings, WeightsFolder.of(settings), progress)
        return pooled(_network(exact_embedder(how, chooser), None), how.pooling)

    return build


def _loaded(
    description: ModelDescription,
    detector: Detector,
    network: Network,
    settings: Settings,
    notice: str | None,
    artifacts: Artifacts | None,
) -> LoadedModels:
    from embedding_pipeline.models.embedder import TimmEmbedder  # noqa: PLC0415 - see _network

    how = description.embedder
    return LoadedModels(
        detector=detector,
        embedder=finished(TimmEmbedder(network, how), how, artifacts),
        description=description,
        notice=notice or _notice(description, settings),
    )


def _chosen(detector: Weights | None) -> Weights:
    if detector is None:
        raise ModelError("no detector was chosen")
    return detector


def _network(embedder: Weights | None, random_name: str | None) -> Module:
    # Brings torch, which takes seconds; commands that load no model start without it.
    from embedding_pipeline.models.networks import build_network, build_random  # noqa: PLC0415

    if random_name is not None:
        return build_random(random_name)
    if embedder is None:
        raise ModelError("no embedder was chosen")
    return build_network(embedder)


def _describe_detector(weights: Weights, settings: Settings, crop_size: int) -> DetectorDescription:
    input_size = -(-settings.detector_input_size // _STRIDE) * _STRIDE
    further = tuple(int(size) for size in settings.further_sizes.split(",") if size)
    longest = max(input_size, *further) if further else input_size
    joins = bool(further or settings.detector_flip or settings.detector_tiles)
    return DetectorDescription(
        name=weights.name,
        sha256=weights.sha256,
        origin=weights.origin,
        precision=PLAIN.precision,
        input_size=input_size,
        score_floor=settings.score_floor,
        nms_iou=settings.nms_iou,
        max_objects=settings.max_objects,
        further_sizes=further,
        flip=settings.detector_flip,
        join_iou=settings.join_iou if joins else 0.0,
        class_agnostic_iou=settings.class_agnostic_iou,
        min_side=settings.min_side,
        decode_long_side=max(
            _DETECTED_INPUTS * longest,
            _SHARP_CROPS * crop_size,
            _TILED_INPUTS * input_size if settings.detector_tiles else 0,
        )
        if settings.shrink_on_load
        else 0,
        tiles=settings.detector_tiles,
    )


def _describe_embedder(
    network: Module, weights: Weights | None, random_name: str | None, settings: Settings
) -> EmbedderDescription:
    from embedding_pipeline.models.networks import (  # noqa: PLC0415 - see _network
        data_config,
        dimension_of,
        random_sha256,
    )
    from embedding_pipeline.models.pooling import usable_pooling  # noqa: PLC0415 - see _network

    config = data_config(network)
    return EmbedderDescription(
        name=weights.name if weights else f"{RANDOM_PREFIX}{random_name}",
        sha256=weights.sha256 if weights else random_sha256(str(random_name)),
        origin=weights.origin if weights else "random",
        precision=PLAIN.precision,
        dimension=dimension_of(network, config.input_size),
        metric="cosine",
        normalized=True,
        input_size=config.input_size,
        mean=config.mean,
        std=config.std,
        interpolation=config.interpolation,
        crop_rule=settings.crop_rule,
        margin=0.0,
        flip=settings.flip_average,
        pooling=usable_pooling(network, settings.pooling, config.input_size),
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
