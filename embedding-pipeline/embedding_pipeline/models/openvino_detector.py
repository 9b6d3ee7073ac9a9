"""A detector's network on OpenVINO."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.errors import ModelError
from embedding_pipeline.models.detector_network import Traits, UltralyticsNetwork
from embedding_pipeline.models.network import Precision
from embedding_pipeline.models.openvino_model import from_onnx, from_torch, kept, taking_pixels
from embedding_pipeline.models.openvino_network import OpenVinoNetwork
from embedding_pipeline.settings import Settings

_EXAMPLE_HW = (320, 256)


class OpenVinoDetectorNetwork:
    """Runs a model file on OpenVINO; the converted model is kept in the data folder.

    Args:
        weights: ``.pt`` or ``.onnx`` file; its trust is checked before (models/weights.py).
        sha256: of the file.
        precision: ``fp32`` or ``bf16``.
        settings: name the data folder and the threads.

    Raises:
        ModelError: a network of one input size only, which native runs.
    """

    def __init__(
        self, weights: Path, sha256: str, precision: Precision, settings: Settings
    ) -> None:
        native = UltralyticsNetwork(weights, threads=settings.threads)
        self._traits = native.traits
        if not self._traits.any_runtime:
            raise ModelError(
                f"{weights.name} has a fixed input, so OpenVINO does not run it here",
                model=weights.name,
            )
        model = kept(settings, f"detector {sha256}", lambda: _converted(native, weights))
        self._network = OpenVinoNetwork(model, precision, threads=settings.threads)

    @property
    def beside(self) -> bool:
        """It does not (see DetectorNetwork)."""
        return False

    @property
    def traits(self) -> Traits:
        """What must be known to use it."""
        return self._traits

    def run(self, pixels: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """Run the network (see the Network protocol)."""
        return self._network.run(pixels)


def _converted(native: UltralyticsNetwork, weights: Path) -> Any:
    """An OpenVINO model that takes pixels, of any height and width."""
    black, white = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if weights.suffix == ".onnx":
        return taking_pixels(from_onnx(weights), black, white, None)
    module: Any = native.backend.model
    head = module.model[-1]
    # As Ultralytics' own exporter does: anchors are computed from the input's size, not traced.
    before = {name: getattr(head, name, None) for name in ("dynamic", "export", "format")}
    head.dynamic, head.export, head.format = True, True, "openvino"
    try:
        return taking_pixels(from_torch(module, _EXAMPLE_HW), black, white, None)
    finally:
        for name, value in before.items():
            setattr(head, name, value)
