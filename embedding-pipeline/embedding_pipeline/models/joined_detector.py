"""Several runs of a detector on one picture, joined into one list of objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.description import DetectorDescription
from embedding_pipeline.domain.entries import Detection
from embedding_pipeline.models.box_fusion import Boxes, fused, gathered, without_duplicates
from embedding_pipeline.models.tiling import counted, tiles_of, whole_in
from embedding_pipeline.ports.models import Detector

MAX_ENLARGEMENT = 2.0
"""Further runs enlarge a picture up to twice: small objects are found that the first run, which
keeps to what letterbox.py says, does not see."""

RUN_OBJECTS = 3
"""A run may give so many times the objects that are kept, so that the join can choose."""

TILES_AT_ONCE = 8
"""Tiles in one call of the detector, which bounds what is held for it."""


class RunnableDetector(Detector, Protocol):
    """A detector whose network can be run another way without loading it again."""

    def described(self, description: DetectorDescription) -> Detector:
        """The same network with another input size, floor or bound of overlaps."""
        ...


@dataclass(frozen=True, slots=True)
class Run:
    """One look at each picture.

    Args:
        detector: with the input size of this run.
        size: the longer side that pictures are enlarged to; 0 leaves them.
        mirrored: left and right are exchanged first.
    """

    detector: Detector
    size: int
    mirrored: bool


class JoinedDetector:
    """Looks at a picture at several sizes, mirrored, and in tiles, and joins what it finds.

    A run that would only repeat another one on a small picture is left out for it.

    Args:
        detector: runs the network.
        description: says which runs, and how they are joined.
    """

    def __init__(self, detector: RunnableDetector, description: DetectorDescription) -> None:
        self._description = description
        self._labels = detector.labels
        self._runs = _runs(detector, description)

    @property
    def description(self) -> DetectorDescription:
        """Frozen description; what detect does follows from it alone."""
        return self._description

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names by class number."""
        return self._labels

    def detect(
        self, images: Sequence[NDArray[np.uint8]]
    ) -> list[tuple[tuple[Detection, ...], bool]]:
        """Find the objects of each picture (see the Detector port)."""
        parts: list[list[Boxes]] = [[] for _ in images]
        sizes: list[list[int]] = [[] for _ in images]
        cut = [False] * len(images)
        for number, run in enumerate(self._runs):
            some = [i for i, image in enumerate(images) if not self._repeats(number, image)]
            found = run.detector.detect([_seen(images[i], run) for i in some])
            for i, (detections, truncated) in zip(some, found, strict=True):
                parts[i].append(self._boxes(detections, images[i], run))
                sizes[i].append(run.detector.description.input_size)
                cut[i] |= truncated
        return [
            self._tiled(image, part, size, truncated) or self._joined(part, truncated)
            for image, part, size, truncated in zip(images, parts, sizes, cut, strict=True)
        ]

    def _tiled(
        self,
        image: NDArray[np.uint8],
        parts: Sequence[Boxes],
        sizes: Sequence[int],
        truncated: bool,  # noqa: FBT001 - private, from one caller
    ) -> tuple[tuple[Detection, ...], bool] | None:
        """What the runs on the whole picture, and its tiles, found; None where it has no tiles."""
        how, run, size_wh = self._description, self._runs[0], (image.shape[1], image.shape[0])
        tiles = tiles_of(
            size_wh, how.input_size, max(how.input_size, *how.further_sizes, 0), how.tiles
        )
        found: list[Boxes] = []
        for start in range(0, len(tiles), TILES_AT_ONCE):
            some = tiles[start : start + TILES_AT_ONCE]
            looked = run.detector.detect([image[y1:y2, x1:x2] for x1, y1, x2, y2 in some])
            for tile, (detections, more) in zip(some, looked, strict=True):
                truncated |= more
                boxes = self._boxes(detections, image, run, tile[:2])
                found.append(boxes.taken(np.flatnonzero(whole_in(boxes.xyxy, tile, size_wh))))
        if not tiles:
            return None
        count = partial(counted, sizes=sizes, tiles=tiles, size_wh=size_wh)
        return self._joined([*parts, gathered(found)], truncated, count)

    def _repeats(self, number: int, image: NDArray[np.uint8]) -> bool:
        """Whether an earlier run already saw the picture at this size."""
        run = self._runs[number]
        earlier = [one for one in self._runs[:number] if one.mirrored == run.mirrored]
        longer = max(image.shape[:2])
        return any(
            one.size > 0 and _longest(longer, one.size) == _longest(longer, run.size)
            for one in earlier
        )

    def _boxes(
        self,
        detections: Sequence[Detection],
        image: NDArray[np.uint8],
        run: Run,
        corner: tuple[int, int] = (0, 0),
    ) -> Boxes:
        """Detections as boxes in pixels of the picture; corner: of the tile they are of."""
        boxes = np.array([found.box_xyxy for found in detections], np.float64).reshape(-1, 4)
        boxes /= _factor(max(image.shape[:2]), run.size)
        boxes += corner * 2
        height, width = image.shape[:2]
        if run.mirrored:
            boxes = np.stack(
                (width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]), axis=1
            )
        numbers = [self._labels.index(found.label) for found in detections]
        return Boxes(
            np.clip(boxes, 0.0, (width, height) * 2),
            np.array([found.confidence for found in detections], np.float64),
            np.array(numbers, np.int64),
        )

    def _joined(
        self,
        parts: Sequence[Boxes],
        truncated: bool,  # noqa: FBT001 - private
        expected: Callable[[NDArray[np.float64]], NDArray[np.bool_]] | None = None,
    ) -> tuple[tuple[Detection, ...], bool]:
        how = self._description
        joined = fused(parts, how.join_iou, expected) if len(parts) > 1 else parts[0]
        joined = joined.taken(_kept(joined, how))
        if how.class_agnostic_iou:
            joined = without_duplicates(joined, how.class_agnostic_iou)
        ranked = sorted(
            (
                Detection((x1, y1, x2, y2), self._labels[number], score)
                for (x1, y1, x2, y2), score, number in zip(
                    np.round(joined.xyxy, 2).tolist(),
                    np.round(joined.scores, 4).tolist(),
                    joined.classes.tolist(),
                    strict=True,
                )
                if x2 > x1 and y2 > y1
            ),
            key=_rank,
        )
        kept = how.max_objects
        return tuple(ranked[:kept]), truncated or len(ranked) > kept


def joined(detector: RunnableDetector, description: DetectorDescription) -> Detector:
    """The detector of a description: itself where one run says it all."""
    how = description
    if how.further_sizes or how.flip or how.class_agnostic_iou or how.min_side or how.tiles:
        return JoinedDetector(detector, description)
    return detector


def _runs(detector: RunnableDetector, how: DetectorDescription) -> list[Run]:
    several = bool(how.further_sizes or how.flip or how.tiles)
    most = how.max_objects * RUN_OBJECTS if several else how.max_objects
    single = replace(
        how,
        further_sizes=(),
        flip=False,
        join_iou=0.0,
        class_agnostic_iou=0.0,
        min_side=0.0,
        tiles=0,
        max_objects=most,
    )
    sized = [(detector.described(single), 0)]
    sized += [(detector.described(replace(single, input_size=s)), s) for s in how.further_sizes]
    sides = (False, True) if how.flip else (False,)
    return [Run(one, size, mirrored) for one, size in sized for mirrored in sides]


def _factor(longer: int, size: int) -> float:
    """How much a run enlarges a picture before the detector fits it in; 1 leaves it."""
    return min(max(1.0, size / longer), MAX_ENLARGEMENT) if size else 1.0


def _longest(longer: int, size: int) -> float:
    """Longer side of what a run's network gets of a picture, before rounding to its stride."""
    return min(float(size), MAX_ENLARGEMENT * longer)


def _seen(image: NDArray[np.uint8], run: Run) -> NDArray[np.uint8]:
    """The picture as a run gets it."""
    height, width = image.shape[:2]
    factor = _factor(max(height, width), run.size)
    if factor > 1.0:
        size_wh = (max(1, round(width * factor)), max(1, round(height * factor)))
        image = np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_LINEAR), np.uint8)
    return np.ascontiguousarray(image[:, ::-1]) if run.mirrored else image


def _kept(boxes: Boxes, how: DetectorDescription) -> NDArray[np.int64]:
    """Rows that reach the floor and are large enough."""
    sides = (boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]).min(axis=1, initial=np.inf)
    rows: NDArray[np.int64] = np.flatnonzero(
        (boxes.scores >= how.score_floor) & (sides >= how.min_side)
    )
    return rows


def _rank(found: Detection) -> tuple[float, float, float, float, float, str]:
    x1, y1, x2, y2 = found.box_xyxy
    return (-found.confidence, y1, x1, y2, x2, found.label)
