"""What a search is asked and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from embedding_pipeline.domain.entries import Box, Detection, EntryFilter, ScoredEntry
from embedding_pipeline.search.levels import Levels

Scope: TypeAlias = Literal["auto", "object", "image"]
"""What of the query is embedded: the most prominent object, the whole image, or as it fits."""


@dataclass(frozen=True, slots=True)
class PictureBytes:
    """A picture sent along with the question."""

    data: bytes


@dataclass(frozen=True, slots=True)
class IndexedObject:
    """An entry of the index; its stored vector is searched, no model runs."""

    object_id: str


@dataclass(frozen=True, slots=True)
class IndexedImage:
    """A picture of the index."""

    image_key: str


@dataclass(frozen=True, slots=True)
class PictureAddress:
    """A picture on the web, fetched only where the settings allow it."""

    url: str


@dataclass(frozen=True, slots=True)
class EarlierQuery:
    """The picture of an earlier search; nothing is detected again."""

    query_id: str


Source: TypeAlias = PictureBytes | IndexedObject | IndexedImage | PictureAddress | EarlierQuery


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One question.

    Args:
        source: the picture, or what stands for it.
        box: pixels of the upright query picture; None leaves the choice to the scope.
        scope: what is embedded where no box is given.
        where: entries that may answer.
        min_score: entries below do not match; None takes the setting's floor.
        limit: images on a page, 1 to 100.
        label_weight: how much the class of the object searched for counts beside its looks; 0
            leaves it out, None takes the setting.
        fold: near-duplicate pictures make one result; None takes the setting.
    """

    source: Source
    box: Box | None = None
    scope: Scope = "auto"
    where: EntryFilter = field(default_factory=EntryFilter)
    min_score: float | None = None
    limit: int = 20
    label_weight: float | None = None
    fold: bool | None = None


@dataclass(frozen=True, slots=True)
class QueryView:
    """The query picture as it was understood.

    Args:
        size_wh: pixels of the upright query picture.
        objects: what was detected in it.
        searched_box: what was embedded.
        searched_label: the class of the object that was embedded; None for any other box.
        preferred_label: the class whose entries rank higher, or None.
    """

    size_wh: tuple[int, int]
    objects: tuple[Detection, ...]
    searched_box: Box
    searched_label: str | None
    preferred_label: str | None = None


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds of each step; 0.0 for a step that was not needed."""

    decode: float = 0.0
    detect: float = 0.0
    embed: float = 0.0
    search: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Hit:
    """A picture that answers, with all its matching entries, best first.

    Args:
        image_key: SHA-256 of the original's bytes, hex.
        score: that of its best entry.
        size_wh: pixels of the upright picture.
        matches: every entry that passes the filter and the floor; never empty.
        folded: near-duplicates of this picture that were left out.
    """

    image_key: str
    score: float
    size_wh: tuple[int, int]
    matches: tuple[ScoredEntry, ...]
    folded: int = 0


@dataclass(frozen=True, slots=True)
class SearchPage:
    """One page of a frozen ranking.

    Args:
        query: the question as it was understood.
        hits: best first; never one that another page of the same ranking has.
        facets: images with a matching object of this label, over the frozen result.
        query_id: names the stored query; None where it could not be stored.
        next_cursor: asks for the next page; None at the end.
        timings: of this page alone.
        levels: what scores mean for these models, or None where that cannot be told.
        folded: near-duplicates that were left out of the whole ranking.
    """

    query: QueryView
    hits: tuple[Hit, ...]
    facets: Mapping[str, int]
    query_id: str | None
    next_cursor: str | None
    timings: Timings
    levels: Levels | None = None
    folded: int = 0
