"""Any timm model behind the Embedder port."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.description import EmbedderDescription
from embedding_pipeline.models.network import Network
from embedding_pipeline.ports.models import Crops


class TimmEmbedder:
    """Runs a timm network without its classifier, on any runtime.

    Args:
        network: takes ``(S, S, 3)`` uint8 RGB, gives ``(dimension,)`` (models/opening.py).
        description: how it is run.
    """

    def __init__(self, network: Network, description: EmbedderDescription) -> None:
        self.network = network
        self._description = description

    @property
    def description(self) -> EmbedderDescription:
        """Frozen description; what embed does follows from it alone."""
        return self._description

    def embed(self, crops: Crops) -> NDArray[np.float32]:
        """Embed crops (see the Embedder port)."""
        if len(crops) == 0:
            return np.zeros((0, self._description.dimension), np.float32)
        return np.stack(list(self.network.run(crops)))
