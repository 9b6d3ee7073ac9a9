"""From a description to models that run as it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from embedding_pipeline.domain.description import DetectorDescription, EmbedderDescription
from embedding_pipeline.errors import ModelError
from embedding_pipeline.models.artifacts import Artifacts
from embedding_pipeline.models.joined_detector import joined
from embedding_pipeline.models.letterbox import usual_shape
from embedding_pipeline.models.network import Network, Precision
from embedding_pipeline.models.openvino_model import from_torch, kept, taking_pixels, unpack
from embedding_pipeline.models.openvino_network import OpenVinoNetwork
from embedding_pipeline.models.sources import config_dir
from embedding_pipeline.models.torchvision_embedder import is_torchvision
from embedding_pipeline.models.weights import Weights
from embedding_pipeline.ports.models import Detector
from embedding_pipeline.settings import Settings

if TYPE_CHECKING:
    from torch.nn import Module

    from embedding_pipeline.models.detector_network import DetectorNetwork

_PRECISIONS: dict[str, tuple[Precision, ...]] = {
    "native": ("fp32", "bf16"),
    "compiled": ("fp32", "bf16"),
    "openvino": ("fp32", "bf16", "int8"),
}


def open_detector(
    weights: Weights, description: DetectorDescription, settings: Settings
) -> Detector:
    """The detector of a description.

    Raises:
        ModelError: it cannot be run as described.
    """
    if is_torchvision(weights.name):
        from embedding_pipeline.models.torchvision_detector import (  # noqa: PLC0415 - torch
            TorchvisionDetector,
        )

        return TorchvisionDetector(weights, description, threads=settings.threads)
    from embedding_pipeline.models.detector import UltralyticsDetector  # noqa: PLC0415 - torch

    detector = UltralyticsDetector(
        weights.path,
        description,
        config_dir=config_dir(settings),
        network=open_detector_network(weights, description, settings),
    )
    return joined(detector, description)


def open_detector_network(
    weights: Weights, description: DetectorDescription, settings: Settings
) -> DetectorNetwork:
    """What computes a described detector."""
    from embedding_pipeline.models.detector_network import (  # noqa: PLC0415 - brings torch
        UltralyticsNetwork,
    )
    from embedding_pipeline.models.openvino_detector import (  # noqa: PLC0415 - with it
        OpenVinoDetectorNetwork,
    )
    from embedding_pipeline.models.quiet import import_ultralytics  # noqa: PLC0415 - with it

    precision = _precision(description)
    if description.artifact or precision == "int8":
        raise ModelError(
            f"{description.name} was run in {precision}, which Boxseek does not do with detectors",
            model=description.name,
        )
    import_ultralytics(config_dir(settings))
    if description.runtime == "openvino":
        return OpenVinoDetectorNetwork(weights.path, weights.sha256, precision, settings)
    device = _device(weights.path.suffix == ".pt")
    network = UltralyticsNetwork(
        weights.path, precision=precision, device=device, threads=settings.threads
    )
    if device != "cpu" and network.traits.any_runtime:
        network.fill(usual_shape(description, network.traits.stride))
    return network


def open_embedder_network(
    description: EmbedderDescription,
    module: Callable[[], Module],
    settings: Settings,
    artifacts: Artifacts | None,
) -> Network:
    """What computes a described embedder.

    Args:
        description: how.
        module: builds the timm network; not called where a converted one is at hand.
        settings: name the data folder and the threads.
        artifacts: where quantized networks are kept.

    Raises:
        ModelError: it cannot be run as described.
    """
    precision = _precision(description)
    if precision == "int8":
        return OpenVinoNetwork(
            unpack(_artifact(description, artifacts)), precision, threads=settings.threads
        )
    if description.runtime == "openvino":
        model = openvino_embedder(description, module, settings)
        return OpenVinoNetwork(model, precision, threads=settings.threads)
    from embedding_pipeline.models.torch_device import keep_compiled  # noqa: PLC0415 - torch
    from embedding_pipeline.models.torch_network import TorchNetwork  # noqa: PLC0415 - torch

    device = _device(torch_file=True)
    if description.runtime == "compiled":
        keep_compiled(settings.data_dir / "cache" / "compiled")
    network = TorchNetwork(
        module(),
        description.mean,
        description.std,
        precision=precision,
        device=device,
        threads=settings.threads,
        compiles=description.runtime == "compiled",
    )
    if device != "cpu":
        network.fill(description.input_size)
    if description.runtime == "compiled":
        network.warm_up(description.input_size)
    return network


def openvino_embedder(
    description: EmbedderDescription, module: Callable[[], Module], settings: Settings
) -> Any:
    """The fp32 OpenVINO model of an embedder, which takes ``(1, S, S, 3)`` uint8; kept."""
    size_hw = (description.input_size, description.input_size)
    how = (description.sha256, description.pooling, size_hw, description.mean, description.std)

    def make() -> Any:
        converted = from_torch(module(), size_hw)
        return taking_pixels(converted, description.mean, description.std, size_hw)

    return kept(settings, f"embedder {how}", make)


def _precision(description: DetectorDescription | EmbedderDescription) -> Precision:
    known = _PRECISIONS.get(description.runtime, ())
    for precision in known:
        if precision == description.precision:
            return precision
    raise ModelError(
        f"the index was made with {description.name} in {description.precision} on "
        f"{description.runtime}, which this version of Boxseek does not run; take the version "
        "that made it, or `boxseek reindex` makes the index anew",
        model=description.name,
        expected=description.precision,
        actual=list(known),
    )


def _artifact(description: EmbedderDescription, artifacts: Artifacts | None) -> bytes:
    if artifacts is None:
        raise ModelError(
            f"{description.name} needs artifact {description.artifact}, and no store is open",
            model=description.name,
        )
    return artifacts.load(description.artifact)


def _device(torch_file: bool) -> str:  # noqa: FBT001 - private, one question
    """Where the native runtime computes: the GPU where PyTorch can use one."""
    import torch  # noqa: PLC0415 - takes seconds

    return "cuda" if torch_file and torch.cuda.is_available() else "cpu"
