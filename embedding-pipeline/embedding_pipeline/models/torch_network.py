"""An embedder's network on PyTorch: a processor or a CUDA device, fp32 or bfloat16."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from embedding_pipeline.errors import ModelError
from embedding_pipeline.models.batch_size import fitting
from embedding_pipeline.models.network import Precision
from embedding_pipeline.models.torch_device import Staging, padded, power_of_two, prepared

_CHUNK = 32
"""Inputs in one call of the network: enough to fill a processor, little memory."""


class TorchNetwork:
    """Runs a network, eagerly or compiled; the inputs of one call must have one size.

    On a GPU a call is filled up to a power of two: every new shape has its kernels chosen first,
    which takes longer than computing (half a second for a network of many convolutions).

    Args:
        module: ``(N, 3, S, S)`` float, normalized, to ``(N, dimension)``.
        mean: per channel, of RGB in [0, 1].
        std: per channel, of RGB in [0, 1].
        precision: ``fp32``, or ``bf16`` under autocast.
        device: ``cpu`` or a CUDA device.
        threads: of the processor; 0 for all cores.
        chunk: inputs in one call of the network.
        compiles: run it through ``torch.compile``, once for all numbers of inputs.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        *,
        precision: Precision = "fp32",
        device: str = "cpu",
        threads: int = 0,
        chunk: int = _CHUNK,
        compiles: bool = False,
    ) -> None:
        self._device = prepared(device, threads)
        self._staging = Staging(self._device)
        self.module = module.eval().to(self._device).to(memory_format=torch.channels_last)
        self._network = torch.compile(self.module, dynamic=True) if compiles else self.module
        # A single input would be compiled for itself, and computed in another order.
        self._least = 2 if compiles else 1
        self._autocast = precision == "bf16"
        self._pads = compiles or self._device.type != "cpu"
        self._chunk = chunk
        # (x / 255 - mean) / std as one multiplication and one addition on uint8 values.
        scale = torch.tensor(std, dtype=torch.float32).view(1, 3, 1, 1)
        shift = torch.tensor(mean, dtype=torch.float32).view(1, 3, 1, 1)
        self._factor = (1.0 / (255.0 * scale)).to(self._device)
        self._offset = (-shift / scale).to(self._device)

    @property
    def batch_size(self) -> int:
        """Inputs in one call."""
        return self._chunk

    def fill(self, side: int) -> None:
        """Take calls as large as the device likes best; its memory sets the limit.

        Args:
            side: of the square inputs, pixels.
        """
        image = np.zeros((side, side, 3), np.uint8)
        self._chunk = fitting(lambda size: self._forward([image] * size))

    def warm_up(self, side: int) -> None:
        """Compile now, so that nobody waits for it later, and say so if it cannot be done.

        Args:
            side: of the square inputs, pixels.

        Raises:
            ModelError: there is no compiler, or it fails.
        """
        try:
            for size in (4, 8):  # what differs between two sizes is what may vary
                self._forward([np.zeros((side, side, 3), np.uint8)] * size)
        except Exception as exc:
            reason = str(exc).strip().splitlines()[0] if str(exc).strip() else type(exc).__name__
            raise ModelError(
                f"PyTorch cannot compile the network: {reason}. It needs a C++ compiler (Debian: "
                "apt install g++); or leave BOXSEEK_RUNTIME=compiled out"
            ) from exc

    def run(self, pixels: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """Run the network (see the Network protocol)."""
        waiting = iter(pixels)
        while chunk := list(islice(waiting, self._chunk)):
            yield from self._forward(chunk)

    @torch.inference_mode()
    def _forward(self, pixels: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        # Pixels lie channels-last already, so the permuted view is what convolutions like best.
        on_device = self._staging.moved(pixels).permute(0, 3, 1, 2)
        if self._pads:
            on_device = padded(on_device, power_of_two(max(self._least, len(pixels))))
        batch = on_device.float().mul_(self._factor).add_(self._offset)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._autocast):
            found = self._network(batch)[: len(pixels)]
        vectors: NDArray[np.float32] = found.float().cpu().numpy()
        return vectors
