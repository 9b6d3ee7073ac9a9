"""A block of a small table's entries in memory, and how it answers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from embedding_pipeline.domain.entries import (
    Candidate,
    EntryFilter,
    LabelPreference,
    ScoredEntry,
    image_key_of,
)
from embedding_pipeline.indexes.lancedb_rows import ENTRY_COLUMNS, entries_of
from embedding_pipeline.indexes.scoring import ranked, rounded_scores

_SLACK = 1e-5
"""More than float32 can be wrong about a dot product of unit vectors."""

_NO_SUCH_LABEL = -2

_AT_ONCE = 64
"""Vectors that are copied at once: what stays in a processor's cache is several times quicker."""


Positions: TypeAlias = NDArray[np.intp]


class HeldEntries:
    """What a search needs of every entry of a block; never changes.

    Scores are computed in float64 for all that may be in an answer, so that equal vectors have
    equal scores wherever they lie.

    Args:
        rows: ENTRY_COLUMNS.
        vectors: ``(N, dimension)`` float32 of unit length, in the order of the rows.
    """

    def __init__(self, rows: pa.Table, vectors: NDArray[np.float32]) -> None:
        self._vectors = vectors
        self._rows = rows.select(ENTRY_COLUMNS).combine_chunks()
        self._ids: list[str] = rows["object_id"].to_pylist()
        self._labels: list[str | None] = rows["label"].to_pylist()
        self._confidences: list[float | None] = rows["confidence"].to_pylist()
        coded = rows["label"].combine_chunks().dictionary_encode()
        self._label_names: list[str] = coded.dictionary.to_pylist()
        self._codes = {name: code for code, name in enumerate(self._label_names)}
        self._label_of = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        self._is_object = np.array(rows["kind"].to_pylist(), dtype=object) == "object"
        self._position = {object_id: number for number, object_id in enumerate(self._ids)}
        self._of_picture: dict[str, list[int]] = defaultdict(list)
        for number, object_id in enumerate(self._ids):
            self._of_picture[image_key_of(object_id)].append(number)
        self._picture_of = np.empty(len(self._ids), np.intp)
        for code, numbers in enumerate(self._of_picture.values()):
            self._picture_of[numbers] = code
        # The place of each entry in the order of ids, which decides ties.
        self._order = np.empty(len(self._ids), np.intp)
        self._order[sorted(range(len(self._ids)), key=self._ids.__getitem__)] = np.arange(
            len(self._ids)
        )

    def __len__(self) -> int:
        return len(self._ids)

    def joined(self, stays: Positions, other: HeldEntries) -> HeldEntries:
        """A block of some of these entries and all of another."""
        rows = self._rows.take(pa.array(stays))
        both = np.concatenate((self._vectors[stays], other._vectors))
        return HeldEntries(pa.concat_tables([rows, other._rows]), both)

    def of_pictures(self, image_keys: Iterable[str]) -> Positions:
        """Positions of all entries of some pictures."""
        there = [number for key in image_keys for number in self._of_picture.get(key, ())]
        return np.array(there, np.intp)

    def passing(self, where: EntryFilter) -> Positions | None:
        """Positions of the entries that pass a filter of kinds and labels alone, else None."""
        kinds_and_labels = EntryFilter(kinds=where.kinds, labels=where.labels)
        if where != kinds_and_labels:
            return None
        passes = np.ones(len(self._ids), bool)
        if where.kinds and set(where.kinds) != {"object", "image"}:
            passes &= self._is_object == ("object" in where.kinds)
        if where.labels:
            passes &= np.isin(self._label_of, [self._code(label) for label in where.labels])
        return np.flatnonzero(passes)

    def positions(self, object_ids: Iterable[str]) -> Positions:
        """Positions of those of these entries that are here."""
        found = map(self._position.get, object_ids)
        return np.array([number for number in found if number is not None], np.intp)

    def nearest(
        self,
        query: NDArray[np.float32],
        limit: int,
        passing: Positions,
        prefer: LabelPreference | None,
    ) -> list[Candidate]:
        """The ``limit`` best of some entries, as ObjectIndex.nearest orders them."""
        if prefer is None:
            found, scores = self._closest(self._vectors @ query, query, limit, passing)
            return self._candidates(found, scores, np.zeros(len(found)))
        found, scores, bonuses = self._either(query, limit, passing, prefer)
        order = np.lexsort((self._order[found], -(scores + bonuses)))[:limit]
        return self._candidates(found[order], scores[order], bonuses[order])

    def closest_or_preferred(
        self,
        query: NDArray[np.float32],
        limit: int,
        passing: Positions,
        prefer: LabelPreference,
    ) -> list[Candidate]:
        """The ``limit`` closest of some entries, and of those that are preferred, in any order."""
        return self._candidates(*self._either(query, limit, passing, prefer))

    def scored(
        self,
        query: NDArray[np.float32],
        image_keys: Iterable[str],
        passing: Positions,
        prefer: LabelPreference | None,
    ) -> list[ScoredEntry]:
        """The entries on some pictures that pass, best first."""
        there = self._on(image_keys, passing)
        entries = entries_of(self._rows.take(pa.array(there)))
        return ranked(entries, self._scores(query, there), prefer)

    def picture_vectors(
        self, image_keys: Iterable[str], passing: Positions
    ) -> dict[str, NDArray[np.float32]]:
        """Vectors by key of the entries on some pictures that pass, one each at most."""
        there = self._on(image_keys, passing)
        return {image_key_of(self._ids[n]): self._vectors[n] for n in there.tolist()}

    def facets(
        self,
        image_keys: Iterable[str],
        passing: Positions,
        floor: tuple[NDArray[np.float32], float] | None,
    ) -> Counter[str]:
        """Pictures by label of the objects on some pictures that pass and reach a floor.

        Args:
            image_keys: the pictures.
            passing: positions of the entries that pass.
            floor: query and least score; None: none.
        """
        there = self._on(image_keys, passing)
        there = there[self._is_object[there] & (self._label_of[there] >= 0)]
        if floor is not None:
            there = there[self._scores(floor[0], there) >= floor[1]]
        names = len(self._label_names)
        pairs = np.unique(self._picture_of[there] * names + self._label_of[there])
        labels, counts = np.unique(pairs % max(1, names), return_counts=True)
        found = [self._label_names[code] for code in labels.tolist()]
        return Counter(dict(zip(found, counts.tolist(), strict=True)))

    def _on(self, image_keys: Iterable[str], passing: Positions) -> Positions:
        """Positions of the entries on some pictures that are among those that pass."""
        there = self.of_pictures(image_keys)
        if len(passing) == len(self._ids):
            return there
        passes = np.zeros(len(self._ids), bool)
        passes[passing] = True
        return there[passes[there]]

    def _closest(
        self, about: NDArray[np.float32], query: NDArray[np.float32], limit: int, among: Positions
    ) -> tuple[Positions, NDArray[np.float64]]:
        """The closest by exact scores among those that are about close enough, and the scores."""
        if len(among) > limit:
            rough = about[among]
            last = np.partition(rough, len(rough) - limit)[len(rough) - limit]
            among = among[rough >= last - _SLACK]
        scores = self._scores(query, among)
        order = np.lexsort((self._order[among], -scores))[:limit]
        return among[order], scores[order]

    def _either(
        self,
        query: NDArray[np.float32],
        limit: int,
        passing: Positions,
        prefer: LabelPreference,
    ) -> tuple[Positions, NDArray[np.float64], NDArray[np.float64]]:
        """The closest of all and of a label, with their scores and bonuses, each once."""
        about = self._vectors @ query
        alike = passing[self._label_of[passing] == self._code(prefer.label)]
        found, scores = self._closest(about, query, limit, passing)
        labelled, their_scores = self._closest(about, query, limit, alike)
        found, once = np.unique(np.concatenate((found, labelled)), return_index=True)
        scores = np.concatenate((scores, their_scores))[once]
        return found, scores, self._bonuses(found, scores, prefer)

    def _bonuses(
        self, found: Positions, scores: NDArray[np.float64], prefer: LabelPreference
    ) -> NDArray[np.float64]:
        bonuses = np.zeros(len(found))
        may = (self._label_of[found] == self._code(prefer.label)) | (scores >= prefer.same_from)
        for at in np.flatnonzero(may).tolist():
            number = int(found[at])
            bonuses[at] = prefer.bonus_of(
                self._labels[number], self._confidences[number], float(scores[at])
            )
        return bonuses

    def _candidates(
        self, found: Positions, scores: NDArray[np.float64], bonuses: NDArray[np.float64]
    ) -> list[Candidate]:
        numbers = found.tolist()
        ids = map(self._ids.__getitem__, numbers)
        labels = map(self._labels.__getitem__, numbers)
        return list(map(Candidate, ids, labels, scores.tolist(), bonuses.tolist()))

    def _code(self, label: str) -> int:
        """Number of a label; one that nothing has is like no other."""
        return self._codes.get(label, _NO_SUCH_LABEL)

    def _scores(self, query: NDArray[np.float32], positions: Positions) -> NDArray[np.float64]:
        exact, precise = np.empty(len(positions)), query.astype(np.float64)
        for start in range(0, len(positions), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            exact[some] = self._vectors[positions[some]].astype(np.float64) @ precise
        return rounded_scores(np.clip(exact, -1.0, 1.0))
