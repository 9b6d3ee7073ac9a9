"""Pictures with entries and vectors, made from seeds, for tests of the index port."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.description import (
    DetectorDescription,
    EmbedderDescription,
    Metric,
    ModelDescription,
)
from embedding_pipeline.domain.entries import Entry, PictureEntries, object_id
from embedding_pipeline.ports.index import ObjectIndex, WriteReport

DIMENSION = 16
INGESTED = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def description(
    dimension: int = DIMENSION, *, metric: Metric = "cosine", normalized: bool = True
) -> ModelDescription:
    """Describe models that exist in tests only."""
    return ModelDescription(
        DetectorDescription(
            name="test-detector",
            sha256="d" * 64,
            origin="random",
            precision="fp32",
            input_size=640,
            score_floor=0.25,
            nms_iou=0.7,
            max_objects=100,
        ),
        EmbedderDescription(
            name="test-embedder",
            sha256="e" * 64,
            origin="random",
            precision="fp32",
            dimension=dimension,
            metric=metric,
            normalized=normalized,
            input_size=224,
            mean=(0.5, 0.5, 0.5),
            std=(0.25, 0.25, 0.25),
            interpolation="bicubic",
            crop_rule="letterbox",
            margin=0.0,
        ),
    )


def key(number: int | str) -> str:
    """Image key of the picture with this number or name."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def unit_vectors(
    rows: int, dimension: int = DIMENSION, *, seed: int | str = 0
) -> NDArray[np.float32]:
    """``(rows, dimension)`` float32 vectors of unit length."""
    digest = hashlib.sha256(str(seed).encode()).digest()
    generator = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    vectors = generator.normal(size=(rows, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def picture(
    number: int | str,
    labels: Sequence[str] = ("dog", "cat"),
    *,
    vectors: NDArray[np.float32] | None = None,
    confidences: Sequence[float] | None = None,
    collections: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
    taken_at: datetime | None = None,
    truncated: bool = False,
    dimension: int = DIMENSION,
) -> PictureEntries:
    """Make a picture with one object a label; unset vectors come from the number as seed."""
    image_key = key(number)
    whole = Entry(
        object_id=object_id(image_key, 0),
        image_key=image_key,
        kind="image",
        label=None,
        box_xyxy=(0.0, 0.0, 640.0, 480.0),
        confidence=None,
        area_share=1.0,
        image_size_wh=(640, 480),
        collections=tuple(sorted(collections)),
        metadata=dict(metadata or {}),
        taken_at=taken_at,
        ingested_at=INGESTED,
        truncated=truncated,
    )
    confidences = confidences or [0.9 - 0.001 * rank for rank in range(len(labels))]
    objects = [
        replace(
            whole,
            object_id=object_id(image_key, rank),
            kind="object",
            label=label,
            box_xyxy=(rank + 0.1, rank + 0.2, rank + 100.3, rank + 50.7),
            confidence=confidence,
            area_share=0.0165,
            truncated=False,
        )
        for rank, (label, confidence) in enumerate(zip(labels, confidences, strict=True), 1)
    ]
    if vectors is None:
        vectors = unit_vectors(1 + len(labels), dimension, seed=number)
    return PictureEntries(image_key, (whole, *objects), vectors)


def fill(index: ObjectIndex, pictures: Sequence[PictureEntries]) -> None:
    """Put pictures, all of which must be written, and make them searchable."""
    report = index.put(pictures)
    assert report == WriteReport(len(pictures)), report.failures
    index.make_searchable()
