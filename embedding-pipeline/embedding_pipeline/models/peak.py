"""What a machine could do at most, and how much work one input of a network is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

MATRIX_SIZES = (1024, 2048, 4096)


def matrix_peak_flops(
    sizes: Sequence[int] = MATRIX_SIZES,
    *,
    rounds: int = 3,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Floating point operations a second of the best fp32 matrix product on the processor.

    Args:
        sizes: sides of the square matrices.
        rounds: products of each size, after one that is not counted.
        clock: seconds.
    """
    import torch  # noqa: PLC0415 - takes seconds

    best = 0.0
    for size in sizes:
        one, other = torch.rand(size, size), torch.rand(size, size)
        torch.mm(one, other)
        for _ in range(rounds):
            started = clock()
            torch.mm(one, other)
            best = max(best, 2.0 * size**3 / max(clock() - started, 1e-9))
    return best


def flops_of(model: Any) -> float:
    """Floating point operations of one inference of an OpenVINO model with fixed shapes.

    Products and sums of convolutions, matrix products and attention; the rest is little.
    """
    return float(sum(_COUNTED[kind](node) for node in model.get_ops() if (kind := _kind(node))))


def _kind(node: Any) -> str:
    name = str(node.get_type_name())
    return name if name in _COUNTED else ""


def _convolution(node: Any) -> int:
    """Weights are ``(out, in, ...)``: each output value is a sum over ``in x kernel``."""
    return int(2 * math.prod(node.get_output_shape(0)) * math.prod(node.get_input_shape(1)[1:]))


def _grouped(node: Any) -> int:
    """Weights are ``(groups, out, in, ...)``."""
    return int(2 * math.prod(node.get_output_shape(0)) * math.prod(node.get_input_shape(1)[2:]))


def _product(node: Any) -> int:
    transposed = bool(node.get_attributes().get("transpose_a", False))
    inner = node.get_input_shape(0)[-2 if transposed else -1]
    return int(2 * math.prod(node.get_output_shape(0)) * inner)


def _attention(node: Any) -> int:
    """Two products: queries with keys ``(..., L, E) x (..., S, E)``, weights with values."""
    queries, keys, values = (node.get_input_shape(number) for number in range(3))
    weights = math.prod(queries[:-1]) * keys[-2]
    return int(2 * weights * (queries[-1] + values[-1]))


_COUNTED: dict[str, Callable[[Any], int]] = {
    "Convolution": _convolution,
    "GroupConvolution": _grouped,
    "MatMul": _product,
    "ScaledDotProductAttention": _attention,
}
