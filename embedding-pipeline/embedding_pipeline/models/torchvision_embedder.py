"""torchvision's models by name: where their weights lie, and its classifiers as embedders.

``torchvision:NAME`` means the network as torchvision has it with its newest weights,
``torchvision:NAME.TAG`` certain ones (``torchvision:resnet50.IMAGENET1K_V1``). A classifier is
taken whole, so its vectors are class scores; embedders without their classifier are timm's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedding_pipeline.errors import ModelError, UnknownModel

if TYPE_CHECKING:
    import torch

PREFIX = "torchvision:"


def is_torchvision(name: str) -> bool:
    """Whether a model's name asks for torchvision's."""
    return name.startswith(PREFIX)


def weights_url(name: str) -> str:
    """Address of the weights; its file name ends in the first 8 digits of their SHA-256.

    Raises:
        UnknownModel: torchvision knows no such network, or no such weights for it.
    """
    return str(_entry(name).url)


def build_classifier(name: str, path: Path) -> torch.nn.Module:
    """A classifier with these weights, whole; ``(N, 3, S, S)`` to ``(N, classes)``.

    What it expects of its input is in ``pretrained_cfg``, as timm's networks have it.

    Args:
        name: with its prefix.
        path: file of weights, read as plain tensors.

    Raises:
        ModelError: the file does not fit, or this is no classifier.
    """
    entry = _entry(name)
    presets = entry.transforms()
    if not hasattr(presets, "crop_size"):
        raise ModelError(f"{name} is no classifier", model=name)
    network = build(name, path)
    size = int(presets.crop_size[0])
    network.pretrained_cfg = {  # type: ignore[assignment] # an attribute, as timm sets it
        "input_size": (3, size, size),
        "mean": tuple(presets.mean),
        "std": tuple(presets.std),
        "interpolation": str(presets.interpolation.value),
    }
    return network


def build(name: str, path: Path, **options: object) -> torch.nn.Module:
    """A network with these weights, ready for inference.

    Args:
        name: with its prefix.
        path: file of weights; read with ``weights_only``, so that it can run no code.
        options: for the network's constructor.

    Raises:
        ModelError: the file does not fit.
    """
    import torch  # noqa: PLC0415 - names are told from others without it
    from torchvision.models import get_model  # noqa: PLC0415 - as above

    network: torch.nn.Module = get_model(_network_name(name), weights=None, **options)
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:
        raise ModelError(
            f"{path} does not fit torchvision's {name}: {type(error).__name__}: {error}",
            model=name,
        ) from error
    network.eval()
    return network.requires_grad_(requires_grad=False)


def class_names(name: str) -> tuple[str, ...]:
    """Class names by class number, as the weights were trained."""
    return tuple(str(label) for label in _entry(name).meta["categories"])


def _network_name(name: str) -> str:
    return name.removeprefix(PREFIX).partition(".")[0]


def _entry(name: str) -> Any:
    """Torchvision's record of the weights: address, classes, transforms."""
    from torchvision.models import get_model_weights  # noqa: PLC0415 - see build

    tag = name.removeprefix(PREFIX).partition(".")[2]
    try:
        known: Any = get_model_weights(_network_name(name))
        return known[tag] if tag else known.DEFAULT
    except (ValueError, KeyError, AttributeError) as error:
        raise UnknownModel(f"torchvision knows no weights {name}", model=name) from error
