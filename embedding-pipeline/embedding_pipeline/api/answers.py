"""From what the services answer to the forms of the API."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from embedding_pipeline.api import models
from embedding_pipeline.domain.entries import Box, Detection, Entry, PictureEntries
from embedding_pipeline.search.choice import label_of
from embedding_pipeline.search.levels import Levels
from embedding_pipeline.search.queries import StoredQuery
from embedding_pipeline.search.results import Hit, QueryView, SearchPage, Timings
from embedding_pipeline.search.service import Detected
from minio_proxy.picture.render import fitted

THUMBNAIL_WIDTH = 512
THUMBNAIL_WIDTHS = (256, 512, 1024, 1600)
"""From a phone's grid to a large view on a dense screen."""
CROP_WIDTH = 320
CROP_WIDTHS = (320, 1024)

SCORE_DIGITS = 6


class Addresses:
    """Makes the addresses of pictures at answering time.

    Args:
        sign: the guard's; adds the public base and, where keys exist, a signature.
        public_url: base that ``sign`` adds, or empty.
    """

    def __init__(
        self, sign: Callable[[str, Sequence[float] | None], str], public_url: str = ""
    ) -> None:
        self._sign = sign
        self._public_url = public_url.rstrip("/")

    def original(self, image_key: str) -> str:
        """Address of an original."""
        return self._sign(f"/objects/{image_key}", None)

    def thumbnail(self, image_key: str) -> str:
        """Address of a thumbnail."""
        return self._sign(f"/thumbnails/{THUMBNAIL_WIDTH}/{image_key}", None)

    def thumbnails(self, image_key: str, size_wh: tuple[int, int]) -> list[models.SizedPicture]:
        """Thumbnails in all widths that differ; each link opens just its own width."""
        found = {
            fitted(size_wh, width)[0]: self._sign(f"/thumbnails/{width}/{image_key}", None)
            for width in reversed(THUMBNAIL_WIDTHS)
        }
        return [models.SizedPicture(width=width, url=found[width]) for width in sorted(found)]

    def crop(self, image_key: str, box: Box) -> str:
        """Address of a box cut out of an original."""
        return self._sign(f"/crops/{CROP_WIDTH}/{image_key}", box)

    def crops(self, image_key: str, box: Box) -> list[models.SizedPicture]:
        """A box cut out of an original, in all widths that differ."""
        box_wh = (math.ceil(box[2]) - math.floor(box[0]), math.ceil(box[3]) - math.floor(box[1]))
        found = {
            fitted(box_wh, width)[0]: self._sign(f"/crops/{width}/{image_key}", box)
            for width in reversed(CROP_WIDTHS)
        }
        return [models.SizedPicture(width=width, url=found[width]) for width in sorted(found)]

    def query(self, query_id: str) -> str:
        """Address of a query picture; this service has it, not the proxy."""
        return self._sign(f"/v1/queries/{query_id}/image", None).removeprefix(self._public_url)

    def preview(self, query_id: str) -> str:
        """Address of a query picture in a form that every browser shows."""
        return self._sign(f"/v1/queries/{query_id}/preview", None).removeprefix(self._public_url)


def search_answer(page: SearchPage, addresses: Addresses) -> models.SearchAnswer:
    """A page of results."""
    return models.SearchAnswer(
        query=_query(page.query),
        hits=[_hit(hit, addresses, page.levels) for hit in page.hits],
        facets=dict(page.facets),
        query_id=page.query_id,
        next_cursor=page.next_cursor,
        folded=page.folded,
        levels=_levels(page.levels),
        timings_ms=_timings(page.timings),
    )


def detect_answer(found: Detected) -> models.DetectAnswer:
    """The objects of a picture."""
    return models.DetectAnswer(
        width=found.size_wh[0],
        height=found.size_wh[1],
        objects=_objects(found.objects),
        truncated=found.truncated,
        timings_ms=_timings(found.timings),
    )


def query_answer(
    stored: StoredQuery, expires_at: float, addresses: Addresses
) -> models.QueryAnswer:
    """A stored query."""
    return models.QueryAnswer(
        query_id=stored.query_id,
        width=stored.size_wh[0],
        height=stored.size_wh[1],
        objects=_objects(stored.objects),
        searched=models.Searched(
            box=list(stored.searched_box), label=label_of(stored.searched_box, stored.objects)
        ),
        image_key=stored.image_key,
        image_url=addresses.query(stored.query_id),
        expires_at=datetime.fromtimestamp(expires_at, UTC),
        preview_url=addresses.preview(stored.query_id),
    )


def image_answer(picture: PictureEntries, addresses: Addresses) -> models.ImageAnswer:
    """A picture with its entries."""
    first = picture.entries[0]
    return models.ImageAnswer(
        image_key=first.image_key,
        width=first.image_size_wh[0],
        height=first.image_size_wh[1],
        collections=list(first.collections),
        metadata=dict(first.metadata),
        taken_at=first.taken_at,
        ingested_at=first.ingested_at,
        truncated=first.truncated,
        image_url=addresses.original(first.image_key),
        thumbnail_url=addresses.thumbnail(first.image_key),
        thumbnails=addresses.thumbnails(first.image_key, first.image_size_wh),
        objects=[
            models.IndexedEntry(
                object_id=entry.object_id,
                kind=entry.kind,
                box=list(entry.box_xyxy),
                label=entry.label,
                confidence=entry.confidence,
                crop_url=addresses.crop(entry.image_key, entry.box_xyxy),
                crops=addresses.crops(entry.image_key, entry.box_xyxy),
            )
            for entry in picture.entries
        ],
    )


def list_answer(
    entries: Sequence[Entry], next_cursor: str | None, addresses: Addresses
) -> models.ImageListAnswer:
    """Pictures in key order."""
    return models.ImageListAnswer(
        images=[
            models.ListedImage(
                image_key=entry.image_key,
                width=entry.image_size_wh[0],
                height=entry.image_size_wh[1],
                collections=list(entry.collections),
                image_url=addresses.original(entry.image_key),
                thumbnail_url=addresses.thumbnail(entry.image_key),
                thumbnails=addresses.thumbnails(entry.image_key, entry.image_size_wh),
                taken_at=entry.taken_at,
                ingested_at=entry.ingested_at,
            )
            for entry in entries
        ],
        next_cursor=next_cursor,
    )


def _query(view: QueryView) -> models.Query:
    return models.Query(
        width=view.size_wh[0],
        height=view.size_wh[1],
        objects=_objects(view.objects),
        searched=models.Searched(box=list(view.searched_box), label=view.searched_label),
        preferred_label=view.preferred_label,
    )


def _levels(levels: Levels | None) -> models.ScoreLevels | None:
    if levels is None:
        return None
    return models.ScoreLevels(
        similar=round(levels.similar, SCORE_DIGITS),
        very_similar=round(levels.very_similar, SCORE_DIGITS),
        same=levels.same,
    )


def _objects(objects: Sequence[Detection]) -> list[models.FoundObject]:
    return [
        models.FoundObject(box=list(found.box_xyxy), label=found.label, confidence=found.confidence)
        for found in objects
    ]


def _hit(hit: Hit, addresses: Addresses, levels: Levels | None) -> models.Hit:
    return models.Hit(
        image_key=hit.image_key,
        score=hit.score,
        image_url=addresses.original(hit.image_key),
        thumbnail_url=addresses.thumbnail(hit.image_key),
        thumbnails=addresses.thumbnails(hit.image_key, hit.size_wh),
        width=hit.size_wh[0],
        height=hit.size_wh[1],
        match=levels.of(hit.score) if levels else None,
        folded=hit.folded,
        matches=[
            models.Match(
                object_id=match.entry.object_id,
                kind=match.entry.kind,
                box=list(match.entry.box_xyxy),
                label=match.entry.label,
                confidence=match.entry.confidence,
                score=match.score,
                crop_url=addresses.crop(hit.image_key, match.entry.box_xyxy),
                match=levels.of(match.score) if levels else None,
            )
            for match in hit.matches
        ],
    )


def _timings(timings: Timings) -> models.Timings:
    return models.Timings(
        decode=round(timings.decode, 3),
        detect=round(timings.detect, 3),
        embed=round(timings.embed, 3),
        search=round(timings.search, 3),
        total=round(timings.total, 3),
    )
