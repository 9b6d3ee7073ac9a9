"""One open version of the embedded index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.query import ColumnOrdering
from numpy.typing import NDArray

from embedding_pipeline.domain.entries import (
    Candidate,
    Entry,
    EntryFilter,
    LabelPreference,
    PictureEntries,
    ScoredEntry,
)
from embedding_pipeline.indexes.lancedb_errors import lancedb_errors
from embedding_pipeline.indexes.lancedb_held_table import HeldTable, Passing
from embedding_pipeline.indexes.lancedb_memory import USUAL, Holding, Memory
from embedding_pipeline.indexes.lancedb_revision import Revision
from embedding_pipeline.indexes.lancedb_rows import (
    ENTRY_COLUMNS,
    any_of_sql,
    entries_of,
    filter_sql,
    text_sql,
    vectors_of,
)
from embedding_pipeline.indexes.lancedb_state import TABLES
from embedding_pipeline.indexes.lancedb_tidying import Tidying
from embedding_pipeline.indexes.lancedb_vectors import VectorSearch
from embedding_pipeline.indexes.lancedb_writes import Writer, write_lock
from embedding_pipeline.indexes.scoring import (
    check_pictures,
    checked_query,
    labelled_pictures,
    most_first,
    preferred,
)
from embedding_pipeline.ports.index import Floor, IndexCounts, IndexVersion, WriteReport


class LanceDbIndex:
    """ObjectIndex on a LanceDB table; LanceDbCatalog opens it.

    Args:
        table: the open table, which looks for newer data at every call.
        version: the version that it holds.
        folder: the catalog's folder, for locks and messages.
        holding: when it is held in memory.
    """

    def __init__(
        self,
        table: lancedb.table.Table,
        version: IndexVersion,
        folder: Path,
        holding: Holding = USUAL,
    ) -> None:
        self._table = table
        self._version = version
        self._embedder = version.description.embedder
        self._place = f"{folder} ({version.name})"
        revision = Revision(table, folder / TABLES / f"{version.name}.lance" / "_versions")
        self._memory = Memory(table, revision, self._embedder, holding)
        self._tidying = Tidying(table, self._embedder, folder, version.name, self._memory)
        self._writer = Writer(
            table,
            self._embedder.dimension,
            write_lock(folder, version.name),
            self._memory,
        )
        self._vectors = VectorSearch(table, self._embedder)

    @property
    def version(self) -> IndexVersion:
        """See ObjectIndex."""
        return self._version

    def put(self, pictures: Sequence[PictureEntries]) -> WriteReport:
        """See ObjectIndex."""
        check_pictures(pictures, self._embedder)
        latest = {picture.image_key: picture for picture in pictures}
        with self._errors():
            self._tidying.wrote(self._writer.put(list(latest.values())))
        return WriteReport(len(latest))

    def delete(self, image_keys: Sequence[str]) -> int:
        """See ObjectIndex."""
        with self._errors():
            removed = self._writer.delete(sorted(set(image_keys)))
            self._tidying.wrote(removed)
        return removed

    def make_searchable(self) -> None:
        """See ObjectIndex; here every finished write is visible already."""

    def picture(self, image_key: str) -> PictureEntries | None:
        """See ObjectIndex."""
        rows = self._rows(f"image_key = {text_sql(image_key)}")
        if not len(rows):
            return None
        rows = rows.sort_by("object_id")
        return PictureEntries(
            image_key, tuple(entries_of(rows)), vectors_of(rows, self._embedder.dimension)
        )

    def object(self, object_id: str) -> tuple[Entry, NDArray[np.float32]] | None:
        """See ObjectIndex."""
        rows = self._rows(f"object_id = {text_sql(object_id)}")
        if not len(rows):
            return None
        return entries_of(rows)[0], vectors_of(rows, self._embedder.dimension)[0]

    def pictures(self, *, after: str = "", limit: int = 100) -> list[Entry]:
        """See ObjectIndex."""
        if limit <= 0:
            return []
        condition = f"kind = 'image' AND image_key > {text_sql(after)}"
        with self._errors():
            query = self._table.search().where(condition).select(ENTRY_COLUMNS)
            query = query.order_by([ColumnOrdering(column_name="image_key")]).limit(limit)
            return entries_of(query.to_arrow())

    def nearest(
        self,
        vector: NDArray[np.float32],
        *,
        limit: int,
        where: EntryFilter,
        prefer: LabelPreference | None = None,
    ) -> list[Candidate]:
        """See ObjectIndex."""
        query = checked_query(vector, self._embedder)
        if limit <= 0:
            return []
        condition = filter_sql(where)
        labelled = _both(any_of_sql("label", [prefer.label]), condition) if prefer else ""
        with self._errors():
            if (held := self._held(where, condition)) is not None:
                return held[0].nearest(query, limit, held[1], prefer)
            if prefer is None:
                return self._vectors.nearest(query, limit, condition)
            found = [
                *self._vectors.nearest(query, limit, condition, prefer),
                *self._vectors.nearest(query, limit, labelled, prefer),
            ]
        return preferred(found, prefer, limit)

    def score(
        self,
        vector: NDArray[np.float32],
        *,
        image_keys: Sequence[str],
        where: EntryFilter,
        prefer: LabelPreference | None = None,
    ) -> list[ScoredEntry]:
        """See ObjectIndex."""
        query = checked_query(vector, self._embedder)
        keys, passing = sorted(set(image_keys)), filter_sql(where)
        if not keys:
            return []
        condition = _both(any_of_sql("image_key", keys), passing)
        with self._errors():
            if (held := self._held(where, passing)) is not None:
                return held[0].scored(query, keys, held[1], prefer)
            return self._vectors.score(query, len(keys), condition, prefer)

    def labelled_pictures(
        self, image_keys: Sequence[str], *, where: EntryFilter, floor: Floor | None = None
    ) -> dict[str, int]:
        """See ObjectIndex."""
        keys, passing = sorted(set(image_keys)), filter_sql(where)
        query = None if floor is None else checked_query(floor.vector, self._embedder)
        if not keys:
            return {}
        condition = _both(f"{any_of_sql('image_key', keys)} AND kind = 'object'", passing)
        with self._errors():
            if (held := self._held(where, passing)) is not None:
                least = None if floor is None or query is None else (query, floor.min_score)
                return most_first(held[0].facets(keys, held[1], least))
            if floor is None or query is None:
                rows = self._table.search().where(condition).select(["image_key", "label"])
                found = rows.to_arrow()
                pairs = zip(found["image_key"].to_pylist(), found["label"].to_pylist(), strict=True)
                return labelled_pictures(pairs)
            scored = self._vectors.candidates(query, len(keys), condition)
        return labelled_pictures(
            (one.image_key, one.label) for one in scored if one.score >= floor.min_score
        )

    def picture_vectors(self, image_keys: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """See ObjectIndex."""
        keys = sorted(set(image_keys))
        if not keys:
            return {}
        condition = f"{any_of_sql('image_key', keys)} AND kind = 'image'"
        with self._errors():
            if (memory := self._memory.entries()) is not None:
                return memory.picture_vectors(keys)
            query = self._table.search().where(condition).select(["image_key", "vector"])
            rows = query.to_arrow()
        vectors = vectors_of(rows, self._embedder.dimension)
        return dict(zip(rows["image_key"].to_pylist(), vectors, strict=True))

    def count(self) -> IndexCounts:
        """See ObjectIndex."""
        with self._errors():
            pictures = self._table.count_rows("kind = 'image'")
            return IndexCounts(pictures, self._table.count_rows("kind = 'object'"))

    def label_counts(self) -> dict[str, int]:
        """See ObjectIndex."""
        return self._counts("label", "kind = 'object' AND label IS NOT NULL")

    def collection_counts(self) -> dict[str, int]:
        """See ObjectIndex."""
        return self._counts("collections", "kind = 'image'")

    def optimize(self) -> None:
        """See ObjectIndex."""
        with self._errors():
            self._tidying.run()

    def check(self) -> None:
        """See ObjectIndex."""
        with self._errors():
            self._table.count_rows("object_id = ''")

    def close(self) -> None:
        """See ObjectIndex; waits for tidying that is under way."""
        self._tidying.close()
        self._memory.close()

    def _held(self, where: EntryFilter, condition: str) -> tuple[HeldTable, Passing] | None:
        """The table in memory and what passes a filter there; None: ask the table."""
        held = self._memory.entries()
        if held is None:
            return None
        passing = held.passing(where)
        if passing is None:
            rows = self._table.search().where(condition).select(["object_id"]).to_arrow()
            passing = held.positions(rows["object_id"].to_pylist())
        return None if passing is None else (held, passing)

    def _rows(self, condition: str) -> pa.Table:
        with self._errors():
            query = self._table.search().where(condition).select([*ENTRY_COLUMNS, "vector"])
            return query.to_arrow()

    def _counts(self, column: str, condition: str) -> dict[str, int]:
        counts: Counter[str] = Counter()
        with self._errors():
            query = self._table.search().where(condition).select([column])
            for batch in query.to_batches():
                values = batch.column(0)
                values = values.flatten() if pa.types.is_list(values.type) else values
                for found in values.value_counts().to_pylist():
                    counts[found["values"]] += found["counts"]
        return most_first(counts)

    def _errors(self) -> AbstractContextManager[None]:
        return lancedb_errors(self._place)


def _both(first: str, second: str) -> str:
    return f"{first} AND {second}" if second else first
