"""What the machine could do at most: its fp32 matrix product, and a network's operations."""

from __future__ import annotations

import time

import torch
from torch.utils.flop_counter import FlopCounterMode

SIZES = (1024, 2048, 4096)


def peak_flops(sizes: tuple[int, ...] = SIZES) -> float:
    """Floating point operations a second of the best fp32 matrix product of these sizes."""
    best = 0.0
    for size in sizes:
        one, other = torch.rand(size, size), torch.rand(size, size)
        torch.mm(one, other)
        for _ in range(5 if size < 4096 else 2):
            started = time.perf_counter()
            torch.mm(one, other)
            best = max(best, 2 * size**3 / (time.perf_counter() - started))
    return best


@torch.inference_mode()
def flops_of(network: torch.nn.Module, input_size: int) -> float:
    """Floating point operations of one input, as torch counts them (products and sums)."""
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, input_size, input_size))
    return float(counter.get_total_flops())
