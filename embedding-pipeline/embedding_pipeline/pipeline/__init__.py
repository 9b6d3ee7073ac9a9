"""Pictures to objects and vectors: one graph for upload, search and backfill."""

from embedding_pipeline.pipeline.pictures import PicturePipeline
from embedding_pipeline.pipeline.tasks import (
    ChooseBoxes,
    PictureResult,
    PictureTask,
    Region,
    Select,
)

__all__ = [
    "ChooseBoxes",
    "PicturePipeline",
    "PictureResult",
    "PictureTask",
    "Region",
    "Select",
]
