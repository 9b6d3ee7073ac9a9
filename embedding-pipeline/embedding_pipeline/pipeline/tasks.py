"""What goes into the pipeline and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.domain.entries import Box, Detection, ItemFailure, Kind
from minio_proxy.picture.decode import Picture


class Select(Enum):
    """Which regions of a picture are embedded."""

    ALL = "all"
    """The whole picture, then every detection in order: what an index keeps."""
    NONE = "none"
    """Nothing: only decode and detect."""


ChooseBoxes: TypeAlias = Callable[[tuple[Detection, ...], tuple[int, int]], Sequence[Box]]
"""Gets the detections and the picture's ``(width, height)``, gives the boxes to embed."""


@dataclass(frozen=True, slots=True)
class PictureTask:
    """One picture and what is wanted of it.

    Args:
        data: the file's bytes, or a picture that is decoded already.
        key: name for failures: the image key, or whatever the caller calls it.
        select: the regions to embed: all, none, these boxes, or what a function chooses; an
            error that the function raises is the task's failure.
        detect: look for objects; without it there are no detections.
    """

    data: bytes | Picture
    key: str = "query"
    select: Select | tuple[Box, ...] | ChooseBoxes = Select.ALL
    detect: bool = True


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a picture that was embedded.

    Args:
        box: pixels of the upright picture, clipped to it.
        label: of the detection with exactly this box, else None.
        confidence: likewise.
        kind: ``image`` for the whole picture, else ``object``.
    """

    box: Box
    label: str | None
    confidence: float | None
    kind: Kind


@dataclass(frozen=True, slots=True)
class PictureResult:
    """What the pipeline made of one task.

    Args:
        key: the task's.
        size_wh: pixels of the upright picture; (0, 0) when it could not be decoded.
        taken_at: time of exposure from the file.
        detections: in the order that ranks follow.
        truncated: more objects were found than are kept.
        regions: what was embedded.
        vectors: ``(len(regions), dimension)`` float32, normalized where the model's
            description says so.
        timings_ms: wall time of ``decode``, ``detect`` and ``embed``; what pictures of one
            batch share is counted for each.
        failure: where and why it failed, or None; with it there are neither regions nor
            vectors.
        error: the exception behind the failure.
        models: what made it, as an index made with the same models says; None: not told.
    """

    key: str
    size_wh: tuple[int, int] = (0, 0)
    taken_at: datetime | None = None
    detections: tuple[Detection, ...] = ()
    truncated: bool = False
    regions: tuple[Region, ...] = ()
    vectors: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    timings_ms: dict[str, float] = field(default_factory=dict)
    failure: ItemFailure | None = None
    error: Exception | None = None
    models: ModelDescription | None = None

    def checked(self) -> PictureResult:
        """This result; one that failed raises its error instead."""
        if self.error is not None:
            raise self.error
        return self
