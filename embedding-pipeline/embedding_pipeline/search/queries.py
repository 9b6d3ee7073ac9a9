"""Stored queries: the picture of a search, so that another box of it detects nothing again."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.entries import Box, Detection
from embedding_pipeline.errors import UnknownQuery

QUERY_FORMAT = 1
QUERY_ID = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)
MAX_VECTORS = 200


@dataclass(frozen=True, slots=True)
class StoredQuery:
    """What is kept of a query.

    Args:
        query_id: unguessable name.
        created_at: seconds since the epoch.
        models: fingerprint of the models that made objects and vectors.
        image_key: the picture of the index that was asked with; None where it was sent along.
        size_bytes: of the picture that was sent along; 0 without one.
        size_wh: pixels of the upright picture.
        objects: what was detected in it.
        truncated: more objects were found than are kept.
        searched_box: what was embedded first.
        vectors: ``(dimension,)`` float32 by box.
    """

    query_id: str
    created_at: float
    models: str
    image_key: str | None
    size_bytes: int
    size_wh: tuple[int, int]
    objects: tuple[Detection, ...]
    truncated: bool
    searched_box: Box
    vectors: dict[Box, NDArray[np.float32]]


class QueryStore:
    """Queries in a folder, for a limited time and in a limited number; thread-safe.

    Args:
        folder: made when needed; one process writes here.
        ttl_s: life of a query, seconds.
        max_queries: kept at once; the oldest goes first.
        max_bytes: of all pictures together; the oldest goes first.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        folder: Path,
        *,
        ttl_s: float,
        max_queries: int,
        max_bytes: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._ttl_s = ttl_s
        self._max_queries = max_queries
        self._max_bytes = max_bytes
        self._now = now
        self._lock = threading.Lock()
        self._known = self._read_folder()

    def put(self, query: StoredQuery, picture: bytes | None) -> str:
        """Store a query under a new id, which is returned; its own id and time are ignored.

        A full disk or another OSError is raised and leaves nothing behind.
        """
        query_id = secrets.token_urlsafe(16)
        stored = replace(
            query, query_id=query_id, created_at=self._now(), size_bytes=len(picture or b"")
        )
        with self._lock:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                if picture is not None:
                    _write(self._picture(query_id), picture)
                _write(self._facts(query_id), _to_json(stored))
            except OSError:
                self._remove(query_id)
                raise
            self._known[query_id] = (stored.created_at, stored.size_bytes)
            self._forget()
        return query_id

    def get(self, query_id: str) -> StoredQuery:
        """A stored query; UnknownQuery when there is none (any more)."""
        with self._lock:
            self._forget()
            if query_id not in self._known:
                raise _unknown(query_id)
            try:
                return _from_json(self._facts(query_id).read_bytes())
            except (OSError, ValueError, KeyError) as exc:
                self._remove(query_id)
                raise _unknown(query_id) from exc

    def picture(self, query_id: str) -> bytes:
        """The picture that was sent along; UnknownQuery when there is none (any more)."""
        with self._lock:
            self._forget()
            if query_id not in self._known:
                raise _unknown(query_id)
            try:
                return self._picture(query_id).read_bytes()
            except FileNotFoundError as exc:
                raise _unknown(query_id) from exc

    def remember(self, query_id: str, box: Box, vector: NDArray[np.float32]) -> None:
        """Keep the vector of a further box; a query that is gone, or a full disk, keeps none."""
        with contextlib.suppress(UnknownQuery, OSError):
            stored = self.get(query_id)
            if len(stored.vectors) < MAX_VECTORS:
                stored.vectors[box] = vector
                with self._lock:
                    if query_id in self._known:
                        _write(self._facts(query_id), _to_json(stored))

    def expires_at(self, query: StoredQuery) -> float:
        """When a query is forgotten, seconds since the epoch."""
        return query.created_at + self._ttl_s

    def delete(self, query_id: str) -> bool:
        """Forget a query and its picture; False if there was none."""
        with self._lock:
            self._forget()
            known = query_id in self._known
            if known:
                self._remove(query_id)
        return known

    def _forget(self) -> None:
        total_bytes = sum(size for _, size in self._known.values())
        while self._known:
            query_id, (created_at, size) = next(iter(self._known.items()))
            young = created_at + self._ttl_s > self._now()
            few = len(self._known) <= self._max_queries
            if young and few and (total_bytes <= self._max_bytes or len(self._known) == 1):
                return
            self._remove(query_id)
            total_bytes -= size

    def _remove(self, query_id: str) -> None:
        self._known.pop(query_id, None)
        for path in (self._facts(query_id), self._picture(query_id)):
            path.unlink(missing_ok=True)

    def _facts(self, query_id: str) -> Path:
        return self._folder / f"{query_id}.json"

    def _picture(self, query_id: str) -> Path:
        return self._folder / f"{query_id}.picture"

    def _read_folder(self) -> OrderedDict[str, tuple[float, int]]:
        """What an earlier process left; halves of queries and temporary files are removed."""
        found: list[tuple[float, str, int]] = []
        for path in self._folder.glob("*") if self._folder.is_dir() else ():
            if path.suffix == ".json" and QUERY_ID.fullmatch(path.stem):
                picture = self._picture(path.stem)
                size = picture.stat().st_size if picture.exists() else 0
                found.append((path.stat().st_mtime, path.stem, size))
            elif path.suffix == ".half" or (
                path.suffix == ".picture" and not self._facts(path.stem).exists()
            ):
                path.unlink(missing_ok=True)
        known: OrderedDict[str, tuple[float, int]] = OrderedDict()
        for written_at, query_id, size in sorted(found):
            try:
                created_at = _from_json(self._facts(query_id).read_bytes()).created_at
            except (OSError, ValueError, KeyError):
                created_at = written_at - self._ttl_s
            known[query_id] = (created_at, size)
        return OrderedDict(sorted(known.items(), key=lambda item: item[1][0]))


def _write(path: Path, data: bytes) -> None:
    half = path.with_suffix(".half")
    try:
        with open(half, "wb", opener=_private) as file:
            file.write(data)
        half.replace(path)
    except OSError:
        half.unlink(missing_ok=True)
        raise


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _unknown(query_id: str) -> UnknownQuery:
    return UnknownQuery(
        "No stored query has this query_id; it was deleted, is too old or never was.",
        query_id=query_id[:80],
    )


def _to_json(query: StoredQuery) -> bytes:
    body = {
        "format": QUERY_FORMAT,
        "query_id": query.query_id,
        "created_at": query.created_at,
        "models": query.models,
        "image_key": query.image_key,
        "size_bytes": query.size_bytes,
        "size_wh": query.size_wh,
        "objects": [[d.box_xyxy, d.label, d.confidence] for d in query.objects],
        "truncated": query.truncated,
        "searched_box": query.searched_box,
        "vectors": [[box, _vector_text(vector)] for box, vector in query.vectors.items()],
    }
    return json.dumps(body).encode()


def _from_json(body: bytes) -> StoredQuery:
    fields: dict[str, Any] = json.loads(body)
    if fields["format"] != QUERY_FORMAT:
        raise ValueError(f"query format {fields['format']!r}, expected {QUERY_FORMAT}")
    return StoredQuery(
        query_id=fields["query_id"],
        created_at=fields["created_at"],
        models=fields["models"],
        image_key=fields["image_key"],
        size_bytes=fields["size_bytes"],
        size_wh=(fields["size_wh"][0], fields["size_wh"][1]),
        objects=tuple(Detection(_box(b), label, score) for b, label, score in fields["objects"]),
        truncated=fields["truncated"],
        searched_box=_box(fields["searched_box"]),
        vectors={_box(box): _vector(text) for box, text in fields["vectors"]},
    )


def _box(sides: list[float]) -> Box:
    x1, y1, x2, y2 = sides
    return (x1, y1, x2, y2)


def _vector_text(vector: NDArray[np.float32]) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def _vector(text: str) -> NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(text), dtype="<f4").astype(np.float32)
