"""A small table's vectors in memory: a scan of them is several times quicker than the table's."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import lancedb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from embedding_pipeline.domain.description import EmbedderDescription
from embedding_pipeline.domain.entries import (
    Candidate,
    EntryFilter,
    LabelPreference,
    ScoredEntry,
    image_key_of,
)
from embedding_pipeline.indexes.lancedb_rows import ENTRY_COLUMNS, entries_of, vectors_of
from embedding_pipeline.indexes.lancedb_tidying import VECTOR_INDEX_FROM_ROWS
from embedding_pipeline.indexes.scoring import ranked, rounded_scores


@dataclass(frozen=True, slots=True)
class Holding:
    """When a table is held.

    Args:
        quiet_s: how long it must not have changed, at least: what changed just now is likely to
            change again. 0 reads it at once, for tests.
        most_bytes: of its vectors; a larger one is scanned where it lies. 0: none is held.
    """

    quiet_s: float = 1.0
    most_bytes: int = 256 << 20


USUAL = Holding()

_REST_FOR_READING = 20
"""A table must have rested so many times longer than it takes to read it: one that changes all the
time costs a twentieth of a core at most."""

_SLACK = 1e-5
"""More than float32 can be wrong about a dot product of unit vectors."""

_NO_SUCH_LABEL = -2

_AT_ONCE = 64
"""Vectors that are copied at once: what stays in a processor's cache is several times quicker."""

_log = logging.getLogger(__name__)

Positions = NDArray[np.intp]


class HeldEntries:
    """What a search needs of every entry of one state of a table; never changes.

    Scores are computed in float64 for all that may be in an answer, so that equal vectors have
    equal scores wherever they lie.

    Args:
        rows: ENTRY_COLUMNS and the vectors.
        dimension: of the vectors, which have unit length.
    """

    def __init__(self, rows: pa.Table, dimension: int) -> None:
        self._vectors = vectors_of(rows, dimension)
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

    def positions(self, object_ids: Iterable[str]) -> Positions | None:
        """Positions of these entries; None if one is not here."""
        found = [self._position.get(object_id, -1) for object_id in object_ids]
        return None if -1 in found else np.array(found, np.intp)

    def nearest(
        self,
        query: NDArray[np.float32],
        limit: int,
        passing: Positions,
        prefer: LabelPreference | None,
    ) -> list[Candidate]:
        """The ``limit`` best of some entries, as ObjectIndex.nearest orders them."""
        about = self._vectors @ query
        found, scores = self._closest(about, query, limit, passing)
        if prefer is None:
            return self._candidates(found, scores, np.zeros(len(found)))
        alike = passing[self._label_of[passing] == self._code(prefer.label)]
        labelled, their_scores = self._closest(about, query, limit, alike)
        found, once = np.unique(np.concatenate((found, labelled)), return_index=True)
        scores = np.concatenate((scores, their_scores))[once]
        bonuses = self._bonuses(found, scores, prefer)
        order = np.lexsort((self._order[found], -(scores + bonuses)))[:limit]
        return self._candidates(found[order], scores[order], bonuses[order])

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

    def picture_vectors(self, image_keys: Iterable[str]) -> dict[str, NDArray[np.float32]]:
        """Vectors of whole pictures by key."""
        there = self._on(image_keys, np.flatnonzero(~self._is_object))
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
        both = np.stack((self._picture_of[there], self._label_of[there]))
        labels, counts = np.unique(np.unique(both, axis=1)[1], return_counts=True)
        names = [self._label_names[code] for code in labels.tolist()]
        return Counter(dict(zip(names, counts.tolist(), strict=True)))

    def _on(self, image_keys: Iterable[str], passing: Positions) -> Positions:
        """Positions of the entries on some pictures that are among those that pass."""
        there = np.array([n for key in image_keys for n in self._of_picture.get(key, ())], np.intp)
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


class Memory:
    """Holds a small table that has come to rest. Thread-safe.

    Args:
        table: the open table, which looks for newer data at every call.
        embedder: of the version; only unit vectors are held.
        holding: when.
    """

    def __init__(
        self, table: lancedb.table.Table, embedder: EmbedderDescription, holding: Holding = USUAL
    ) -> None:
        self._table = table
        self._dimension = embedder.dimension
        unit = embedder.normalized and embedder.metric == "cosine"
        self._holds = unit and holding.most_bytes > 0
        self._quiet_s = self._rest_s = holding.quiet_s
        self._most_bytes = holding.most_bytes
        self._lock = threading.Lock()
        self._seen: tuple[int, float] = (-1, 0.0)
        self._held: tuple[int, HeldEntries | None] = (-1, None)
        self._reader: threading.Thread | None = None

    def entries(self) -> HeldEntries | None:
        """What the table has now, or None: it is large, changes, or is being read."""
        if not self._holds:
            return None
        version = int(self._table.version)
        with self._lock:
            if self._held[0] == version:
                return self._held[1]
            if self._quiet_s <= 0:
                self._read()
                return self._held[1]
            if self._seen[0] != version:
                self._seen = (version, time.monotonic())
                self._held = (-1, None)
            elif time.monotonic() - self._seen[1] >= self._rest_s and not self._reading():
                self._reader = threading.Thread(target=self._try, name="index-memory", daemon=True)
                self._reader.start()
        return None

    def close(self) -> None:
        """Wait for what is being read, and let go."""
        reader = self._reader
        if reader is not None:
            reader.join()
        self._held = (-1, None)

    def _reading(self) -> bool:
        return self._reader is not None and self._reader.is_alive()

    def _try(self) -> None:
        try:
            self._read()
        except Exception:  # noqa: BLE001 - told; the table answers by itself
            _log.exception("the index could not be read into memory")

    def _read(self) -> None:
        version = int(self._table.version)
        rows = self._table.count_rows()
        if rows >= VECTOR_INDEX_FROM_ROWS or 4 * self._dimension * rows > self._most_bytes:
            self._held = (version, None)
            return
        began = time.monotonic()
        columns = self._table.search().select([*ENTRY_COLUMNS, "vector"]).to_arrow()
        held = HeldEntries(columns, self._dimension)
        self._rest_s = max(self._quiet_s, _REST_FOR_READING * (time.monotonic() - began))
        if int(self._table.version) == version:
            self._held = (version, held)
