"""The one way from pictures to objects and vectors: upload, search and backfill share it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Self, TypeAlias

import numpy as np

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.pipeline.flow import Operators, compose
from embedding_pipeline.pipeline.levels import least_side
from embedding_pipeline.pipeline.operators import (
    Crop,
    Decode,
    DecodeFunction,
    Detect,
    Embed,
    Normalize,
)
from embedding_pipeline.pipeline.tasks import PictureResult, PictureTask
from embedding_pipeline.pipeline.turns import OwnTurn, Turn
from embedding_pipeline.pipeline.work import Work
from embedding_pipeline.ports.models import Detector, Embedder
from minio_proxy.errors import PictureError
from minio_proxy.picture.decode import Picture, decode, shrink_factor
from minio_proxy.picture.header import Limits, inspect

PIXEL_BUDGET = 32_000_000
"""Decoded pixels that a batch holds, unless a single picture has more."""

WARM_UP_HW = (576, 768)
"""Height and width of the picture that warms the models up: most cameras' 3:4."""

Flow: TypeAlias = Callable[[Sequence[Work]], list[Work]]


class PicturePipeline:
    """Decodes, detects, crops, embeds and normalizes batches of pictures.

    Several threads may run it at once when each brings a turn, so that the models are used by
    one at a time: PipelineRunner does that, and while one thread's batch is at the models
    others decode and crop theirs.

    Args:
        detector: finds objects.
        embedder: turns crops into vectors.
        limits: what is refused from a picture's header.
        batch_pictures: pictures in one batch.
        decode_threads: threads that decode a batch.
        pixel_budget: decoded pixels in one batch; a larger picture goes alone.
        decode_function: the decoder; None takes the house's, as the detector's description
            wants it. Tests count its calls.
        composer: joins the operators; benchmarks exchange it.
    """

    def __init__(
        self,
        detector: Detector,
        embedder: Embedder,
        limits: Limits,
        *,
        batch_pictures: int = 8,
        decode_threads: int = 2,
        pixel_budget: int = PIXEL_BUDGET,
        decode_function: DecodeFunction | None = None,
        composer: Callable[[Operators], Flow] = compose,
    ) -> None:
        self.description = ModelDescription(detector.description, embedder.description)
        self.labels = detector.labels
        self._limits = limits
        self._batch_pictures = batch_pictures
        self._decode_threads = decode_threads
        self._pixel_budget = pixel_budget
        self._long_side = detector.description.decode_long_side
        self._least_side = least_side(detector.description)
        self._decode = decode_function or partial(decode, long_side=self._long_side)
        self._composer = composer
        self._steps = (Detect(detector), Crop(embedder), Embed(embedder), Normalize(embedder))
        self._lock = threading.Lock()
        self._idle: list[Flow] = []
        self._pools: list[ThreadPoolExecutor] = []

    def run(self, tasks: Sequence[PictureTask], turn: Turn | None = None) -> list[PictureResult]:
        """Run tasks; one result a task, in order, a failed one with its failure.

        A picture's result never depends on the others. No tasks give no results.

        Args:
            tasks: what is wanted.
            turn: at the models; None when nobody else uses them meanwhile.
        """
        dimension, turn = self.description.embedder.dimension, turn or OwnTurn()
        results: list[PictureResult] = []
        with self._a_flow() as flow:
            for batch in self._batches(tasks):
                works = flow([Work(task, dimension, turn) for task in batch])
                results.extend(replace(work.result(), models=self.description) for work in works)
        return results

    def warm_up(self) -> None:
        """Run a made-up picture, so that the first real one finds everything allocated."""
        gray = np.full((*WARM_UP_HW, 3), 127, np.uint8)
        picture = Picture(gray, (WARM_UP_HW[1], WARM_UP_HW[0]), "PNG", None)
        for result in self.run([PictureTask(picture, key="warm-up")]):
            result.checked()

    def close(self) -> None:
        """End the decoding threads; further runs are undefined."""
        for pool in self._pools:
            pool.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _a_flow(self) -> Iterator[Flow]:
        """Lend a flow that nobody uses: Towhee's threads of one would make others wait."""
        with self._lock:
            flow = self._idle.pop() if self._idle else None
        if flow is None:
            pool = ThreadPoolExecutor(self._decode_threads, thread_name_prefix="decode")
            self._pools.append(pool)
            flow = self._composer(
                Operators(Decode(self._limits, pool, self._decode, self._least_side), *self._steps)
            )
        try:
            yield flow
        finally:
            with self._lock:
                self._idle.append(flow)

    def _batches(self, tasks: Sequence[PictureTask]) -> Iterator[list[PictureTask]]:
        """Consecutive tasks, at most batch_pictures and, but for one alone, the pixel budget."""
        batch: list[PictureTask] = []
        held = 0
        for task in tasks:
            pixels = self._pixels(task)
            if batch and (len(batch) == self._batch_pictures or held + pixels > self._pixel_budget):
                yield batch
                batch, held = [], 0
            batch.append(task)
            held += pixels
        if batch:
            yield batch

    def _pixels(self, task: PictureTask) -> int:
        """Pixels that this task's picture will take; a refused one takes none."""
        if isinstance(task.data, Picture):
            return task.data.rgb[..., 0].size
        try:
            header = inspect(task.data, self._limits)
        except PictureError:
            return 0
        width, height = header.size_wh
        side = self._long_side
        factor = shrink_factor(max(width, height) / side, header) if side else 1
        return width * height // factor**2
