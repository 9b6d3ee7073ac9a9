"""timm networks from files of weights, and what their data configuration says."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from timm.data import resolve_model_data_config

from embedding_pipeline.errors import ModelError
from embedding_pipeline.models.torchvision_embedder import build_classifier, is_torchvision
from embedding_pipeline.models.trusted import PACKAGED_EMBEDDER
from embedding_pipeline.models.weights import Weights

_SEED = 0


@dataclass(frozen=True, slots=True)
class DataConfig:
    """What a network expects of its input.

    Args:
        input_size: pixels of the square input.
        mean: of RGB in [0, 1].
        std: of RGB in [0, 1].
        interpolation: ``bilinear`` or ``bicubic``.
    """

    input_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str


def build_network(weights: Weights) -> torch.nn.Module:
    """A timm network without classifier, with these weights.

    Raises:
        ModelError: the file does not fit the network.
    """
    try:
        if is_torchvision(weights.name):
            network = build_classifier(weights.name, weights.path)
        elif weights.sha256 == PACKAGED_EMBEDDER:
            network = _packaged(weights)
        elif weights.path.name == "model.safetensors" and _has_config(weights.path):
            network = timm.create_model(
                f"local-dir:{weights.path.parent}", pretrained=True, num_classes=0
            )
        else:
            network = timm.create_model(
                weights.name,
                pretrained=True,
                num_classes=0,
                pretrained_cfg_overlay={"file": str(weights.path), "custom_load": False},
            )
    except Exception as error:
        raise ModelError(
            f"{weights.path} does not fit timm's {weights.name}: {type(error).__name__}: {error}",
            model=weights.name,
        ) from error
    return _ready(network)


def build_random(name: str) -> torch.nn.Module:
    """A timm network with seeded random weights: it finds nothing and is for tests only.

    Args:
        name: timm name without the ``random:`` prefix.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        return _ready(timm.create_model(name, pretrained=False, num_classes=0))


def random_sha256(name: str) -> str:
    """SHA-256 of the text that random weights follow from."""
    return hashlib.sha256(f"random:{name}:seed={_SEED}".encode()).hexdigest()


def data_config(network: torch.nn.Module) -> DataConfig:
    """Input size, mean, std and interpolation that the network was trained with."""
    config: dict[str, Any] = resolve_model_data_config(network)
    _, height, width = config["input_size"]
    if height != width:
        raise ModelError(f"the network takes {width}x{height} pixels; only squares are supported")
    red, green, blue = (float(value) for value in config["mean"])
    std_red, std_green, std_blue = (float(value) for value in config["std"])
    interpolation = "bilinear" if config["interpolation"] == "bilinear" else "bicubic"
    return DataConfig(
        int(height), (red, green, blue), (std_red, std_green, std_blue), interpolation
    )


@torch.inference_mode()
def dimension_of(network: torch.nn.Module, input_size: int) -> int:
    """Length of the vectors, found by running the network once."""
    vectors = network(torch.zeros(1, 3, input_size, input_size))
    if vectors.ndim != 2:  # noqa: PLR2004 - rows of vectors
        raise ModelError(f"the network gives an array of shape {tuple(vectors.shape)}, not vectors")
    return int(vectors.shape[1])


def _packaged(weights: Weights) -> torch.nn.Module:
    """EfficientNet-Lite0 of the package: other names, the same order and shapes as timm's."""
    network: torch.nn.Module = timm.create_model("tf_efficientnet_lite0", num_classes=1000)
    state = torch.load(weights.path, map_location="cpu", weights_only=True)
    names = network.state_dict()
    if [v.shape for v in state.values()] != [v.shape for v in names.values()]:
        raise ModelError(f"{weights.path} has other layers than tf_efficientnet_lite0")
    network.load_state_dict(dict(zip(names, state.values(), strict=True)))
    network.reset_classifier(0)  # type: ignore[operator] # timm's networks have it
    return network


def _ready(network: torch.nn.Module) -> torch.nn.Module:
    network.eval()
    network.requires_grad_(requires_grad=False)
    return network


def _has_config(path: Path) -> bool:
    return (path.parent / "config.json").is_file()
