"""The measures of a labelled folder, through the pipeline that also indexes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.boxes import area
from embedding_pipeline.domain.entries import Detection
from embedding_pipeline.evaluation.labelled import LabelledPicture
from embedding_pipeline.evaluation.measures import (
    Retrieval,
    Share,
    match_objects,
    retrieval,
    share,
)
from embedding_pipeline.pipeline import PicturePipeline, PictureTask, Select

ARTICLE_FLOOR = 0.5
SMALLEST_SIDE = 32  # pixels; smaller objects are left out of retrieval, as in docs/benchmarks.md


@dataclass(frozen=True, slots=True)
class Way:
    """One way to choose what is indexed, and what it finds again.

    Args:
        name: what a person reads.
        coverage: share of marked objects found with the right class at IoU >= 0.5.
        documents: detections that it would index.
    """

    name: str
    coverage: Share
    documents: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured on a labelled folder.

    Args:
        pictures: how many could be read.
        objects: how many objects are marked in them.
        unreadable: ``(path, reason)`` of the others.
        ways: the settings in force first, then the ways of the seed.
        by_marked_crop: retrieval with every marked object of 32 x 32 pixels or more.
    """

    pictures: int
    objects: int
    unreadable: tuple[tuple[str, str], ...]
    ways: tuple[Way, ...]
    by_marked_crop: Retrieval


def evaluate(
    pipeline: PicturePipeline,
    pictures: Sequence[LabelledPicture],
    *,
    batch_pictures: int,
    advance: Callable[[int], None] = lambda _count: None,
) -> Evaluation:
    """Measure coverage and retrieval; every picture is decoded and detected once.

    Args:
        pipeline: the one that indexes.
        pictures: with class numbers of the detector's own labels.
        batch_pictures: pictures a call.
        advance: told how many pictures are done.
    """
    names = pipeline.labels
    ways: dict[str, _Tally] = {way: _Tally() for way in WAYS}
    vectors: list[NDArray[np.float32]] = []
    labels: list[str] = []
    numbers: list[int] = []
    unreadable: list[tuple[str, str]] = []
    for number, (picture, found) in enumerate(_detected(pipeline, pictures, batch_pictures)):
        advance(1)
        if isinstance(found, str):
            unreadable.append((str(picture.path), found))
            continue
        truth = [names[c] for c in picture.classes]
        boxes = picture.boxes(found.size_wh)
        for way, choose in WAYS.items():
            ways[way].add(boxes, truth, choose(found.detections))
        keep = [
            i for i, (x1, y1, x2, y2) in enumerate(boxes) if min(x2 - x1, y2 - y1) >= SMALLEST_SIDE
        ]
        chosen = tuple(boxes[i] for i in keep if area(boxes[i]) > 0)
        if chosen:
            task = PictureTask(picture.path.read_bytes(), select=chosen, detect=False)
            vectors.append(pipeline.run([task])[0].checked().vectors)
            labels += [truth[i] for i in keep]
            numbers += [number] * len(keep)
    matrix = np.concatenate(vectors) if vectors else np.zeros((0, 1), np.float32)
    return Evaluation(
        pictures=len(pictures) - len(unreadable),
        objects=len(ways[OURS].matched),
        unreadable=tuple(unreadable),
        ways=tuple(Way(name, share(t.matched), t.documents) for name, t in ways.items()),
        by_marked_crop=retrieval(matrix, labels, numbers),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    size_wh: tuple[int, int]
    detections: tuple[Detection, ...]


class _Tally:
    """Counts of one way, over all pictures."""

    def __init__(self) -> None:
        self.matched: list[float] = []
        self.documents = 0

    def add(
        self,
        boxes: Sequence[tuple[float, float, float, float]],
        labels: Sequence[str],
        found: Sequence[Detection],
    ) -> None:
        """Count one picture."""
        self.documents += len(found)
        self.matched += list(
            match_objects(
                np.array(boxes, dtype=np.float64).reshape(-1, 4),
                labels,
                np.array([d.box_xyxy for d in found], dtype=np.float64).reshape(-1, 4),
                [d.label for d in found],
            )
        )


def _above_half(found: Sequence[Detection]) -> Sequence[Detection]:
    return [d for d in found if d.confidence > ARTICLE_FLOOR]


OURS = "settings in force"
WAYS: dict[str, Callable[[Sequence[Detection]], Sequence[Detection]]] = {
    OURS: lambda found: found,
    "every detection above 0.5 (the seed's article)": _above_half,
    "the best detection above 0.5 (the seed's code)": lambda found: _above_half(found)[:1],
}


def _detected(
    pipeline: PicturePipeline, pictures: Sequence[LabelledPicture], batch: int
) -> Iterator[tuple[LabelledPicture, _Found | str]]:
    for start in range(0, len(pictures), batch):
        some = pictures[start : start + batch]
        tasks = [
            PictureTask(p.path.read_bytes(), key=str(p.path), select=Select.NONE) for p in some
        ]
        for picture, result in zip(some, pipeline.run(tasks), strict=True):
            if result.failure is not None:
                yield picture, result.failure.reason
            else:
                yield picture, _Found(result.size_wh, result.detections)
