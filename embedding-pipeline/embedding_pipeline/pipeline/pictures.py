"""The one way from pictures to objects and vectors: upload, search and backfill share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.pipeline.flow import Operators, compose
from embedding_pipeline.pipeline.operators import (
    Crop,
    Decode,
    DecodeFunction,
    Detect,
    Embed,
    Normalize,
)
from embedding_pipeline.pipeline.tasks import PictureResult, PictureTask
from embedding_pipeline.pipeline.work import Work
from embedding_pipeline.ports.models import Detector, Embedder
from minio_proxy.errors import PictureError
from minio_proxy.picture.decode import Picture, decode
from minio_proxy.picture.header import Limits, inspect

PIXEL_BUDGET = 64_000_000
"""Decoded pixels that are held at once, unless a single picture has more."""


class PicturePipeline:
    """Decodes, detects, crops, embeds and normalizes batches of pictures.

    Not for several threads at once: PipelineRunner gives it to many callers.

    Args:
        detector: finds objects.
        embedder: turns crops into vectors.
        limits: what is refused from a picture's header.
        batch_pictures: pictures in one batch.
        decode_threads: threads that decode a batch.
        pixel_budget: decoded pixels in one batch; a larger picture goes alone.
        decode_function: the decoder; tests count its calls.
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
        decode_function: DecodeFunction = decode,
        composer: Callable[[Operators], Callable[[Sequence[Work]], list[Work]]] = compose,
    ) -> None:
        self.description = ModelDescription(detector.description, embedder.description)
        self.labels = detector.labels
        self._limits = limits
        self._batch_pictures = batch_pictures
        self._pixel_budget = pixel_budget
        self._pool = ThreadPoolExecutor(decode_threads, thread_name_prefix="decode")
        self._flow = composer(
            Operators(
                decode=Decode(limits, self._pool, decode_function),
                detect=Detect(detector),
                crop=Crop(embedder),
                embed=Embed(embedder),
                normalize=Normalize(embedder),
            )
        )

    def run(self, tasks: Sequence[PictureTask]) -> list[PictureResult]:
        """Run tasks; one result a task, in order, a failed one with its failure.

        A picture's result never depends on the others. No tasks give no results.
        """
        results: list[PictureResult] = []
        for batch in self._batches(tasks):
            works = self._flow([Work(task, self.description.embedder.dimension) for task in batch])
            results.extend(work.result() for work in works)
        return results

    def close(self) -> None:
        """End the decoding threads; further runs are undefined."""
        self._pool.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

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
        try:
            size_wh = (
                task.data.size_wh
                if isinstance(task.data, Picture)
                else inspect(task.data, self._limits).size_wh
            )
        except PictureError:
            return 0
        return size_wh[0] * size_wh[1]
