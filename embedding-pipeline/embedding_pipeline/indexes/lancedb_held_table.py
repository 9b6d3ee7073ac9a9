"""A small table in memory: what most of it was, and what was written since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from embedding_pipeline.domain.entries import (
    Candidate,
    EntryFilter,
    LabelPreference,
    ScoredEntry,
)
from embedding_pipeline.indexes.lancedb_held import HeldEntries, Positions
from embedding_pipeline.indexes.scoring import preferred

MOST_RECENT = 4000
"""Entries beside the large block at most: so few are copied in some milliseconds at every write,
and the large block, which takes a tenth of a second, once in so many entries."""

_IMAGES = EntryFilter(kinds=("image",))


class Passing(NamedTuple):
    """Positions of the entries that pass a filter: of the large block, and of the recent one."""

    base: Positions
    recent: Positions


class HeldTable:
    """One state of a table; never changes.

    Args:
        base: the large block.
        recent: what was written since; a picture's entries are all in one block.
        alive: positions in the large block that are not replaced or deleted; None: all.
    """

    def __init__(
        self, base: HeldEntries, recent: HeldEntries, alive: Positions | None = None
    ) -> None:
        self._base = base
        self._recent = recent
        self._alive = np.arange(len(base)) if alive is None else alive

    @classmethod
    def of(cls, rows: pa.Table, vectors: NDArray[np.float32]) -> HeldTable:
        """The state in which a table has these rows (see HeldEntries)."""
        return cls(HeldEntries(rows, vectors), HeldEntries(rows[:0], vectors[:0]))

    def __len__(self) -> int:
        return len(self._alive) + len(self._recent)

    def changed(
        self, image_keys: Sequence[str], rows: pa.Table, vectors: NDArray[np.float32]
    ) -> HeldTable:
        """The state in which these entries stand for all there were of some pictures."""
        stays = np.delete(np.arange(len(self._recent)), self._recent.of_pictures(image_keys))
        recent = self._recent.joined(stays, HeldEntries(rows, vectors))
        alive, gone = self._alive, self._base.of_pictures(image_keys)
        if len(gone):
            alive = np.setdiff1d(alive, gone, assume_unique=True)
        if len(recent) <= MOST_RECENT and 2 * len(alive) >= len(self._base):
            return HeldTable(self._base, recent, alive)
        nothing = HeldEntries(rows[:0], vectors[:0])
        return HeldTable(self._base.joined(alive, recent), nothing)

    def passing(self, where: EntryFilter) -> Passing | None:
        """What passes a filter of kinds and labels alone, else None."""
        base, recent = self._base.passing(where), self._recent.passing(where)
        if base is None or recent is None:
            return None
        return Passing(self._living(base), recent)

    def positions(self, object_ids: Sequence[str]) -> Passing | None:
        """Where these entries are; None if one is not here."""
        base = self._living(self._base.positions(object_ids))
        recent = self._recent.positions(object_ids)
        return Passing(base, recent) if len(base) + len(recent) == len(object_ids) else None

    def nearest(
        self,
        query: NDArray[np.float32],
        limit: int,
        passing: Passing,
        prefer: LabelPreference | None,
    ) -> list[Candidate]:
        """The ``limit`` best of some entries, as ObjectIndex.nearest orders them."""
        base, recent = self._base, self._recent
        if not len(passing.recent):
            return base.nearest(query, limit, passing.base, prefer)
        if prefer is not None:
            found = base.closest_or_preferred(query, limit, passing.base, prefer)
            found += recent.closest_or_preferred(query, limit, passing.recent, prefer)
            return preferred(found, prefer, limit)
        found = base.nearest(query, limit, passing.base, None)
        found += recent.nearest(query, limit, passing.recent, None)
        return sorted(found, key=lambda one: (-one.score, one.object_id))[:limit]

    def scored(
        self,
        query: NDArray[np.float32],
        image_keys: Sequence[str],
        passing: Passing,
        prefer: LabelPreference | None,
    ) -> list[ScoredEntry]:
        """The entries on some pictures that pass, best first."""
        found = [
            *self._base.scored(query, image_keys, passing.base, prefer),
            *self._recent.scored(query, image_keys, passing.recent, prefer),
        ]
        return sorted(found, key=lambda one: (-one.rank_score, one.entry.object_id))

    def picture_vectors(self, image_keys: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Vectors of whole pictures by key."""
        images = self.passing(_IMAGES)
        if images is None:
            raise AssertionError("a filter of kinds alone is answered here")
        base = self._base.picture_vectors(image_keys, images.base)
        return base | self._recent.picture_vectors(image_keys, images.recent)

    def facets(
        self,
        image_keys: Sequence[str],
        passing: Passing,
        floor: tuple[NDArray[np.float32], float] | None,
    ) -> Counter[str]:
        """Pictures by label of the objects on some pictures that pass and reach a floor.

        Args:
            image_keys: the pictures.
            passing: the entries that pass.
            floor: query and least score; None: none.
        """
        base = self._base.facets(image_keys, passing.base, floor)
        return base + self._recent.facets(image_keys, passing.recent, floor)

    def _living(self, positions: Positions) -> Positions:
        if len(self._alive) == len(self._base):
            return positions
        living = np.zeros(len(self._base), bool)
        living[self._alive] = True
        return positions[living[positions]]
