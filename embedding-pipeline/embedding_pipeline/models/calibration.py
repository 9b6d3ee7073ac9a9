"""Post-training quantization of an embedder to int8, with NNCF; imported only when it is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import rich
from numpy.typing import NDArray

from embedding_pipeline.errors import ModelError
from embedding_pipeline.models.quiet import import_nncf

CALIBRATION_CROPS = 100
"""Crops that ranges of values are taken from; docs/models.md has what retrieval then loses."""

_ATTENTION = frozenset({"Softmax", "ScaledDotProductAttention"})


def quantized(model: Any, crops: NDArray[np.uint8]) -> Any:
    """An int8 copy of a model; what NNCF leaves in fp32 stays so.

    Symmetric weights, asymmetric activations (NNCF's ``mixed``), and its way for transformers
    where there is attention (smooth quantization before the linear layers).

    Args:
        model: takes ``(1, S, S, 3)`` uint8 (models/openvino_model.py).
        crops: ``(N, S, S, 3)`` uint8 RGB to calibrate on, at least one.

    Raises:
        ModelError: NNCF cannot quantize it.
    """
    nncf = import_nncf()
    transformer = any(node.get_type_name() in _ATTENTION for node in model.get_ops())
    try:
        with _quiet_console():
            return nncf.quantize(
                model,
                nncf.Dataset([crop[None] for crop in crops]),
                subset_size=len(crops),
                preset=nncf.QuantizationPreset.MIXED,
                model_type=nncf.ModelType.TRANSFORMER if transformer else None,
            )
    except Exception as exc:
        raise ModelError(f"the embedder cannot be quantized: {type(exc).__name__}: {exc}") from exc


@contextmanager
def _quiet_console() -> Iterator[None]:
    """Keep NNCF's progress bars, which go to rich's default console, off the terminal."""
    console = rich.get_console()
    before, console.quiet = console.quiet, True
    try:
        yield
    finally:
        console.quiet = before
