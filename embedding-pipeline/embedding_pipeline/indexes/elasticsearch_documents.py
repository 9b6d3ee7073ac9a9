"""Entries as Elasticsearch documents: mapping, sources, filters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embedding_pipeline.domain.description import EmbedderDescription
from embedding_pipeline.domain.entries import Entry, EntryFilter
from embedding_pipeline.domain.metadata import metadata_terms
from embedding_pipeline.errors import InvalidQuery

NO_VECTORS = {"excludes": ["features", "metadata_terms"]}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_KEYWORD = {"type": "keyword"}
_ONLY_STORED = {"index": False, "doc_values": False}


def similarity_of(embedder: EmbedderDescription) -> str:
    """Name of the metric in Elasticsearch; on unit vectors the dot product is the cosine."""
    if embedder.metric == "l2":
        return "l2_norm"
    return "dot_product" if embedder.normalized else "cosine"


def properties(
    embedder: EmbedderDescription, index_type: str, *, m: int, ef_construction: int
) -> dict[str, Any]:
    """Strict mapping of a version.

    ``metadata`` is for people's own queries; the port's filters ask ``metadata_terms``, whose
    equality domain.metadata defines, and ``taken_us``, which is exact to the microsecond.
    ``entry_count`` of rank 0 says which ids a picture has without a search.
    """
    return {
        "object_id": _KEYWORD,
        "image_key": _KEYWORD,
        "kind": _KEYWORD,
        "label": _KEYWORD,
        "bbox": {"type": "double", **_ONLY_STORED},
        "bbox_relative": {"type": "double", **_ONLY_STORED},
        "bbox_score": {"type": "double"},
        "area_share": {"type": "double"},
        "image_url": {"type": "keyword", **_ONLY_STORED},
        "image_width": {"type": "integer"},
        "image_height": {"type": "integer"},
        "collections": _KEYWORD,
        "metadata": {"type": "flattened", "ignore_above": 4096, "depth_limit": 1000},
        "metadata_terms": _KEYWORD,
        "taken_at": {"type": "date"},
        "taken_us": {"type": "long"},
        "ingested_at": {"type": "date"},
        "truncated": {"type": "boolean"},
        "entry_count": {"type": "integer", "index": False},
        "features": {
            "type": "dense_vector",
            "dims": embedder.dimension,
            "index": True,
            "similarity": similarity_of(embedder),
            "index_options": {
                "type": index_type,
                "m": m,
                "ef_construction": ef_construction,
            },
        },
    }


def numbers_of(vectors: NDArray[np.float32]) -> list[str]:
    """JSON numbers of each row of ``(N, dimension)`` vectors, the shortest that give it back.

    Arrow writes them in compiled code, at an eighth of the time that Python's json takes.
    """
    rows, dimension = vectors.shape
    numbers = pc.cast(pa.array(vectors.reshape(-1)), pa.string())
    starts = np.arange(0, rows * dimension + 1, dimension, dtype=np.int32)
    lists = pa.ListArray.from_arrays(starts, numbers)
    return cast("list[str]", pc.binary_join(lists, ",").to_pylist())


def source_of(entry: Entry, numbers: str, entry_count: int) -> bytes:
    """Source of an entry as JSON.

    Args:
        entry: the entry.
        numbers: its vector, see numbers_of.
        entry_count: how many entries its picture has; kept with the first one only.
    """
    width, height = entry.image_size_wh
    x1, y1, x2, y2 = entry.box_xyxy
    source = {
        "object_id": entry.object_id,
        "image_key": entry.image_key,
        "kind": entry.kind,
        "label": entry.label,
        "bbox": [x1, y1, x2, y2],
        "bbox_relative": [x1 / width, y1 / height, x2 / width, y2 / height],
        "bbox_score": entry.confidence,
        "area_share": entry.area_share,
        "image_url": f"/objects/{entry.image_key}",
        "image_width": width,
        "image_height": height,
        "collections": list(entry.collections),
        "metadata": dict(entry.metadata),
        "metadata_terms": metadata_terms(entry.metadata),
        "taken_at": entry.taken_at and _iso(entry.taken_at),
        "taken_us": entry.taken_at and _micros(entry.taken_at),
        "ingested_at": _iso(entry.ingested_at),
        "truncated": entry.truncated,
        "entry_count": entry_count if entry.kind == "image" else None,
    }
    known = {name: value for name, value in source.items() if value is not None}
    text = json.dumps(known, separators=(",", ":"))
    return f'{text[:-1]},"features":[{numbers}]}}'.encode()


def entry_of(source: Mapping[str, Any]) -> Entry:
    """Entry of a document's source."""
    x1, y1, x2, y2 = source["bbox"]
    return Entry(
        object_id=source["object_id"],
        image_key=source["image_key"],
        kind=source["kind"],
        label=source.get("label"),
        box_xyxy=(x1, y1, x2, y2),
        confidence=source.get("bbox_score"),
        area_share=source["area_share"],
        image_size_wh=(source["image_width"], source["image_height"]),
        collections=tuple(source["collections"]),
        metadata=source["metadata"],
        taken_at=_EPOCH + source["taken_us"] * _MICROSECOND if "taken_us" in source else None,
        ingested_at=datetime.fromisoformat(source["ingested_at"]),
        truncated=source["truncated"],
    )


def vector_of(source: Mapping[str, Any]) -> NDArray[np.float32]:
    """``(dimension,)`` float32 vector of a document's source."""
    return np.array(source["features"], np.float32)


def filter_of(where: EntryFilter) -> list[dict[str, Any]]:
    """Filter clauses, all of which hold for the entries that pass; empty when all do."""
    clauses: list[dict[str, Any]] = []
    if where.kinds and set(where.kinds) != {"object", "image"}:
        clauses.append({"terms": {"kind": list(where.kinds)}})
    if where.labels:
        clauses.append({"terms": {"label": [text_of(label) for label in where.labels]}})
    if where.collections:
        clauses.append({"terms": {"collections": [text_of(name) for name in where.collections]}})
    if where.taken_after is not None:
        clauses.append({"range": {"taken_us": {"gte": _micros(where.taken_after)}}})
    if where.taken_before is not None:
        clauses.append({"range": {"taken_us": {"lt": _micros(where.taken_before)}}})
    clauses += [{"term": {"metadata_terms": term}} for term in metadata_terms(where.metadata)]
    if where.min_confidence is not None:
        confident = {"range": {"bbox_score": {"gte": where.min_confidence}}}
        clauses.append({"bool": {"should": [confident, {"term": {"kind": "image"}}]}})
    return clauses


def text_of(value: str) -> str:
    """The text itself; one that is no Unicode raises InvalidQuery."""
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        raise InvalidQuery(
            "A text of the query is not valid Unicode.", actual=ascii(value)
        ) from exc
    return value


def _micros(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise InvalidQuery(f"The time {moment} has no time zone.", actual=str(moment))
    return (moment - _EPOCH) // _MICROSECOND


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
