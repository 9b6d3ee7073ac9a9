"""Writes to a LanceDB table: a picture is replaced as a whole, by one commit."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import lancedb
import pyarrow as pa

from embedding_pipeline.domain.entries import PictureEntries
from embedding_pipeline.indexes.lancedb_errors import is_conflict
from embedding_pipeline.indexes.lancedb_rows import any_of_sql, rows_of
from embedding_pipeline.indexes.lancedb_state import locked_file

PICTURES_A_COMMIT = 500
ATTEMPTS = 8

Result = TypeVar("Result")


def write_lock(folder: Path, name: str) -> Path:
    """Path of the file that writers of a version lock in turn."""
    return folder / f"{name}.lock"


class Follower(Protocol):
    """Is told of this process's changes under the lock, so that it need not read the table."""

    def changing(self, before: int) -> AbstractContextManager[None]:
        """While the block lasts nobody else changes the table, which had this version."""
        ...

    def wrote(self, before: int, image_keys: Sequence[str], rows: pa.Table) -> None:
        """One commit on this version put these rows in place of all there were of pictures."""
        ...

    def was_tidied(self, before: int, after: int) -> None:
        """These two versions hold the same entries."""
        ...


class Writer:
    """Puts and deletes pictures; writers of all processes take turns by a lock file.

    Without the lock two merges that insert the same new id could both succeed, and the
    entry would be there twice.

    Args:
        table: the open table.
        dimension: length of a vector.
        lock: path of the lock file.
        follower: told of each change.
    """

    def __init__(
        self,
        table: lancedb.table.Table,
        dimension: int,
        lock: Path,
        follower: Follower,
    ) -> None:
        self._table = table
        self._dimension = dimension
        self._lock = lock
        self._follower = follower

    def put(self, pictures: Sequence[PictureEntries]) -> int:
        """Replace all entries of each picture; returns how many entries were written."""
        written = 0
        for start in range(0, len(pictures), PICTURES_A_COMMIT):
            part = pictures[start : start + PICTURES_A_COMMIT]
            keys, rows = [one.image_key for one in part], rows_of(part, self._dimension)
            with locked_file(self._lock):
                self._change(keys, rows, partial(self._merge, keys, rows))
            written += sum(len(picture.entries) for picture in part)
        return written

    def delete(self, image_keys: Sequence[str]) -> int:
        """Remove pictures; returns how many were there."""
        removed = 0
        for start in range(0, len(image_keys), PICTURES_A_COMMIT):
            keys = image_keys[start : start + PICTURES_A_COMMIT]
            condition = any_of_sql("image_key", keys)
            with locked_file(self._lock):
                found = self._table.search().where(condition).select(["image_key"]).to_arrow()
                if len(found):
                    nothing = rows_of([], self._dimension)
                    self._change(keys, nothing, partial(self._table.delete, condition))
            removed += len(found["image_key"].unique())
        return removed

    def _change(
        self, image_keys: Sequence[str], rows: pa.Table, change: Callable[[], object]
    ) -> None:
        before = int(self._table.version)
        with self._follower.changing(before):
            _retried(change)
            if int(self._table.version) == before + 1:  # else tidying came between
                self._follower.wrote(before, image_keys, rows)

    def _merge(self, image_keys: Sequence[str], rows: pa.Table) -> None:
        condition = any_of_sql("image_key", image_keys)
        merge = self._table.merge_insert("object_id").when_matched_update_all()
        merge = merge.when_not_matched_insert_all()
        if self._stale(condition, set(rows["object_id"].to_pylist())):
            # Only then: looking for entries to delete reads the keys of the whole table.
            merge = merge.when_not_matched_by_source_delete(condition)
        merge.execute(rows)

    def _stale(self, condition: str, new_ids: set[str]) -> bool:
        stored = self._table.search().where(condition).select(["object_id"]).to_arrow()
        return not new_ids.issuperset(stored["object_id"].to_pylist())


def _retried(change: Callable[[], Result]) -> Result:
    """Repeat a change that met a concurrent rewrite of the same files (tidying)."""
    for attempt in range(ATTEMPTS):
        try:
            return change()
        except (OSError, RuntimeError) as exc:
            if not is_conflict(exc) or attempt == ATTEMPTS - 1:
                raise
            time.sleep(random.uniform(0, 0.05 * 2**attempt))
    raise AssertionError("unreachable: the last attempt returns or raises")
