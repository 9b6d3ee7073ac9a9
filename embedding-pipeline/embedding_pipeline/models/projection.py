"""Shorter vectors by a projection that is learned on the user's own pictures."""

from __future__ import annotations

import io
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.description import EmbedderDescription
from embedding_pipeline.errors import ModelError
from embedding_pipeline.models.flipped import unit
from embedding_pipeline.ports.models import Crops, Embedder

MATRIX = "matrix"


class ProjectedEmbedder:
    """Projects unit vectors of an embedder to fewer dimensions.

    Args:
        embedder: gives vectors of the length that the matrix takes.
        description: with the short dimension.
        matrix: ``(long, short)`` float32 with orthonormal columns.
    """

    def __init__(
        self, embedder: Embedder, description: EmbedderDescription, matrix: NDArray[np.float32]
    ) -> None:
        if matrix.shape[1] != description.dimension:
            raise ModelError(
                f"the projection of {description.name} gives {matrix.shape[1]} dimensions, its "
                f"description says {description.dimension}",
                model=description.name,
                expected=description.dimension,
                actual=matrix.shape[1],
            )
        self._embedder = embedder
        self._description = description
        self._matrix = matrix

    @property
    def description(self) -> EmbedderDescription:
        """Frozen description; what embed does follows from it alone."""
        return self._description

    def embed(self, crops: Crops) -> NDArray[np.float32]:
        """Embed crops (see the Embedder port)."""
        if len(crops) == 0:
            return np.zeros((0, self._description.dimension), np.float32)
        # A row at a time, because a matrix product of another height may give other bits.
        rows = [row @ self._matrix for row in unit(self._embedder.embed(crops))]
        return np.stack(rows).astype(np.float32)


def learned(vectors: NDArray[np.float32], dimension: int) -> NDArray[np.float32]:
    """Learn a projection: the directions in which unit vectors are longest.

    That is PCA without taking away the mean (the eigenvectors of the second moment), so that
    cosines of short vectors are those of the long ones as nearly as possible. Signs are fixed,
    so that the same vectors give the same matrix.

    Args:
        vectors: ``(N, long)`` float32; N at least ``dimension``.
        dimension: of the short vectors; less than ``long``.

    Returns:
        ``(long, dimension)`` float32 with orthonormal columns.

    Raises:
        ModelError: too few vectors, or there is nothing to shorten.
    """
    count, length = vectors.shape
    if dimension >= length or count < dimension:
        raise ModelError(
            f"{dimension} dimensions cannot be learned from {count} crops of {length} dimensions: "
            "it takes at least as many crops as dimensions, and fewer dimensions than there are",
            expected=dimension,
            actual=count,
        )
    rows = unit(vectors).astype(np.float64)
    _, directions = np.linalg.eigh(rows.T @ rows / count)
    longest = directions[:, ::-1][:, :dimension]
    largest = np.abs(longest).argmax(axis=0)
    signs = np.sign(longest[largest, np.arange(dimension)])
    matrix: NDArray[np.float32] = (longest * signs).astype(np.float32)
    return matrix


def packed(matrix: NDArray[np.float32]) -> bytes:
    """A matrix as a file that carries no code (npz)."""
    file = io.BytesIO()
    np.savez(file, **{MATRIX: matrix.astype(np.float32)})  # type: ignore[arg-type] # names are data
    return file.getvalue()


def unpacked(data: bytes) -> NDArray[np.float32]:
    """The matrix of a file; ModelError where it is none."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            matrix: NDArray[np.float32] = file[MATRIX]
    except (ValueError, KeyError, OSError, EOFError, BadZipFile) as exc:
        raise ModelError(f"the artifact is no projection: {exc}") from exc
    if matrix.ndim != 2 or matrix.dtype != np.float32:  # noqa: PLR2004 - a matrix
        raise ModelError(f"the artifact is no projection: {matrix.dtype} {matrix.shape}")
    return matrix
