"""From a pipeline's result to what an index keeps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from embedding_pipeline.domain.boxes import area_share
from embedding_pipeline.domain.entries import Entry, PictureEntries, object_id
from embedding_pipeline.pipeline.tasks import PictureResult


def to_entries(
    image_key: str,
    result: PictureResult,
    *,
    collections: tuple[str, ...] = (),
    metadata: Mapping[str, Any] | None = None,
    taken_at: datetime | None = None,
    ingested_at: datetime,
) -> PictureEntries:
    """Make a picture's entries of a result with ``Select.ALL``.

    Args:
        image_key: SHA-256 of the original's bytes, hex.
        result: the whole picture first, then its objects.
        collections: from the picture's record.
        metadata: from the picture's record.
        taken_at: from the picture's record; None takes what the file says.
        ingested_at: UTC.

    Raises:
        Exception: the result's own error, if it failed.
    """
    result.checked()
    entries = tuple(
        Entry(
            object_id=object_id(image_key, rank),
            image_key=image_key,
            kind=region.kind if rank else "image",
            label=region.label,
            box_xyxy=region.box,
            confidence=region.confidence,
            area_share=area_share(region.box, result.size_wh),
            image_size_wh=result.size_wh,
            collections=tuple(sorted(collections)),
            metadata=dict(metadata or {}),
            taken_at=taken_at or result.taken_at,
            ingested_at=ingested_at,
            truncated=result.truncated and rank == 0,
        )
        for rank, region in enumerate(result.regions)
    )
    return PictureEntries(image_key, entries, result.vectors)
