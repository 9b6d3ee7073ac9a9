"""Results of model work that are not in the index yet, safe from kill -9.

Model work is what costs, writing comes in larger bulks. What the models made of a batch is
kept here at once, so that a killed run repeats no more than the batch it was working on.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.domain.entries import Detection
from embedding_pipeline.pipeline.tasks import PictureResult, Region

_SCHEMA = """
CREATE TABLE IF NOT EXISTS results (
  image_key TEXT PRIMARY KEY, facts TEXT NOT NULL, vectors BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS made_by (description TEXT NOT NULL);
"""


class ResultSpool:
    """Results by image key, of one model description.

    Args:
        path: an SQLite file; made on demand.
        description: of the models; results of others are thrown away.
    """

    def __init__(self, path: Path, description: ModelDescription) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._description = description
        text = json.dumps(description.to_json(), sort_keys=True)
        with closing(self._connect()) as connection, connection:
            connection.executescript(_SCHEMA)
            if connection.execute("SELECT description FROM made_by").fetchall() != [(text,)]:
                connection.execute("DELETE FROM results")
                connection.execute("DELETE FROM made_by")
                connection.execute("INSERT INTO made_by VALUES (?)", [text])

    def get(self, image_key: str) -> PictureResult | None:
        """A kept result; None when there is none."""
        return self.kept([image_key]).get(image_key)

    def kept(self, image_keys: Iterable[str]) -> dict[str, PictureResult]:
        """Those results that are kept, by key; one connection serves all."""
        with closing(self._connect()) as connection:
            found = {
                key: connection.execute(
                    "SELECT facts, vectors FROM results WHERE image_key = ?", [key]
                ).fetchone()
                for key in image_keys
            }
        return {
            key: replace(_result(key, *row), models=self._description)
            for key, row in found.items()
            if row is not None
        }

    def put(self, results: Mapping[str, PictureResult]) -> None:
        """Keep results that did not fail; all or none.

        Those of other models (they were exchanged during the run) are not kept.
        """
        rows = [
            (key, _facts(result), result.vectors.astype("<f4").tobytes())
            for key, result in results.items()
            if result.failure is None and self._is_ours(result)
        ]
        with closing(self._connect()) as connection, connection:
            connection.executemany("INSERT OR REPLACE INTO results VALUES (?, ?, ?)", rows)

    def drop(self, image_keys: Iterable[str]) -> None:
        """Forget results that are in the index now."""
        with closing(self._connect()) as connection, connection:
            connection.executemany(
                "DELETE FROM results WHERE image_key = ?", [[key] for key in image_keys]
            )

    def _is_ours(self, result: PictureResult) -> bool:
        return result.models is None or not self._description.differences(result.models)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=30)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection


def _facts(result: PictureResult) -> str:
    return json.dumps(
        {
            "size_wh": result.size_wh,
            "taken_at": result.taken_at.isoformat() if result.taken_at else None,
            "detections": [asdict(detection) for detection in result.detections],
            "truncated": result.truncated,
            "regions": [asdict(region) for region in result.regions],
            "dimension": int(result.vectors.shape[1]),
        }
    )


def _result(image_key: str, text: str, vectors: bytes) -> PictureResult:
    facts = json.loads(text)
    for part in (*facts["detections"], *facts["regions"]):
        for name in ("box", "box_xyxy"):
            if name in part:
                part[name] = tuple(part[name])
    taken_at = facts["taken_at"]
    return PictureResult(
        key=image_key,
        size_wh=tuple(facts["size_wh"]),
        taken_at=datetime.fromisoformat(taken_at) if taken_at else None,
        detections=tuple(Detection(**fields) for fields in facts["detections"]),
        truncated=facts["truncated"],
        regions=tuple(Region(**fields) for fields in facts["regions"]),
        vectors=np.frombuffer(vectors, "<f4").astype(np.float32).reshape(-1, facts["dimension"]),
    )
