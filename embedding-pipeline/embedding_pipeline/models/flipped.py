"""The mean of a crop's vector and its mirror image's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.description import EmbedderDescription
from embedding_pipeline.ports.models import Crops, Embedder


class FlippedEmbedder:
    """Embeds every crop twice, as it is and mirrored: left and right no longer matter.

    Args:
        embedder: runs the network.
        description: says that crops are flipped too.
    """

    def __init__(self, embedder: Embedder, description: EmbedderDescription) -> None:
        self._embedder = embedder
        self._description = description

    @property
    def description(self) -> EmbedderDescription:
        """Frozen description; what embed does follows from it alone."""
        return self._description

    def embed(self, crops: Crops) -> NDArray[np.float32]:
        """Embed crops (see the Embedder port): the sum of the two directions."""
        if len(crops) == 0:
            return self._embedder.embed(crops)
        mirrored = [np.ascontiguousarray(crop[:, ::-1]) for crop in crops]
        both = self._embedder.embed([*crops, *mirrored])
        return np.asarray(unit(both[: len(crops)]) + unit(both[len(crops) :]), np.float32)


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(N, dimension)`` vectors of length one; zero stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = np.divide(
        vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0
    )
    return scaled
