"""Rows of a ledger, and how they stand in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from embedding_pipeline.ingest.source_items import (
    Problem,
    SourceItem,
    State,
    path_bytes,
    path_from_bytes,
)

COLUMNS = (
    "path, version, metadata, state, image_key, objects, duplicate_of, stage, reason, code, "
    "retryable"
)

LedgerState: TypeAlias = State | Literal["gone"]


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """The one state that a picture of the source is in.

    Args:
        path: its name inside the source.
        version: of the content that the state belongs to.
        metadata: JSON text of the fields that the source gave; empty for none.
        state: indexed, duplicate, rejected or failed; gone when the source no longer has
            it although its picture is still stored.
        image_key: SHA-256 of the bytes; None when they were not read.
        objects: entries of kind object, for indexed and duplicate.
        duplicate_of: what it is the same as: a path of this source, or ``stored``.
        stage: where it failed or was rejected.
        reason: why, one sentence.
        code: the error's stable code.
        retryable: the same content may work later.
    """

    path: str
    version: str
    metadata: str
    state: LedgerState
    image_key: str | None = None
    objects: int = 0
    duplicate_of: str | None = None
    stage: str | None = None
    reason: str | None = None
    code: str | None = None
    retryable: bool = False


class Known(NamedTuple):
    """What a ledger says of a path and of the bytes it has now."""

    row: LedgerRow | None
    """The path's own row."""
    other: str | None
    """First other path with an indexed row of these bytes."""


def metadata_text(metadata: Mapping[str, Any] | None) -> str:
    """Metadata as the ledger compares it; empty for none."""
    return json.dumps(metadata, sort_keys=True) if metadata is not None else ""


def values_of_item(item: SourceItem) -> tuple[object, ...]:
    """Values of a planned item."""
    problem = json.dumps(asdict(item.problem)) if item.problem else ""
    metadata = metadata_text(item.metadata)
    return (path_bytes(item.path), item.version, item.size_bytes, metadata, problem)


def item_of(values: tuple[Any, ...]) -> SourceItem:
    """Inverse of values_of_item."""
    path, version, size_bytes, metadata, problem = values
    return SourceItem(
        path_from_bytes(path),
        version,
        size_bytes,
        json.loads(metadata) if metadata else None,
        Problem(**json.loads(problem)) if problem else None,
    )


def row_of(values: tuple[Any, ...]) -> LedgerRow:
    """Inverse of values_of."""
    named = dict(zip(COLUMNS.split(", "), values, strict=True))
    named |= {"path": path_from_bytes(values[0]), "retryable": bool(values[-1])}
    return LedgerRow(**named)


def values_of(row: LedgerRow) -> tuple[object, ...]:
    """Values of a row, in the order of COLUMNS."""
    return (
        path_bytes(row.path),
        row.version,
        row.metadata,
        row.state,
        row.image_key,
        row.objects,
        row.duplicate_of,
        row.stage,
        row.reason,
        row.code,
        int(row.retryable),
    )


def known_of(connection: sqlite3.Connection, path: str, image_key: str) -> Known:
    """What the entries say of a path and of the bytes that it has now."""
    raw = path_bytes(path)
    row = connection.execute(f"SELECT {COLUMNS} FROM entries WHERE path = ?", [raw]).fetchone()  # noqa: S608
    other = connection.execute(
        "SELECT path FROM entries WHERE image_key = ? AND state = 'indexed' AND path != ? "
        "ORDER BY path LIMIT 1",
        [image_key, raw],
    ).fetchone()
    return Known(row_of(row) if row else None, path_from_bytes(other[0]) if other else None)
