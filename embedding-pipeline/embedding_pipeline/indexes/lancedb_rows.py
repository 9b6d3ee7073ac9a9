"""Entries as rows of a LanceDB table, and filters as its SQL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from embedding_pipeline.domain.entries import Entry, EntryFilter, PictureEntries
from embedding_pipeline.domain.metadata import metadata_terms
from embedding_pipeline.errors import InvalidQuery

ENTRY_COLUMNS = [
    "object_id",
    "image_key",
    "kind",
    "label",
    "box_xyxy",
    "confidence",
    "area_share",
    "width",
    "height",
    "collections",
    "metadata",
    "taken_us",
    "ingested_us",
    "truncated",
]
"""What an answer needs; vectors and the terms of filters stay where they are."""

_NO_METADATA = "{}"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def table_schema(dimension: int) -> pa.Schema:
    """Columns of a version whose vectors have this dimension.

    Times are microseconds since 1970 UTC; metadata is JSON text for answers and a list of
    terms for filters.
    """
    text = pa.string()
    return pa.schema(
        [
            pa.field("object_id", text, nullable=False),
            pa.field("image_key", text, nullable=False),
            pa.field("kind", text, nullable=False),
            pa.field("label", text),
            pa.field("box_xyxy", pa.list_(pa.float64(), 4), nullable=False),
            pa.field("confidence", pa.float64()),
            pa.field("area_share", pa.float64(), nullable=False),
            pa.field("width", pa.int32(), nullable=False),
            pa.field("height", pa.int32(), nullable=False),
            pa.field("collections", pa.list_(text), nullable=False),
            pa.field("metadata", text, nullable=False),
            pa.field("metadata_terms", pa.list_(text), nullable=False),
            pa.field("taken_us", pa.int64()),
            pa.field("ingested_us", pa.int64(), nullable=False),
            pa.field("truncated", pa.bool_(), nullable=False),
            pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False),
        ]
    )


def rows_of(pictures: Sequence[PictureEntries], dimension: int) -> pa.Table:
    """Table of all entries of some pictures."""
    entries = [entry for picture in pictures for entry in picture.entries]
    columns: dict[str, Any] = {
        "object_id": [entry.object_id for entry in entries],
        "image_key": [entry.image_key for entry in entries],
        "kind": [entry.kind for entry in entries],
        "label": [entry.label for entry in entries],
        "box_xyxy": [list(entry.box_xyxy) for entry in entries],
        "confidence": [entry.confidence for entry in entries],
        "area_share": [entry.area_share for entry in entries],
        "width": [entry.image_size_wh[0] for entry in entries],
        "height": [entry.image_size_wh[1] for entry in entries],
        "collections": [list(entry.collections) for entry in entries],
        "metadata": [json.dumps(dict(entry.metadata)) for entry in entries],
        "metadata_terms": [metadata_terms(entry.metadata) for entry in entries],
        "taken_us": [entry.taken_at and _micros(entry.taken_at) for entry in entries],
        "ingested_us": [_micros(entry.ingested_at) for entry in entries],
        "truncated": [entry.truncated for entry in entries],
        "vector": _vector_column([picture.vectors for picture in pictures], dimension),
    }
    return pa.table(columns, schema=table_schema(dimension))


def entries_of(rows: pa.Table) -> list[Entry]:
    """Entries of a table that has ENTRY_COLUMNS, in its order.

    A column at a time becomes Python values, which is several times quicker than a row at a
    time.
    """
    columns = [_values_of(rows[name]) for name in ENTRY_COLUMNS]
    return [
        Entry(
            object_id=object_id,
            image_key=image_key,
            kind=kind,
            label=label,
            box_xyxy=tuple(box),
            confidence=confidence,
            area_share=area_share,
            image_size_wh=(width, height),
            collections=tuple(collections),
            metadata={} if metadata == _NO_METADATA else json.loads(metadata),
            taken_at=None if taken_us is None else _time(taken_us),
            ingested_at=_time(ingested_us),
            truncated=truncated,
        )
        for (
            object_id,
            image_key,
            kind,
            label,
            box,
            confidence,
            area_share,
            width,
            height,
            collections,
            metadata,
            taken_us,
            ingested_us,
            truncated,
        ) in zip(*columns, strict=True)
    ]


def vectors_of(rows: pa.Table, dimension: int) -> NDArray[np.float32]:
    """``(N, dimension)`` float32 vectors of a table, in its order."""
    column = rows["vector"].combine_chunks()
    flat: NDArray[np.float32] = column.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(rows), dimension).astype(np.float32)


def text_sql(value: str) -> str:
    """Quote a text for SQL; one that is no Unicode raises InvalidQuery."""
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        raise InvalidQuery(
            "A text of the query is not valid Unicode.", actual=ascii(value)
        ) from exc
    return "'" + value.replace("'", "''") + "'"


def any_of_sql(column: str, values: Iterable[str]) -> str:
    """SQL that holds where a column has one of these texts; there must be at least one."""
    return f"{column} IN ({', '.join(text_sql(value) for value in values)})"


def filter_sql(where: EntryFilter) -> str:
    """SQL that holds for the entries that pass; empty when all do."""
    parts = []
    if where.kinds and set(where.kinds) != {"object", "image"}:
        parts.append(any_of_sql("kind", where.kinds))
    if where.labels:
        parts.append(any_of_sql("label", where.labels))
    if where.collections:
        parts.append(f"array_has_any(collections, {_list_sql(where.collections)})")
    if where.taken_after is not None:
        parts.append(f"taken_us >= {_micros(where.taken_after)}")
    if where.taken_before is not None:
        parts.append(f"taken_us < {_micros(where.taken_before)}")
    if terms := metadata_terms(where.metadata):
        parts.append(f"array_has_all(metadata_terms, {_list_sql(terms)})")
    if where.min_confidence is not None:
        parts.append(f"(confidence >= {float(where.min_confidence)!r} OR kind = 'image')")
    return " AND ".join(parts)


def _list_sql(values: Iterable[str]) -> str:
    return f"[{', '.join(text_sql(value) for value in values)}]"


def _micros(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise InvalidQuery(f"The time {moment} has no time zone.", actual=str(moment))
    return (moment - _EPOCH) // _MICROSECOND


def _time(micros: int) -> datetime:
    return _EPOCH + micros * _MICROSECOND


def _values_of(column: pa.ChunkedArray) -> list[Any]:
    """Python values of a column; the boxes by way of numpy, which is quicker."""
    if pa.types.is_fixed_size_list(column.type):
        flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
        values: list[Any] = flat.reshape(len(column), column.type.list_size).tolist()
        return values
    return list(column.to_pylist())


def _vector_column(parts: list[NDArray[np.float32]], dimension: int) -> pa.Array:
    rows = np.concatenate([np.empty((0, dimension), np.float32), *parts]).astype(np.float32)
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), dimension)
