"""Deterministic models for tests: no weights, no torch, any dimension."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.description import (
    DetectorDescription,
    EmbedderDescription,
    ModelDescription,
)
from embedding_pipeline.domain.entries import Detection
from embedding_pipeline.ports.models import Crops

LABELS = ("person", "car", "dog", "cat")


def fake_description(dimension: int = 16, *, name: str = "fake") -> ModelDescription:
    """Description of FakeDetector and FakeEmbedder."""
    return ModelDescription(
        detector=DetectorDescription(
            name=f"{name}-detector",
            sha256="d" * 64,
            origin="local",
            precision="fp32",
            input_size=64,
            score_floor=0.25,
            nms_iou=0.7,
            max_objects=100,
        ),
        embedder=EmbedderDescription(
            name=f"{name}-embedder",
            sha256="e" * 64,
            origin="local",
            precision="fp32",
            dimension=dimension,
            metric="cosine",
            normalized=True,
            input_size=32,
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
            interpolation="bilinear",
            crop_rule="letterbox",
            margin=0.0,
        ),
    )


def quadrants(rgb: NDArray[np.uint8]) -> tuple[Detection, ...]:
    """One detection a quadrant of the picture, labels in the order of LABELS."""
    height, width = rgb.shape[:2]
    x, y = width / 2, height / 2
    corners = ((0.0, 0.0), (x, 0.0), (0.0, y), (x, y))
    return tuple(
        Detection((left, top, left + x, top + y), label, round(0.9 - 0.1 * rank, 4))
        for rank, ((left, top), label) in enumerate(zip(corners, LABELS, strict=True))
    )


class FakeDetector:
    """Finds what a function says: by default one object in every quadrant.

    Args:
        find: from ``(H, W, 3)`` uint8 RGB to detections in rank order.
        truncated: what every picture reports.
    """

    def __init__(
        self,
        find: Callable[[NDArray[np.uint8]], tuple[Detection, ...]] = quadrants,
        *,
        truncated: bool = False,
    ) -> None:
        self._find = find
        self._truncated = truncated
        self.calls: list[list[tuple[int, ...]]] = []

    @property
    def description(self) -> DetectorDescription:
        """The fake's description."""
        return fake_description().detector

    @property
    def labels(self) -> tuple[str, ...]:
        """Four class names."""
        return LABELS

    def detect(
        self, images: Sequence[NDArray[np.uint8]]
    ) -> list[tuple[tuple[Detection, ...], bool]]:
        """Detections as the function gives them; the shapes of every call are kept in calls."""
        self.calls.append([image.shape for image in images])
        return [(self._find(image), self._truncated) for image in images]


class FakeEmbedder:
    """A vector per crop, drawn from a generator seeded with the crop's bytes.

    Equal crops get equal vectors, different crops nearly orthogonal ones.

    Args:
        dimension: length of the vectors.
    """

    def __init__(self, dimension: int = 16) -> None:
        self._description = fake_description(dimension).embedder
        self.calls: list[int] = []

    @property
    def description(self) -> EmbedderDescription:
        """The fake's description."""
        return self._description

    def embed(self, crops: Crops) -> NDArray[np.float32]:
        """``(N, dimension)`` float32, not normalized; the N of every call is kept in calls."""
        self.calls.append(len(crops))
        rows = [self._vector(crop) for crop in crops]
        return np.array(rows, np.float32).reshape(len(rows), self._description.dimension)

    def _vector(self, crop: NDArray[np.uint8]) -> NDArray[np.float64]:
        seed = int.from_bytes(hashlib.sha256(np.ascontiguousarray(crop).tobytes()).digest()[:8])
        return np.random.default_rng(seed).standard_normal(self._description.dimension)
