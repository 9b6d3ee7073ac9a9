"""Where PyTorch computes, and with what else it shares the processor."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from embedding_pipeline.models.quiet import available_cores


def prepared(device: str, threads: int) -> torch.device:
    """The device, with PyTorch's threads and arithmetic set for it.

    With a GPU the processor decodes and crops; PyTorch's own threads would only be in the way of
    that, so it gets one. A description's fp32 is fp32 there too, not the shorter TF32 that
    PyTorch takes for convolutions: bf16 is the way to be faster.

    Args:
        device: ``cpu`` or a CUDA device.
        threads: of the processor; 0 for all cores.
    """
    found = torch.device(device)
    torch.set_num_threads((threads or available_cores()) if found.type == "cpu" else 1)
    if found.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
    return found


class Staging:
    """Brings inputs to the device through memory that is used again and, for a GPU, pinned.

    Fresh memory for every batch costs more than the copying: the system hands it out page by
    page. One thread at a time may use it.

    Args:
        device: where the inputs go.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._memory = torch.empty(0, dtype=torch.uint8)

    def moved(self, inputs: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
        """Inputs of one shape as one batch on the device, ``(N, *shape)`` uint8."""
        if self._device.type == "cpu":
            return torch.from_numpy(np.stack(inputs))
        shape = (len(inputs), *inputs[0].shape)
        if self._memory.numel() < (size := math.prod(shape)):
            self._memory = torch.empty(size, dtype=torch.uint8, pin_memory=True)
        batch = self._memory[:size].view(shape)
        np.stack(inputs, out=batch.numpy())
        return batch.to(self._device)


def power_of_two(count: int) -> int:
    """The smallest power of two that is not less; count is at least 1."""
    return 1 << (count - 1).bit_length()


def padded(batch: torch.Tensor, size: int) -> torch.Tensor:
    """A batch with zeros appended, so that it has this size at least."""
    missing = size - len(batch)
    return batch if missing <= 0 else torch.cat((batch, batch.new_zeros(missing, *batch.shape[1:])))


def keep_compiled(folder: Path) -> None:
    """Have ``torch.compile`` keep what it made, so that a second start compiles nothing.

    Args:
        folder: of this data folder's own; made if it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder)
    os.environ["TRITON_CACHE_DIR"] = str(folder / "triton")
    # In this process: helpers that are forked beside a server's threads may hang.
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
