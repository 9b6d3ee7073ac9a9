"""What travels through the operators: one picture's state, filled stage by stage."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.entries import Detection, ItemFailure, object_id
from embedding_pipeline.errors import BoxseekError, ModelError
from embedding_pipeline.pipeline.tasks import PictureResult, PictureTask, Region
from embedding_pipeline.pipeline.turns import OwnTurn, Turn
from minio_proxy.errors import ProxyError
from minio_proxy.picture.decode import Picture


@dataclass(slots=True)
class Work:
    """One picture on its way; every stage skips it once it has failed.

    Args:
        task: what was asked.
        dimension: length of the vectors to come.
        turn: at the models; pictures of one batch have the same.
        picture: decoded.
        levels: its pixels, largest first (pipeline/levels.py).
    """

    task: PictureTask
    dimension: int
    turn: Turn = field(default_factory=OwnTurn)
    picture: Picture | None = None
    levels: tuple[NDArray[np.uint8], ...] = ()
    detections: tuple[Detection, ...] = ()
    truncated: bool = False
    regions: tuple[Region, ...] = ()
    vectors: list[NDArray[np.float32]] = field(default_factory=list)
    timings_ms: dict[str, float] = field(default_factory=dict)
    failure: ItemFailure | None = None
    error: Exception | None = None

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """What the detector is given, ``(H, W, 3)`` uint8 RGB: the smallest level."""
        if not self.levels:
            raise ModelError("this picture is not decoded", key=self.task.key)
        return self.levels[-1]

    @property
    def size_wh(self) -> tuple[int, int]:
        """Size of the picture itself, in whose pixels all boxes are."""
        if self.picture is None:
            raise ModelError("this picture is not decoded", key=self.task.key)
        return self.picture.size_wh

    def shrunk_xy(self, level: NDArray[np.uint8]) -> tuple[float, float]:
        """Width and height of a level as shares of the picture's."""
        size_wh = self.size_wh
        return (level.shape[1] / size_wh[0], level.shape[0] / size_wh[1])

    def fail(self, stage: str, error: Exception, *, key: str | None = None) -> None:
        """Record where and why this picture failed; errors of libraries become ModelError."""
        named = _named(stage, key or self.task.key, error)
        self.failure = ItemFailure(
            key=key or self.task.key,
            stage=stage,
            reason=named.message,
            code=named.code,
            retryable=named is not error,
        )
        self.error = named

    def object_name(self, rank: int) -> str:
        """Name of a region in messages: the object id where the key is an image key."""
        return object_id(self.task.key, rank)

    def result(self) -> PictureResult:
        """What the caller gets."""
        picture = self.picture
        kept = self.failure is None and bool(self.vectors)
        return PictureResult(
            key=self.task.key,
            size_wh=picture.size_wh if picture else (0, 0),
            taken_at=picture.taken_at if picture else None,
            detections=self.detections,
            truncated=self.truncated,
            regions=self.regions if kept else (),
            vectors=np.stack(self.vectors) if kept else np.zeros((0, self.dimension), np.float32),
            timings_ms=dict(self.timings_ms),
            failure=self.failure,
            error=self.error,
        )


def _named(stage: str, key: str, error: Exception) -> BoxseekError | ProxyError:
    if isinstance(error, BoxseekError | ProxyError):
        return error
    named = ModelError(
        f"{stage} failed for {key}: {type(error).__name__}: {error}", stage=stage, key=key
    )
    named.__cause__ = error
    return named
