"""Entries as rows of a Parquet file, and back; everything of a row is checked on its way in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.domain.entries import Box, Entry, PictureEntries, object_id
from embedding_pipeline.errors import IngestError
from minio_proxy.originals import is_image_key

FORMAT = 1
META_FORMAT = b"boxseek.format"
META_MODELS = b"boxseek.models"
UNIT_TOLERANCE = 1e-3
"""How far a vector's length may be from 1; bf16 models round that much."""

BOX_TOLERANCE_PX = 0.01
TIME = pa.timestamp("us", tz="UTC")


def schema_of(description: ModelDescription) -> Any:
    """The file's schema; format version and models are in its metadata."""
    vector = pa.list_(
        pa.field("item", pa.float32(), nullable=False), description.embedder.dimension
    )
    fields = [
        ("object_id", pa.string(), False),
        ("image_key", pa.string(), False),
        ("kind", pa.string(), False),
        ("label", pa.string(), True),
        *((name, pa.float64(), False) for name in ("x1", "y1", "x2", "y2")),
        ("confidence", pa.float64(), True),
        ("area_share", pa.float64(), False),
        ("image_width", pa.int32(), False),
        ("image_height", pa.int32(), False),
        ("collections", pa.list_(pa.string()), False),
        ("metadata", pa.string(), False),
        ("taken_at", TIME, True),
        ("ingested_at", TIME, False),
        ("truncated", pa.bool_(), False),
        ("vector", vector, False),
    ]
    return pa.schema(
        [pa.field(name, kind, nullable=nullable) for name, kind, nullable in fields],
        metadata={
            META_FORMAT: str(FORMAT).encode(),
            META_MODELS: json.dumps(description.to_json()).encode(),
        },
    )


def description_of(schema: Any, path: object) -> ModelDescription:
    """The models that a file's vectors were made with.

    Raises:
        IngestError: the file is no export of Boxseek, or of another format version.
    """
    metadata = schema.metadata or {}
    found = metadata.get(META_FORMAT, b"").decode(errors="replace")
    if found != str(FORMAT):
        raise IngestError(
            f"{path} is no export of Boxseek that this one reads (format {found or 'none'!r}, "
            f"expected {FORMAT}).",
            expected=FORMAT,
            actual=found,
        )
    try:
        description = ModelDescription.from_json(json.loads(metadata[META_MODELS]))
    except (KeyError, TypeError, ValueError) as exc:
        raise IngestError(f"{path} does not say which models made it: {exc}") from exc
    missing = sorted(set(schema_of(description).names) - set(schema.names))
    if missing:
        raise IngestError(f"{path} lacks the columns {', '.join(missing)}.")
    return description


def to_table(pictures: Sequence[PictureEntries], schema: Any) -> Any:
    """Rows of pictures, in order."""
    entries = [entry for picture in pictures for entry in picture.entries]
    vectors = np.concatenate([picture.vectors for picture in pictures]).astype(np.float32)
    columns: dict[str, Any] = {name: [] for name in schema.names if name != "vector"}
    for entry in entries:
        for name, value in _row(entry).items():
            columns[name].append(value)
    arrays = [
        pa.array(columns[name], schema.field(name).type)
        for name in schema.names
        if name != "vector"
    ]
    flat = pa.array(vectors.reshape(-1), pa.float32())
    arrays.append(pa.FixedSizeListArray.from_arrays(flat, type=schema.field("vector").type))
    return pa.Table.from_arrays(arrays, schema=schema)


def _row(entry: Entry) -> dict[str, Any]:
    x1, y1, x2, y2 = entry.box_xyxy
    width, height = entry.image_size_wh
    return {
        "object_id": entry.object_id,
        "image_key": entry.image_key,
        "kind": entry.kind,
        "label": entry.label,
        "x1": x1,
        "y1": y1,
        "x2": x2,
        "y2": y2,
        "confidence": entry.confidence,
        "area_share": entry.area_share,
        "image_width": width,
        "image_height": height,
        "collections": list(entry.collections),
        "metadata": json.dumps(dict(entry.metadata), sort_keys=True),
        "taken_at": entry.taken_at,
        "ingested_at": entry.ingested_at,
        "truncated": entry.truncated,
    }


def from_batches(
    batches: Iterable[Any], description: ModelDescription
) -> Iterator[PictureEntries | str]:
    """Pictures of a file, one after the other; of one with a bad row, a sentence instead.

    A picture's rows lie together, the whole picture first; a batch may end inside a picture.

    Args:
        batches: record batches of the file.
        description: of the models that the file names.
    """
    key: str | None = None
    rows: list[tuple[int, dict[str, Any]]] = []
    vectors: list[NDArray[np.float32]] = []
    number = 0
    for batch in batches:
        matrix = _vectors(batch, description.embedder.dimension)
        columns = batch.drop_columns(["vector"]).to_pylist()
        for row, vector in zip(columns, matrix, strict=True):
            if rows and row["image_key"] != key:
                yield _picture(rows, vectors, description)
                rows, vectors = [], []
            key = row["image_key"]
            rows.append((number, row))
            vectors.append(vector)
            number += 1
    if rows:
        yield _picture(rows, vectors, description)


def _vectors(batch: Any, dimension: int) -> NDArray[np.float32]:
    column = batch.column("vector")
    if not pa.types.is_fixed_size_list(column.type) or column.type.list_size != dimension:
        raise IngestError(f"the vectors are {column.type}, expected {dimension} numbers each")
    if column.null_count:
        raise IngestError("vectors are missing")
    flat = column.flatten().to_numpy(zero_copy_only=False)
    matrix: NDArray[np.float32] = flat.astype(np.float32).reshape(len(batch), dimension)
    return matrix


def _picture(
    rows: Sequence[tuple[int, dict[str, Any]]],
    vectors: Sequence[NDArray[np.float32]],
    description: ModelDescription,
) -> PictureEntries | str:
    entries: list[Entry] = []
    for rank, ((number, row), vector) in enumerate(zip(rows, vectors, strict=True)):
        try:
            entry = _entry(row)
            _check(entry, rank, vector, description)
        except (KeyError, TypeError, ValueError) as exc:
            return f"row {number} ({str(row.get('object_id'))[:80]}): {exc}"
        entries.append(entry)
    return PictureEntries(entries[0].image_key, tuple(entries), np.stack(vectors))


def _entry(row: dict[str, Any]) -> Entry:
    metadata = json.loads(row["metadata"])
    if not isinstance(metadata, dict):
        raise TypeError("metadata is no JSON object")
    return Entry(
        object_id=row["object_id"],
        image_key=row["image_key"],
        kind=row["kind"],
        label=row["label"],
        box_xyxy=(row["x1"], row["y1"], row["x2"], row["y2"]),
        confidence=row["confidence"],
        area_share=row["area_share"],
        image_size_wh=(row["image_width"], row["image_height"]),
        collections=tuple(row["collections"]),
        metadata=metadata,
        taken_at=row["taken_at"],
        ingested_at=row["ingested_at"],
        truncated=bool(row["truncated"]),
    )


def _check(
    entry: Entry, rank: int, vector: NDArray[np.float32], description: ModelDescription
) -> None:
    """Raise ValueError where an entry could not have come from an index."""
    if not is_image_key(entry.image_key):
        raise ValueError("the image_key is no SHA-256")
    if entry.object_id != object_id(entry.image_key, rank):
        raise ValueError(f"the object_id should end in -{rank:03d}")
    if entry.kind != ("object" if rank else "image"):
        raise ValueError(f"the kind {entry.kind!r} does not fit its rank")
    if rank and (entry.label is None or entry.confidence is None):
        raise ValueError("an object has a label and a confidence")
    if entry.confidence is not None and not 0 < entry.confidence <= 1:
        raise ValueError(f"the confidence is {entry.confidence}")
    _check_box(entry.box_xyxy, entry.image_size_wh)
    if not np.isfinite(vector).all():
        raise ValueError("the vector has numbers that are not finite")
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if description.embedder.normalized and abs(length - 1) > UNIT_TOLERANCE:
        raise ValueError(f"the vector's length is {length:.4f}, expected 1")


def _check_box(box_xyxy: Box, size_wh: tuple[int, int]) -> None:
    x1, y1, x2, y2 = box_xyxy
    width, height = size_wh
    spare = BOX_TOLERANCE_PX
    inside = x1 >= -spare and y1 >= -spare and x2 <= width + spare and y2 <= height + spare
    if not (inside and x1 < x2 and y1 < y2):
        raise ValueError(f"the box {box_xyxy} is none of a picture of {width} x {height}")
