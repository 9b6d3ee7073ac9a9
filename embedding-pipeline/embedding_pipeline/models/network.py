"""The seam between a model and what computes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.description import Runtime

Precision: TypeAlias = Literal["fp32", "bf16", "int8"]


@dataclass(frozen=True, slots=True)
class Way:
    """How a network is computed.

    Args:
        runtime: what computes.
        precision: of the arithmetic.
    """

    runtime: Runtime
    precision: Precision

    def __str__(self) -> str:
        return f"{self.runtime} {self.precision}"


PLAIN = Way("native", "fp32")
"""What everything else is compared with."""


class Network(Protocol):
    """A network that can be run on pixels; normalization is part of it."""

    def run(self, pixels: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """Run the network on each input; not for two threads or two runs at once.

        Args:
            pixels: ``(H, W, 3)`` uint8 RGB arrays of sizes that the network takes; asked for
                one after the other, while earlier ones are being computed.

        Returns:
            One float32 array an input, in order, without a batch axis. Row i depends on input i
            alone. No inputs give no rows.
        """
        ...
