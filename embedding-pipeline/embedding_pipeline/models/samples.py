"""Crops of the user's own pictures, to calibrate, check and learn on when an index is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.boxes import whole
from embedding_pipeline.domain.description import EmbedderDescription
from embedding_pipeline.domain.entries import Box
from embedding_pipeline.pipeline.crop import cut, fill_of
from embedding_pipeline.ports.models import Detector
from minio_proxy.errors import PictureError
from minio_proxy.picture.decode import decode
from minio_proxy.picture.header import Limits

SAMPLE_PICTURES = 64
"""Pictures that a source gives as samples."""

T = TypeVar("T")

Samples: TypeAlias = Callable[[], Iterable[bytes]]
"""Gives bytes of pictures when they are needed; may be called more than once."""


@dataclass(frozen=True, slots=True)
class SampleCrops:
    """Crops as the pipeline would make them.

    Args:
        crops: ``(N, S, S, 3)`` uint8 RGB, for the embedder.
        labels: N class names of the detector; None for a whole picture.
        pictures: ``(N,)`` int, the number of the picture that each crop is of.
    """

    crops: NDArray[np.uint8]
    labels: tuple[str | None, ...]
    pictures: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def taken(self, rows: Sequence[int]) -> SampleCrops:
        """Some of the crops."""
        at = np.array(rows, np.int64)
        return SampleCrops(
            self.crops[at], tuple(self.labels[row] for row in rows), self.pictures[at]
        )


def sample_crops(
    pictures: Iterable[bytes],
    detector: Detector,
    how: EmbedderDescription,
    limits: Limits,
    *,
    most_crops: int | None = None,
) -> SampleCrops:
    """Cut every object, and the whole picture, out of sample pictures.

    Args:
        pictures: bytes; what cannot be decoded is left out.
        detector: finds the objects.
        how: its crop rule, size, margin and interpolation make the crops.
        limits: what is refused from a picture's header.
        most_crops: of more, as many as this spread over all; None keeps all.
    """
    crops: list[NDArray[np.uint8]] = []
    labels: list[str | None] = []
    numbers: list[int] = []
    for number, data in enumerate(pictures):
        try:
            rgb = decode(data, limits).rgb
        except PictureError:
            continue
        [(detections, _)] = detector.detect([rgb])
        picture = whole((rgb.shape[1], rgb.shape[0]))
        for box, label in [(picture, None), *((d.box_xyxy, d.label) for d in detections)]:
            crops.append(crop_of(rgb, box, how))
            labels.append(label)
            numbers.append(number)
    size = how.input_size
    stacked = np.stack(crops) if crops else np.zeros((0, size, size, 3), np.uint8)
    made = SampleCrops(stacked, tuple(labels), np.array(numbers, np.int64))
    if most_crops is None or len(made) <= most_crops:
        return made
    return made.taken(spread(range(len(made)), most_crops))


def spread(items: Sequence[T], count: int) -> list[T]:
    """At most ``count`` items, evenly over all of them, in their order."""
    if len(items) <= count:
        return list(items)
    return [items[round(at)] for at in np.linspace(0, len(items) - 1, count)]


def crop_of(rgb: NDArray[np.uint8], box: Box, how: EmbedderDescription) -> NDArray[np.uint8]:
    """Cut one box out of a picture as the pipeline does: ``(S, S, 3)`` uint8 RGB.

    Args:
        rgb: ``(H, W, 3)`` uint8, upright.
        box: x1 y1 x2 y2, pixels.
        how: its crop rule, size, margin and interpolation make the crop.
    """
    return cut(
        rgb,
        box,
        rule=how.crop_rule,
        size=how.input_size,
        margin=how.margin,
        interpolation=how.interpolation,
        fill=fill_of(how.mean),
    )
