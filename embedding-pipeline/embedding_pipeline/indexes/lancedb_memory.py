"""When a small table is held in memory: a scan there is several times quicker than the table's."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import lancedb
import pyarrow as pa

from embedding_pipeline.domain.description import EmbedderDescription
from embedding_pipeline.indexes.lancedb_held_table import HeldTable
from embedding_pipeline.indexes.lancedb_revision import Revision
from embedding_pipeline.indexes.lancedb_rows import ENTRY_COLUMNS, vectors_of
from embedding_pipeline.indexes.lancedb_tidying import QUICK_TABLE_ROWS


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

_OVERDUE_S = 10.0
"""One that never rests is read all the same after so long, and then followed write by write."""

_log = logging.getLogger(__name__)


class Memory:
    """Holds a small table that has come to rest, and follows this process's writes. Thread-safe.

    Args:
        table: the open table, which looks for newer data at every call.
        revision: of the table.
        embedder: of the version; only unit vectors are held.
        holding: when.
    """

    def __init__(
        self,
        table: lancedb.table.Table,
        revision: Revision,
        embedder: EmbedderDescription,
        holding: Holding = USUAL,
    ) -> None:
        self._table = table
        self._revision = revision
        self._dimension = embedder.dimension
        unit = embedder.normalized and embedder.metric == "cosine"
        self._holds = unit and holding.most_bytes > 0
        self._quiet_s = self._rest_s = holding.quiet_s
        self._most_bytes = holding.most_bytes
        self._read_at = time.monotonic()
        self._lock = threading.Lock()
        self._seen: tuple[int, float] = (-1, 0.0)
        self._held: tuple[int, HeldTable | None] = (-1, None)
        self._changing: int | None = None
        self._reader: threading.Thread | None = None

    def entries(self) -> HeldTable | None:
        """What the table has now, or None: it is large, changes, or is being read."""
        if not self._holds:
            return None
        with self._lock:
            if self._changing == self._held[0]:  # not acknowledged yet, so the state before stands
                return self._held[1]
        version = self._revision()
        with self._lock:
            if self._held[0] == version:
                return self._held[1]
            if self._quiet_s <= 0:
                self._read()
                return self._held[1]
            now = time.monotonic()
            if self._seen[0] != version:
                self._seen = (version, now)  # what is held may be about to follow
            overdue = now - self._read_at >= max(_OVERDUE_S, self._rest_s)
            if (overdue or now - self._seen[1] >= self._rest_s) and not self._reading():
                self._read_at = now
                self._reader = threading.Thread(target=self._try, name="index-memory", daemon=True)
                self._reader.start()
        return None

    @contextmanager
    def changing(self, before: int) -> Iterator[None]:
        """What is held answers while the block lasts (see Follower)."""
        with self._lock:
            self._changing = before if self._held[1] is not None else None
        try:
            yield
        finally:
            with self._lock:
                self._changing = None

    def wrote(self, before: int, image_keys: Sequence[str], rows: pa.Table) -> None:
        """Follow a write of this process, so that what is held need not be read again.

        Args:
            before: version of the table that the write changed, by exactly one commit.
            image_keys: pictures that were replaced or removed.
            rows: what stands for them now.
        """
        seen = self._held
        version, held = seen
        if held is None or version != before:
            return
        follows: tuple[int, HeldTable | None] = (-1, None)
        if self._may_hold(len(held) + len(rows)):
            vectors = vectors_of(rows, self._dimension)
            follows = (before + 1, held.changed(image_keys, rows, vectors))
        with self._lock:
            if self._held is seen:
                self._held = follows

    def was_tidied(self, before: int, after: int) -> None:
        """Follow tidying, which changes no entry.

        Args:
            before: version of the table under the lock that every writer takes.
            after: version when it was tidied, still under that lock.
        """
        with self._lock:
            if self._held[0] == before:
                self._held = (after, self._held[1])

    def close(self) -> None:
        """Wait for what is being read, and let go."""
        reader = self._reader
        if reader is not None:
            reader.join()
        self._held = (-1, None)

    def _may_hold(self, rows: int) -> bool:
        return rows < QUICK_TABLE_ROWS and 4 * self._dimension * rows <= self._most_bytes

    def _reading(self) -> bool:
        return self._reader is not None and self._reader.is_alive()

    def _try(self) -> None:
        try:
            self._read()
        except Exception:  # noqa: BLE001 - told; the table answers by itself
            _log.exception("the index could not be read into memory")

    def _read(self) -> None:
        version = int(self._table.version)
        if not self._may_hold(self._table.count_rows()):
            self._held = (version, None)
            return
        began = time.monotonic()
        columns = self._table.search().select([*ENTRY_COLUMNS, "vector"]).to_arrow()
        held = HeldTable.of(columns, vectors_of(columns, self._dimension))
        self._rest_s = max(self._quiet_s, _REST_FOR_READING * (time.monotonic() - began))
        if int(self._table.version) == version:
            self._held = (version, held)
