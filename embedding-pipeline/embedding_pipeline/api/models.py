"""The forms of every answer; fields may be added later, never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

BoxXyxy = Annotated[
    list[float],
    Field(
        min_length=4,
        max_length=4,
        description="`[x1, y1, x2, y2]` in pixels of the upright picture",
        examples=[[10.0, 20.0, 110.0, 220.0]],
    ),
]
Score = Annotated[
    float, Field(description="exact cosine in [-1, 1]; 1/(1+d^2) where the description says L2")
]


MatchLevel = Annotated[
    Literal["same", "very_similar", "similar", "weak"] | None,
    Field(
        description="What the score means for these models, measured on the index: of pairs of "
        "different things one in twenty is more than `weak`, one in two hundred is more than "
        "`similar`; null while the index is too small to tell."
    ),
]


class Answer(BaseModel):
    """Base of every answer."""

    model_config = ConfigDict(frozen=True)


class FoundObject(Answer):
    """An object that the detector found in a query picture."""

    box: BoxXyxy
    label: str
    confidence: float


class Searched(Answer):
    """What of the query picture was embedded."""

    box: BoxXyxy
    label: str | None = Field(description="Class of the object searched for; null for other boxes.")


class Query(Answer):
    """The query picture as it was understood."""

    width: int
    height: int
    objects: list[FoundObject]
    searched: Searched
    preferred_label: str | None = Field(
        None, description="Class whose entries rank higher; null where only looks count."
    )


class SizedPicture(Answer):
    """One of several sizes of the same picture, for an `<img srcset>`."""

    width: int = Field(description="Pixels that the picture really has in width.")
    url: str


class Match(Answer):
    """An entry of a hit's picture that passes the filters."""

    object_id: str
    kind: Literal["object", "image"]
    box: BoxXyxy
    label: str | None
    confidence: float | None
    score: Score
    crop_url: str = Field(description="Address of this box cut out of the picture.")
    match: MatchLevel = None


class Hit(Answer):
    """A picture that answers the query, with all its matching entries, best first."""

    image_key: str
    score: Score
    image_url: str
    thumbnail_url: str
    width: int
    height: int
    matches: list[Match]
    match: MatchLevel = None
    folded: int = Field(0, description="Near-duplicates of this picture that were left out.")
    thumbnails: list[SizedPicture] = Field(description="Several widths, narrowest first.")


class Timings(Answer):
    """Milliseconds that each step of this answer took; 0.0 for steps that were not needed."""

    decode: float
    detect: float
    embed: float
    search: float
    total: float


class ScoreLevels(Answer):
    """Scores from which a match deserves a word, measured on the index for its models."""

    similar: float = Field(description="One in twenty pairs of different things score more.")
    very_similar: float = Field(description="One in two hundred of them score more.")
    same: float = Field(description="The very thing, or the same picture saved again.")


class SearchAnswer(Answer):
    """One page of a frozen ranking."""

    query: Query
    hits: list[Hit]
    facets: dict[str, int] = Field(
        description="Pictures with a matching object of this label, over the frozen result."
    )
    query_id: str | None = Field(
        description="Names the query picture for 24 hours; null where it could not be stored."
    )
    next_cursor: str | None = Field(description="Asks for the next page; null at the end.")
    folded: int = Field(0, description="Near-duplicates left out of the whole frozen result.")
    levels: ScoreLevels | None = Field(
        None, description="Scores from which `match` says more; null while that cannot be told."
    )
    timings_ms: Timings


class DetectAnswer(Answer):
    """The objects of a picture."""

    width: int
    height: int
    objects: list[FoundObject]
    truncated: bool = Field(description="More objects were found than are kept.")
    timings_ms: Timings


class QueryAnswer(Answer):
    """A stored query, so that a shared address can show it again."""

    query_id: str
    width: int
    height: int
    objects: list[FoundObject]
    searched: Searched
    image_key: str | None = Field(description="The picture of the index it was asked with.")
    image_url: str = Field(description="Address of the query picture.")
    expires_at: datetime
    preview_url: str = Field(
        description="Address of the query picture in a form that every browser shows."
    )


class AddedImage(Answer):
    """What became of one file."""

    filename: str
    image_key: str | None = Field(description="Null where the file was rejected.")
    status: Literal["indexed", "duplicate", "rejected", "failed"]
    objects: int = Field(description="Objects of this picture in the index.")
    reason: str | None = Field(description="Why it was rejected or failed.")
    code: str | None = Field(description="Stable code of the reason.")


class AddAnswer(Answer):
    """What became of each file, in the order sent."""

    images: list[AddedImage]


class ListedImage(Answer):
    """One picture of the list."""

    image_key: str
    width: int
    height: int
    collections: list[str]
    image_url: str
    thumbnail_url: str
    taken_at: datetime | None
    ingested_at: datetime
    thumbnails: list[SizedPicture] = Field(description="Several widths, narrowest first.")


class ImageListAnswer(Answer):
    """Pictures in key order."""

    images: list[ListedImage]
    next_cursor: str | None


class IndexedEntry(Answer):
    """One searchable entry of a picture."""

    object_id: str
    kind: Literal["object", "image"]
    box: BoxXyxy
    label: str | None
    confidence: float | None
    crop_url: str = Field(description="Address of this box cut out of the picture.")
    crops: list[SizedPicture] = Field(description="The same in several widths, narrowest first.")


class ImageAnswer(Answer):
    """A picture and everything found in it."""

    image_key: str
    width: int
    height: int
    collections: list[str]
    metadata: dict[str, Any]
    taken_at: datetime | None
    ingested_at: datetime
    truncated: bool = Field(description="More objects were found than are kept.")
    image_url: str
    thumbnail_url: str
    objects: list[IndexedEntry]
    thumbnails: list[SizedPicture] = Field(description="Several widths, narrowest first.")


class LabelsAnswer(Answer):
    """Labels of the index."""

    labels: dict[str, int] = Field(description="Objects a label, most first, then by name.")


class CollectionsAnswer(Answer):
    """Collections of the index."""

    collections: dict[str, int] = Field(
        description="Pictures a collection, most first, then by name."
    )


class Failure(Answer):
    """A picture of a source that is not in the index, and why."""

    source: str = Field(
        description="Name of the source, e.g. `folder:/photos` or `s3://bucket/prefix`."
    )
    path: str = Field(description="Inside the source; bytes that are not UTF-8 are escaped.")
    collection: str | None = Field(description="The collection that it was to be put in.")
    state: Literal["failed", "rejected"]
    stage: str = Field(description="list, read, decode, detect, embed, store or index.")
    reason: str
    code: str = Field(description="Stable code of the reason.")
    retryable: bool = Field(description="The same content may work another time.")


class FailuresAnswer(Answer):
    """What could not be brought in, by source and path."""

    failures: list[Failure]
    next_cursor: str | None
