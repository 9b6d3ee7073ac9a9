"""How many inputs fill a GPU: measured on the card when a network is opened there."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable, Sequence

import torch

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Inputs in one call that are tried, smallest first."""

WORTH = 1.05
"""A larger call must be this much faster per input: it takes memory and makes searches wait."""

_ROUNDS = 3
_log = logging.getLogger(__name__)


def fitting(
    call: Callable[[int], object],
    *,
    sizes: Sequence[int] = SIZES,
    clock: Callable[[], float] = time.perf_counter,
) -> int:
    """The number of inputs a call from which on larger calls are hardly faster.

    Sizes are tried until two in a row bring nothing, or the card's memory is full.

    Args:
        call: computes so many inputs and waits for the result.
        sizes: to try, ascending; the first must fit.
        clock: seconds.
    """
    best, best_rate, without = sizes[0], 0.0, 0
    for size in sizes:
        try:
            rate = _rate(call, size, clock)
        except torch.OutOfMemoryError:
            _log.info("%d inputs a call do not fit into the GPU's memory", size)
            torch.cuda.empty_cache()
            break
        if rate >= WORTH * best_rate:
            best, best_rate, without = size, rate, 0
            continue
        without += 1
        if without == 2:  # noqa: PLR2004 - as said
            break
    return best


def _rate(call: Callable[[int], object], size: int, clock: Callable[[], float]) -> float:
    call(size)  # allocates and chooses kernels
    seconds = []
    for _ in range(_ROUNDS):
        started = clock()
        call(size)
        seconds.append(clock() - started)
    return size / max(statistics.median(seconds), 1e-9)
