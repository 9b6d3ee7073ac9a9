"""Which ways a network can be computed on a machine, and which of them is fastest there."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.description import Runtime
from embedding_pipeline.errors import ModelError
from embedding_pipeline.models.machine import Machine
from embedding_pipeline.models.network import Network, Precision, Way

RuntimeWish: TypeAlias = Literal["auto"] | Runtime
PrecisionWish: TypeAlias = Literal["auto"] | Precision

WORTH = 1.1
"""A way must be this much faster to be taken instead of one that is nearer to PLAIN."""

_ROUNDS = 5
_BUDGET_S = 4.0


def candidates(
    machine: Machine,
    runtime: RuntimeWish,
    precision: PrecisionWish,
    *,
    torch_file: bool = True,
    any_runtime: bool = True,
) -> tuple[Way, ...]:
    """Ways that are worth measuring, the nearest to PLAIN first; int8 is decided elsewhere.

    A precision or runtime that is wished for is a candidate even where it is slow. With a GPU
    the native runtime uses it, and OpenVINO, which would use the processor, is left out of what
    is chosen by measuring. Compiling is left out too: it takes a minute at every first start.

    Args:
        machine: that will compute.
        runtime: wished for.
        precision: wished for; ``int8`` counts as ``fp32``, which it is made from.
        torch_file: the native runtime is PyTorch, which has bfloat16.
        any_runtime: OpenVINO can run the network.

    Raises:
        ModelError: nothing can give what is wished for.
    """
    found: list[Way] = []
    if runtime != "openvino":
        torch_runtime: Runtime = "compiled" if runtime == "compiled" else "native"
        if precision != "bf16":
            found.append(Way(torch_runtime, "fp32"))
        fast = machine.gpu_bf16 if machine.gpu else machine.cpu_bf16
        if torch_file and (precision == "bf16" or (precision == "auto" and fast)):
            found.append(Way(torch_runtime, "bf16"))
    openvino = runtime == "openvino" or (runtime == "auto" and not machine.gpu)
    if openvino and any_runtime:
        if precision != "bf16":
            found.append(Way("openvino", "fp32"))
        if precision == "bf16" or (precision == "auto" and machine.cpu_bf16):
            found.append(Way("openvino", "bf16"))
    if not found:
        raise ModelError(
            f"the model cannot be run with BOXSEEK_RUNTIME={runtime} and "
            f"BOXSEEK_PRECISION={precision}; leave one of them out"
        )
    return tuple(found)


def measured(
    networks: Mapping[Way, Network],
    inputs: Sequence[NDArray[np.uint8]],
    *,
    rounds: int = _ROUNDS,
    budget_s: float = _BUDGET_S,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Way, float]:
    """Inputs a second of each way: medians of rounds in which every way runs once.

    The first round warms up and is not counted. No round begins after the budget, but one is
    always counted.

    Args:
        networks: by way; none gives none.
        inputs: that each runs a round.
        rounds: at most.
        budget_s: seconds for all of it.
        clock: seconds.
    """
    seconds: dict[Way, list[float]] = {way: [] for way in networks}
    began = clock()
    for number in range(rounds + 1):
        if number > 1 and clock() - began > budget_s:
            break
        for way, network in networks.items():
            started = clock()
            for _ in network.run(inputs):
                pass
            if number > 0:
                seconds[way].append(clock() - started)
    return {way: len(inputs) / statistics.median(times) for way, times in seconds.items()}


def fastest(rates: Mapping[Way, float]) -> Way:
    """The first way that no later one beats by the factor WORTH.

    Args:
        rates: by way, nearest to PLAIN first; at least one.
    """
    ways = iter(rates)
    best = next(ways)
    for way in ways:
        if rates[way] >= WORTH * rates[best]:
            best = way
    return best
