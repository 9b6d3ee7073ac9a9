"""The operators that the flow composes; none raises, a failure belongs to its picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.boxes import area, clip, scale, whole
from embedding_pipeline.domain.entries import Box, Detection
from embedding_pipeline.errors import InvalidQuery, InvalidVector
from embedding_pipeline.pipeline.crop import cut, fill_of
from embedding_pipeline.pipeline.levels import CROPPED_INPUTS, level_for, levels_of
from embedding_pipeline.pipeline.pieces import InPieces, PieceSize
from embedding_pipeline.pipeline.tasks import Region, Select
from embedding_pipeline.pipeline.work import Work
from embedding_pipeline.ports.models import Detector, Embedder
from minio_proxy.picture.decode import Picture, decode
from minio_proxy.picture.header import Limits

CropRow: TypeAlias = tuple[Work, int, NDArray[np.uint8] | None]
"""A picture, the rank of one of its regions and the crop; rank -1 and no crop keep a picture
without regions in the flow."""

MOST_PICTURES = 64
"""Pictures in one piece of detection, however fast it is."""

MOST_CROPS = 512
"""Crops in one piece of embedding, however fast it is."""

DecodeFunction: TypeAlias = Callable[[bytes, Limits], Picture]


class Decode:
    """Bytes to upright pixels, several pictures at once.

    Args:
        limits: what is refused from the header.
        pool: threads that decode.
        function: the decoder; tests count its calls.
        least_side: of a level of a large picture, pixels; 0: there are none.
    """

    def __init__(
        self,
        limits: Limits,
        pool: ThreadPoolExecutor,
        function: DecodeFunction = decode,
        least_side: int = 0,
    ) -> None:
        self._limits = limits
        self._pool = pool
        self._function = function
        self._least_side = least_side

    def __call__(self, batch: Sequence[Work]) -> list[Work]:
        """Decode every picture of a batch that is not decoded yet."""
        if len(batch) == 1:
            self._one(batch[0])
        else:
            list(self._pool.map(self._one, batch))
        return list(batch)

    def _one(self, work: Work) -> None:
        started = time.perf_counter()
        data = work.task.data
        try:
            work.picture = data if isinstance(data, Picture) else self._function(data, self._limits)
            work.levels = levels_of(work.picture.rgb, self._least_side)
        except Exception as error:  # noqa: BLE001 - it is this picture's failure, with its reason
            work.fail("decode", error)
        work.timings_ms["decode"] = (time.perf_counter() - started) * 1000


class Detect:
    """Pixels to detections: one call of the detector a batch, or a piece of a shared turn.

    Args:
        detector: finds objects.
    """

    def __init__(self, detector: Detector) -> None:
        self._model = InPieces(detector.detect, PieceSize(least=1, most=MOST_PICTURES))

    def __call__(self, batch: Sequence[Work]) -> list[Work]:
        """Detect in every decoded picture that asks for it."""
        wanted = [work for work in batch if work.failure is None and work.task.detect]
        with _timed("detect", wanted):
            _isolated("detect", wanted, self._detect)
        return list(batch)

    def _detect(self, works: Sequence[Work]) -> None:
        found = self._model(works[0].turn, [work.pixels for work in works])
        for work, (detections, truncated) in zip(works, chain.from_iterable(found), strict=True):
            work.detections, work.truncated = in_picture(detections, work), truncated


class Crop:
    """Detections to crops: chooses a picture's regions and cuts them out.

    Args:
        embedder: its description says how crops look.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._description = embedder.description
        self._fill = fill_of(embedder.description.mean)

    def __call__(self, work: Work) -> list[CropRow]:
        """One row a region; a picture without any keeps one row without crop."""
        if work.failure is None:
            started = time.perf_counter()
            try:
                work.regions = regions_of(work)
                return self._rows(work) or [(work, -1, None)]
            except Exception as error:  # noqa: BLE001 - it is this picture's failure
                work.fail("crop", error)
            finally:
                work.timings_ms["crop"] = (time.perf_counter() - started) * 1000
        return [(work, -1, None)]

    def _rows(self, work: Work) -> list[CropRow]:
        return [(work, rank, self._cut(work, r.box)) for rank, r in enumerate(work.regions)]

    def _cut(self, work: Work, box: Box) -> NDArray[np.uint8]:
        how = self._description
        level = level_for(work.levels, work.size_wh, box, CROPPED_INPUTS * how.input_size)
        return cut(
            level,
            scale(box, *work.shrunk_xy(level)),
            rule=how.crop_rule,
            size=how.input_size,
            margin=how.margin,
            interpolation=how.interpolation,
            fill=self._fill,
        )


class Embed:
    """Crops of many pictures to vectors: one call a batch, or a piece of a shared turn.

    An index's vectors come from calls with two crops at least: some runtimes compute a single
    row in another order (ViT-B/16 in torch 2.15, fp32: 3e-6 apart), and what an index holds
    must not depend on how the work was divided.

    Args:
        embedder: turns crops into vectors.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._dimension = embedder.description.dimension
        self._model = InPieces(embedder.embed, PieceSize(least=2, most=MOST_CROPS))

    def __call__(
        self,
        works: Sequence[Work],
        ranks: Sequence[int],
        crops: Sequence[NDArray[np.uint8] | None],
    ) -> tuple[list[Work], list[list[NDArray[np.float32]]]]:
        """Take all rows of the batch; give its pictures in order, each with its vectors."""
        pictures = list({id(work): work for work in works}.values())
        parts: dict[int, list[NDArray[np.uint8]]] = {id(work): [] for work in pictures}
        for work, rank, crop in zip(works, ranks, crops, strict=True):
            if crop is not None and rank >= 0:
                parts[id(work)].append(crop)
        vectors: dict[int, list[NDArray[np.float32]]] = {id(work): [] for work in pictures}

        def embed(group: Sequence[Work]) -> None:
            rows = iter(self._vectors(group, [crop for w in group for crop in parts[id(w)]]))
            for work in group:
                vectors[id(work)] = [next(rows) for _ in parts[id(work)]]

        wanted = [work for work in pictures if parts[id(work)]]
        with _timed("embed", wanted):
            _isolated("embed", wanted, embed)
        return pictures, [vectors[id(work)] for work in pictures]

    def _vectors(
        self, works: Sequence[Work], crops: Sequence[NDArray[np.uint8]]
    ) -> NDArray[np.float32]:
        alone = len(crops) == 1 and works[0].task.select is Select.ALL
        wanted = [*crops, *crops] if alone else crops
        vectors: NDArray[np.float32] = np.concatenate(self._model(works[0].turn, wanted))
        vectors = vectors[: len(crops)]
        expected = (len(crops), self._dimension)
        if vectors.shape != expected:
            raise InvalidVector(
                f"the embedder gave an array of shape {vectors.shape} instead of {expected} "
                f"for {works[0].object_name(0)}",
                object_id=works[0].object_name(0),
                expected=list(expected),
                actual=list(vectors.shape),
            )
        return vectors


class Normalize:
    """Raw vectors to the index's: finite, not zero, of unit length where it is described so.

    Args:
        embedder: its description says whether vectors are normalized.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._normalized = embedder.description.normalized

    def __call__(
        self, works: Sequence[Work], vectors: Sequence[Sequence[NDArray[np.float32]]]
    ) -> list[Work]:
        """Check and scale every vector; a bad one fails its picture and is named."""
        for work, rows in zip(works, vectors, strict=True):
            try:
                work.vectors = [self._unit(work, rank, row) for rank, row in enumerate(rows)]
            except InvalidVector as error:
                work.fail("embed", error, key=str(error.details["object_id"]))
        return list(works)

    def _unit(self, work: Work, rank: int, row: NDArray[np.float32]) -> NDArray[np.float32]:
        length = float(np.linalg.norm(row.astype(np.float64)))
        if not np.isfinite(length) or length == 0.0:
            name = work.object_name(rank)
            what = "zero" if length == 0.0 else "not finite"
            raise InvalidVector(f"the vector of {name} is {what}", object_id=name, actual=what)
        if not self._normalized:
            return row.astype(np.float32)
        return (row.astype(np.float64) / length).astype(np.float32)


def in_picture(detections: Sequence[Detection], work: Work) -> tuple[Detection, ...]:
    """Detections of the smallest level in pixels of the picture, rounded to 0.01 as others."""
    across, down = work.shrunk_xy(work.pixels)
    if across == down == 1:
        return tuple(detections)
    return tuple(
        replace(found, box_xyxy=_rounded(scale(found.box_xyxy, 1 / across, 1 / down), work))
        for found in detections
    )


def _rounded(box: Box, work: Work) -> Box:
    x1, y1, x2, y2 = (round(edge, 2) for edge in clip(box, work.size_wh))
    return (x1, y1, x2, y2)


def regions_of(work: Work) -> tuple[Region, ...]:
    """Regions of a picture that its task wants embedded.

    Raises:
        InvalidQuery: a box lies outside the picture or is inverted.
    """
    size_wh, select = work.size_wh, work.task.select
    if select is Select.NONE:
        return ()
    if select is Select.ALL:
        image = Region(whole(size_wh), None, None, "image")
        return (image, *(_object(detection) for detection in work.detections))
    boxes = select if isinstance(select, tuple) else select(work.detections, size_wh)
    by_box = {detection.box_xyxy: detection for detection in work.detections}
    return tuple(_region(box, by_box, size_wh) for box in boxes)


def _object(detection: Detection) -> Region:
    return Region(detection.box_xyxy, detection.label, detection.confidence, "object")


def _region(box: Box, by_box: dict[Box, Detection], size_wh: tuple[int, int]) -> Region:
    clipped = clip(box, size_wh)
    if area(clipped) <= 0:
        raise InvalidQuery(
            f"box {list(box)} covers nothing of the {size_wh[0]}x{size_wh[1]} picture",
            parameter="box",
            actual=list(box),
        )
    if clipped in by_box:
        return _object(by_box[clipped])
    return Region(clipped, None, None, "image" if clipped == whole(size_wh) else "object")


@contextmanager
def _timed(stage: str, works: Sequence[Work]) -> Iterator[None]:
    started = time.perf_counter()
    yield
    elapsed_ms = (time.perf_counter() - started) * 1000
    for work in works:
        work.timings_ms[stage] = elapsed_ms


def _isolated(stage: str, works: Sequence[Work], act: Callable[[Sequence[Work]], None]) -> None:
    """Act on all at once; if that fails, on each alone, so that only the guilty one fails."""
    if not works:
        return
    try:
        act(works)
    except Exception as error:  # noqa: BLE001 - models raise anything; it is named and kept
        if len(works) == 1:
            works[0].fail(stage, error)
            return
        for work in works:
            _isolated(stage, [work], act)
