"""What the pipeline finds in a picture and what the index keeps of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Box: TypeAlias = tuple[float, float, float, float]
"""``(x1, y1, x2, y2)`` in pixels of the upright picture; x2 and y2 lie outside the box."""

Kind: TypeAlias = Literal["object", "image"]

WHOLE_IMAGE_RANK = 0


@dataclass(frozen=True, slots=True)
class Detection:
    """One object that a detector found.

    Args:
        box_xyxy: pixels of the upright picture, clipped to it.
        label: the detector's class name.
        confidence: the detector's score in (0, 1].
    """

    box_xyxy: Box
    label: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One searchable document: an object of a picture, or the whole picture (rank 0).

    Args:
        object_id: image key and rank in a fixed order, ``<64 hex>-<rank, 3 digits>``.
        image_key: SHA-256 of the original's bytes, hex.
        kind: ``object`` or ``image``.
        label: the detector's class name; None for the whole picture.
        box_xyxy: pixels of the upright picture.
        confidence: the detector's score; None for the whole picture.
        area_share: box area over picture area, in (0, 1].
        image_size_wh: pixels of the upright picture.
        collections: sorted names.
        metadata: the user's own fields, JSON values.
        taken_at: time of exposure or None, timezone-aware.
        ingested_at: when the entry was made, UTC.
        truncated: for the whole picture: more objects were found than are kept.
    """

    object_id: str
    image_key: str
    kind: Kind
    label: str | None
    box_xyxy: Box
    confidence: float | None
    area_share: float
    image_size_wh: tuple[int, int]
    collections: tuple[str, ...]
    metadata: Mapping[str, Any]
    taken_at: datetime | None
    ingested_at: datetime
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class PictureEntries:
    """All entries of one picture: the unit that is written and replaced as a whole.

    Args:
        image_key: SHA-256 of the original's bytes, hex.
        entries: the whole picture first (rank 0), then its objects by rank.
        vectors: ``(len(entries), dimension)`` float32; row i belongs to entry i.
    """

    image_key: str
    entries: tuple[Entry, ...]
    vectors: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ScoredEntry:
    """An entry and how well it matches a query.

    Args:
        entry: the entry.
        score: exact cosine in [-1, 1] (1 / (1 + d^2) where the description says L2).
        rank_score: what the order is by; equal to score unless ranking adds something.
    """

    entry: Entry
    score: float
    rank_score: float


@dataclass(frozen=True, slots=True)
class LabelPreference:
    """Entries of one class rank higher: the detector's label beside the vector.

    Args:
        label: the class.
        bonus: added to the score of its surest entries for the order; above 0.
        sure_from: the detector's score from which an entry gets all of the bonus; below, its
            share of it.
        same_from: the score from which an entry is the very thing and gets all of the bonus,
            whatever the detector says: nothing comes before it.
    """

    label: str
    bonus: float
    sure_from: float = 0.6
    same_from: float = 0.98

    def bonus_of(self, label: str | None, confidence: float | None, score: float = 0.0) -> float:
        """What an entry with this label, detector score and score gets."""
        if score >= self.same_from:
            return self.bonus
        if label != self.label or confidence is None:
            return 0.0
        return self.bonus * min(1.0, confidence / self.sure_from)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What ranking needs of an entry: its name, its label and how well it matches a query.

    Args:
        object_id: names the entry and, by its first part, the picture.
        label: the detector's class name; None for the whole picture.
        score: as in ScoredEntry.
        bonus: what a label preference adds to the score for the order.
    """

    object_id: str
    label: str | None
    score: float
    bonus: float = 0.0

    @property
    def rank_score(self) -> float:
        """What the order is by."""
        return self.score + self.bonus

    @property
    def image_key(self) -> str:
        """Key of the picture that the entry belongs to."""
        return image_key_of(self.object_id)


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries may answer; every given part must hold, the empty filter lets all pass.

    Args:
        kinds: any of these kinds; the empty tuple means both, as the default does.
        labels: any of these labels; whole-picture entries have none and never pass.
        collections: in any of these.
        taken_after: taken at or after; entries without a time never pass.
        taken_before: taken before; entries without a time never pass.
        metadata: every field equals the given value (see domain.metadata).
        min_confidence: detector score at least this; whole-picture entries pass.
    """

    kinds: tuple[Kind, ...] = ("object", "image")
    labels: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    taken_after: datetime | None = None
    taken_before: datetime | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    min_confidence: float | None = None


@dataclass(frozen=True, slots=True)
class ItemFailure:
    """One item of a batch that failed, with where and why.

    Args:
        key: the object_id, image_key or path of the item.
        stage: decode, detect, embed, store, index, ...
        reason: one sentence.
        code: the error's stable code.
        retryable: the same item may work later.
    """

    key: str
    stage: str
    reason: str
    code: str
    retryable: bool


def object_id(image_key: str, rank: int) -> str:
    """Name of the entry with this rank; rank 0 is the whole picture."""
    return f"{image_key}-{rank:03d}"


def image_key_of(entry_id: str) -> str:
    """Image key inside an object id; the id is not checked otherwise."""
    return entry_id.rpartition("-")[0]
