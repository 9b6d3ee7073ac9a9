"""Ports of the two models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.description import DetectorDescription, EmbedderDescription
from embedding_pipeline.domain.entries import Detection

Crops: TypeAlias = Sequence[NDArray[np.uint8]] | NDArray[np.uint8]
"""``(S, S, 3)`` uint8 RGB arrays of one size, stacked or not: nobody has to copy them to ask."""


class Detector(Protocol):
    """Finds objects in upright pictures."""

    @property
    def description(self) -> DetectorDescription:
        """Frozen description; what detect does follows from it alone."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names by class number."""
        ...

    def detect(
        self, images: Sequence[NDArray[np.uint8]]
    ) -> list[tuple[tuple[Detection, ...], bool]]:
        """Find the objects of each picture.

        Args:
            images: ``(H, W, 3)`` uint8 RGB arrays of any sizes.

        Returns:
            One ``(detections, truncated)`` a picture, in order. Detections are in the fixed
            order that ranks follow: confidence (rounded to 4 digits) falling, then y1, x1,
            y2, x2, label. They never depend on the other pictures of the call. The empty
            sequence gives the empty list.
        """
        ...


class Embedder(Protocol):
    """Turns square crops into vectors."""

    @property
    def description(self) -> EmbedderDescription:
        """Frozen description; what embed does follows from it alone."""
        ...

    def embed(self, crops: Crops) -> NDArray[np.float32]:
        """Embed crops, not yet normalized.

        Args:
            crops: S is the description's input size; there may be none.

        Returns:
            ``(N, dimension)`` float32. Row i depends on crop i alone.
        """
        ...
