"""Ports of the index of objects; LanceDB and Elasticsearch pass one contract suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.domain.entries import (
    Candidate,
    Entry,
    EntryFilter,
    ItemFailure,
    LabelPreference,
    PictureEntries,
    ScoredEntry,
)


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What a write did.

    Args:
        pictures: how many pictures are now wholly in the index.
        failures: the pictures that are not, by image key; their old entries may remain.
    """

    pictures: int
    failures: tuple[ItemFailure, ...] = ()


@dataclass(frozen=True, slots=True)
class IndexCounts:
    """How much an index holds."""

    pictures: int
    objects: int


@dataclass(frozen=True, slots=True)
class IndexVersion:
    """One version of the index.

    Args:
        name: unique, sortable by age.
        description: the models that fill it.
        active: searches and writes go here.
        previous: rollback would activate it.
        created_at: UTC.
    """

    name: str
    description: ModelDescription
    active: bool
    previous: bool
    created_at: datetime
    settings: Mapping[str, object] = field(default_factory=dict)


def same_version(one: IndexVersion, other: IndexVersion) -> bool:
    """Whether both are one version; after all were deleted a new one has an old one's name."""
    return (one.name, one.created_at) == (other.name, other.created_at)


@dataclass(frozen=True, slots=True)
class Floor:
    """A bound of the score.

    Args:
        vector: ``(dimension,)`` float32, as for nearest.
        min_score: the least score that reaches it.
    """

    vector: NDArray[np.float32]
    min_score: float


class ObjectIndex(Protocol):
    """One open version of the index. May be used from many threads and processes at once.

    Errors are IndexError_'s subclasses; nothing of the vendor leaks.
    """

    @property
    def version(self) -> IndexVersion:
        """The version as it was when it was opened."""
        ...

    def put(self, pictures: Sequence[PictureEntries]) -> WriteReport:
        """Write pictures; each replaces all entries that its image key had before.

        Deterministic ids make a second put of the same pictures harmless. The empty
        sequence does nothing. A vector of another length than the description's raises
        InvalidVector before anything is written. The same image key twice in a call: the
        last one counts. Durable when it returns (as far as the backend knows durability). A
        put that is broken off leaves a new picture whole or missing, never a part of it.
        """
        ...

    def delete(self, image_keys: Sequence[str]) -> int:
        """Remove every entry of these pictures; returns how many pictures had any.

        Unknown keys are no error.
        """
        ...

    def make_searchable(self) -> None:
        """When this returns, nearest, count and pictures see every finished put and delete."""
        ...

    def picture(self, image_key: str) -> PictureEntries | None:
        """All entries of a picture with their vectors, rank order; None if it has none.

        Sees every finished put and delete at once.
        """
        ...

    def object(self, object_id: str) -> tuple[Entry, NDArray[np.float32]] | None:
        """One entry and its ``(dimension,)`` vector; None if there is none."""
        ...

    def pictures(self, *, after: str = "", limit: int = 100) -> list[Entry]:
        """Whole-picture entries in image-key order, keys greater than ``after``."""
        ...

    def nearest(
        self,
        vector: NDArray[np.float32],
        *,
        limit: int,
        where: EntryFilter,
        prefer: LabelPreference | None = None,
    ) -> list[Candidate]:
        """The entries closest to a vector, best first, ties by object id.

        Cheap for thousands of entries: no more of them is read than their names and labels.
        With a preference, the ``limit`` closest of all and the ``limit`` closest of its label
        are taken, and of these the ``limit`` of the greatest rank score: so a label that few of
        the closest have is not starved, and no entry is there for its label alone.

        Args:
            vector: ``(dimension,)`` float32, unit length where the description says so.
            limit: at most this many entries; 0 gives the empty list.
            where: entries that may answer.
            prefer: adds to the rank score of one label's entries, never to their score.

        Returns:
            Scores are exact although candidates may come from an approximate index. Fewer
            than ``limit`` entries mean that no more pass the filter.

        Raises:
            InvalidVector: the query doesn't fit the description.
            InvalidQuery: a time of the filter has no zone, or a text is no Unicode.
        """
        ...

    def score(
        self,
        vector: NDArray[np.float32],
        *,
        image_keys: Sequence[str],
        where: EntryFilter,
        prefer: LabelPreference | None = None,
    ) -> list[ScoredEntry]:
        """Every passing entry of these pictures with its exact score, best first.

        Best is the greatest rank score, as in nearest. Unknown and repeated keys are no error;
        no keys give the empty list.
        """
        ...

    def labelled_pictures(
        self, image_keys: Sequence[str], *, where: EntryFilter, floor: Floor | None = None
    ) -> dict[str, int]:
        """Pictures with a passing object of each label, among these pictures.

        A picture counts once a label, and once however often its key is named. Most first,
        then by name; unknown keys count nothing, no keys give the empty dict.

        Args:
            image_keys: the pictures.
            where: objects that may count.
            floor: objects that score below it do not count; without one no score is computed,
                which is quicker.

        Raises:
            InvalidVector: the floor's vector doesn't fit the description.
            InvalidQuery: as in nearest.
        """
        ...

    def picture_vectors(self, image_keys: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """``(dimension,)`` vector of the whole picture, by image key.

        Unknown keys are left out; no keys give the empty dict.
        """
        ...

    def count(self) -> IndexCounts:
        """How many pictures and objects (entries of kind object) there are."""
        ...

    def label_counts(self) -> dict[str, int]:
        """Objects a label, most first, then by name."""
        ...

    def collection_counts(self) -> dict[str, int]:
        """Pictures a collection, most first, then by name."""
        ...

    def optimize(self) -> None:
        """Spend time now to make later searches fast (index build, merge); harmless to repeat."""
        ...

    def check(self) -> None:
        """Raise IndexError_ if a search would not work now."""
        ...

    def close(self) -> None:
        """Free what is held; further calls are undefined."""
        ...


class IndexCatalog(Protocol):
    """All versions of the index, and which one is active."""

    def versions(self) -> list[IndexVersion]:
        """Every version, oldest first; empty when there is none."""
        ...

    def active(self) -> IndexVersion | None:
        """The version that searches and writes go to, or None before the first."""
        ...

    def create(self, description: ModelDescription) -> IndexVersion:
        """Make an empty version; it is not active yet."""
        ...

    def activate(self, name: str) -> None:
        """Make a version the active one in one step; the one before becomes previous.

        An unknown name raises IndexNotFound; the active one again changes nothing.
        """
        ...

    def rollback(self) -> IndexVersion:
        """Make the previous version active again; none raises IndexNotFound."""
        ...

    def drop(self, name: str) -> None:
        """Delete a version and its data; the active one raises IndexConflict."""
        ...

    def open(self, name: str | None = None) -> ObjectIndex:
        """Open a version; None opens the active one, IndexNotFound if there is none."""
        ...

    def close(self) -> None:
        """Free connections."""
        ...
