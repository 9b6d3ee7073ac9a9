"""Any timm model behind the Embedder port."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from embedding_pipeline.domain.description import EmbedderDescription
from embedding_pipeline.models.quiet import available_cores

_CHUNK = 32
"""Crops in one call of the network: enough to fill a CPU, little memory."""


class TimmEmbedder:
    """Runs a timm network without its classifier, in fp32.

    Args:
        network: from ``models/networks.py``; ``(N, 3, S, S)`` float to ``(N, dimension)``.
        description: how it is run.
        threads: CPU threads; 0 for all cores.
        chunk: crops in one call of the network.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        description: EmbedderDescription,
        *,
        threads: int = 0,
        chunk: int = _CHUNK,
    ) -> None:
        torch.set_num_threads(threads or available_cores())
        self._network = network.eval().to(memory_format=torch.channels_last)
        self._description = description
        self._chunk = chunk
        # (x / 255 - mean) / std as one multiplication and one addition on uint8 values.
        std = torch.tensor(description.std, dtype=torch.float32).view(1, 3, 1, 1)
        mean = torch.tensor(description.mean, dtype=torch.float32).view(1, 3, 1, 1)
        self._factor = 1.0 / (255.0 * std)
        self._offset = -mean / std

    @property
    def description(self) -> EmbedderDescription:
        """Frozen description; what embed does follows from it alone."""
        return self._description

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed crops (see the Embedder port)."""
        if len(crops) == 0:
            return np.zeros((0, self._description.dimension), np.float32)
        parts = [
            self._forward(crops[start : start + self._chunk])
            for start in range(0, len(crops), self._chunk)
        ]
        return np.concatenate(parts)

    @torch.inference_mode()
    def _forward(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        # Pixels lie channels-last already, so the permuted view is what convolutions like best.
        pixels = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float()
        batch = pixels.mul_(self._factor).add_(self._offset)
        vectors: NDArray[np.float32] = self._network(batch).float().numpy()
        return vectors
