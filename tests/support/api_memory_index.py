"""An exact index in memory, for tests of what stands above the port."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.domain.entries import (
    Candidate,
    Entry,
    EntryFilter,
    LabelPreference,
    PictureEntries,
    ScoredEntry,
    image_key_of,
    object_id,
)
from embedding_pipeline.indexes.scoring import preferred
from embedding_pipeline.ports.index import Floor, IndexCounts, IndexVersion

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def picture(
    image_key: str,
    vectors: Sequence[Sequence[float]],
    *,
    labels: Sequence[str] = (),
    size_wh: tuple[int, int] = (200, 100),
) -> PictureEntries:
    """A picture whose whole-image entry has the first vector, its objects the others.

    Object n has the box ``(10n, 0, 10n + 10, 10)``; labels default to ``thing``.
    """
    entries = []
    for rank in range(len(vectors)):
        left = 10.0 * rank
        label = None if rank == 0 else (labels[rank - 1] if labels else "thing")
        entries.append(
            Entry(
                object_id=object_id(image_key, rank),
                image_key=image_key,
                kind="object" if rank else "image",
                label=label,
                box_xyxy=(left, 0.0, left + 10, 10.0) if rank else (0.0, 0.0, 200.0, 100.0),
                confidence=0.9 if rank else None,
                area_share=0.1 if rank else 1.0,
                image_size_wh=size_wh,
                collections=(),
                metadata={},
                taken_at=None,
                ingested_at=SINCE,
            )
        )
    rows = np.array(vectors, np.float32)
    return PictureEntries(image_key, tuple(entries), rows / np.linalg.norm(rows, axis=1)[:, None])


class MemoryIndex:
    """Entries in a dict; ``asked``, ``scored`` and ``counted`` keep what each call wanted."""

    def __init__(self, description: ModelDescription, *pictures: PictureEntries) -> None:
        self._version = IndexVersion("v1", description, True, False, SINCE)
        self._pictures = {one.image_key: one for one in pictures}
        self.asked: list[int] = []
        self.scored: list[int] = []
        self.counted: list[int] = []
        self.closed = False

    @property
    def version(self) -> IndexVersion:
        """See ObjectIndex."""
        return self._version

    def add(self, *pictures: PictureEntries) -> None:
        """Put pictures in."""
        self._pictures |= {one.image_key: one for one in pictures}

    def delete(self, image_keys: Sequence[str]) -> int:
        """See ObjectIndex."""
        return sum(self._pictures.pop(key, None) is not None for key in image_keys)

    def picture(self, image_key: str) -> PictureEntries | None:
        """See ObjectIndex."""
        return self._pictures.get(image_key)

    def pictures(self, *, after: str = "", limit: int = 100) -> list[Entry]:
        """See ObjectIndex."""
        keys = sorted(k for k in self._pictures if k > after)[:limit]
        return [self._pictures[k].entries[0] for k in keys]

    def count(self) -> IndexCounts:
        """See ObjectIndex."""
        entries = sum(len(one.entries) - 1 for one in self._pictures.values())
        return IndexCounts(len(self._pictures), entries)

    def object(self, entry_id: str) -> tuple[Entry, NDArray[np.float32]] | None:
        """See ObjectIndex."""
        found = self._pictures.get(image_key_of(entry_id))
        for row, entry in enumerate(found.entries if found else ()):
            if found is not None and entry.object_id == entry_id:
                return entry, found.vectors[row]
        return None

    def nearest(
        self,
        vector: NDArray[np.float32],
        *,
        limit: int,
        where: EntryFilter,
        prefer: LabelPreference | None = None,
    ) -> list[Candidate]:
        """See ObjectIndex."""
        self.asked.append(limit)
        found = [
            Candidate(
                one.entry.object_id,
                one.entry.label,
                one.score,
                prefer.bonus_of(one.entry.label, one.entry.confidence, one.score)
                if prefer
                else 0.0,
            )
            for one in self._scored(vector, self._pictures, where)
        ]
        return found[:limit] if prefer is None else preferred(found, prefer, limit)

    def score(
        self,
        vector: NDArray[np.float32],
        *,
        image_keys: Sequence[str],
        where: EntryFilter,
        prefer: LabelPreference | None = None,
    ) -> list[ScoredEntry]:
        """See ObjectIndex."""
        self.scored.append(len(image_keys))
        return self._scored(vector, image_keys, where, prefer)

    def labelled_pictures(
        self, image_keys: Sequence[str], *, where: EntryFilter, floor: Floor | None = None
    ) -> dict[str, int]:
        """See ObjectIndex."""
        self.counted.append(len(image_keys))
        found = {
            (entry.image_key, entry.label)
            for key in set(image_keys) & self._pictures.keys()
            for entry, row in zip(
                self._pictures[key].entries, self._pictures[key].vectors, strict=True
            )
            if entry.label is not None and _passes(entry, where)
            if floor is None or float(row @ floor.vector) >= floor.min_score
        }
        counts = Counter(label for _, label in found)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def picture_vectors(self, image_keys: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """See ObjectIndex."""
        return {k: self._pictures[k].vectors[0] for k in image_keys if k in self._pictures}

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def _scored(
        self,
        vector: NDArray[np.float32],
        keys: Sequence[str] | dict[str, PictureEntries],
        where: EntryFilter,
        prefer: LabelPreference | None = None,
    ) -> list[ScoredEntry]:
        found = []
        for key in keys:
            one = self._pictures.get(key)
            for entry, row in zip(one.entries, one.vectors, strict=True) if one else ():
                if _passes(entry, where):
                    score = float(row @ vector)
                    bonus = prefer.bonus_of(entry.label, entry.confidence, score) if prefer else 0.0
                    found.append(ScoredEntry(entry, score, score + bonus))
        return sorted(found, key=lambda one: (-one.rank_score, one.entry.object_id))


def _passes(entry: Entry, where: EntryFilter) -> bool:
    kinds = where.kinds or ("object", "image")
    return entry.kind in kinds and (not where.labels or entry.label in where.labels)
