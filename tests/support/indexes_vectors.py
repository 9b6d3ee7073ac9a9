"""Vectors that are not easy to search: few real dimensions, much noise."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.entries import PictureEntries
from support.indexes_samples import picture

LATENT = 64
NOISE = 2.0
"""Standard deviation of the noise, where the latent part has about LATENT ** 0.5 = 8."""

OBJECTS_A_PICTURE = 4


class LatentVectors:
    """Unit vectors with a 64-d latent structure plus noise.

    Args:
        dimension: length of a vector.
        seed: decides the structure and every vector.
    """

    def __init__(self, dimension: int = 768, seed: int = 0) -> None:
        self._generator = np.random.default_rng(seed)
        self._mixing = self._generator.standard_normal((LATENT, dimension), np.float32)

    def draw(self, rows: int) -> NDArray[np.float32]:
        """Next ``(rows, dimension)`` float32 unit vectors."""
        latent = self._generator.standard_normal((rows, LATENT), np.float32)
        noise = self._generator.standard_normal((rows, self._mixing.shape[1]), np.float32)
        vectors = latent @ self._mixing + NOISE * noise
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def label_of(number: int) -> str:
    """Label of the object with this number: 1 % ``rare``, 10 % ``some``, others ``most``."""
    return "rare" if number % 100 == 2 else "some" if number % 10 == 1 else "most"


def pictures_of(vectors: NDArray[np.float32], first: int = 0) -> Iterator[PictureEntries]:
    """Pictures of five entries each whose vectors are the rows in order."""
    entries = OBJECTS_A_PICTURE + 1
    for start in range(0, len(vectors), entries):
        rows = vectors[start : start + entries]
        number = first + start
        labels = [label_of(number + i) for i in range(1, len(rows))]
        yield picture(number, labels, vectors=rows, dimension=vectors.shape[1])
