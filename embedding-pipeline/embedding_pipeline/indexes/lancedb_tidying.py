"""Keeps a LanceDB table quick and small: compaction, pruning, indexes."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from pathlib import Path

import lancedb
from lancedb.index import Bitmap, BTree, IvfFlat, LabelList

from embedding_pipeline.domain.description import EmbedderDescription
from embedding_pipeline.errors import IndexError_
from embedding_pipeline.indexes.lancedb_errors import is_conflict, lancedb_errors
from embedding_pipeline.indexes.lancedb_state import locked_file
from embedding_pipeline.indexes.lancedb_vectors import PARTITIONS, VECTOR_INDEX, lance_metric
from embedding_pipeline.indexes.lancedb_writes import Follower, write_lock

VECTOR_INDEX_FROM_ROWS = 5_000
"""Below this many rows the table is scanned as it lies, which takes 20 ms here."""

QUICK_TABLE_ROWS = 50_000
"""A table below this is tidied in less than a second, so writers can wait for it."""

COMMITS_BEFORE_TIDYING = 64
SMALL_TABLE_ROWS = 20_000
GROWTH_BEFORE_TIDYING = 0.25
MOST_NEW_ROWS = 30_000
MOST_COMMITS = 512
"""Merging rewrites the table: a small one whenever there were some commits, a large one only
after it has grown by a share (so a backfill rewrites each row a few times), or when so much is new
that to scan it takes a tenth of a second."""

OPTIMISTIC_TRIES = 3
KEEP_OLD_FILES = timedelta(seconds=60)
"""Longer than any search takes, so that a reader never loses the files it reads."""

_SCALAR_INDEXES = {
    "object_id": BTree,
    "image_key": BTree,
    "kind": Bitmap,
    "label": Bitmap,
    "collections": LabelList,
    "metadata_terms": LabelList,
}

_log = logging.getLogger(__name__)


class Tidying:
    """Tidies a table, on request or in a thread of its own after many small writes.

    Args:
        table: the open table.
        embedder: decides the metric of the vector index.
        folder: the catalog's folder, for locks and messages.
        name: the version's name.
        follower: told when it was tidied under the writers' lock.
    """

    def __init__(
        self,
        table: lancedb.table.Table,
        embedder: EmbedderDescription,
        folder: Path,
        name: str,
        follower: Follower,
    ) -> None:
        self._table = table
        self._embedder = embedder
        self._folder = folder
        self._name = name
        self._follower = follower
        self._lock = threading.Lock()
        self._commits = 0
        self._new_rows = 0
        self._thread: threading.Thread | None = None

    def wrote(self, rows: int) -> None:
        """Count a commit; after enough of them tidying starts in the background."""
        if not rows:
            return
        with self._lock:
            self._commits += 1
            self._new_rows += rows
            if self._commits < COMMITS_BEFORE_TIDYING or self._busy() or not self._due():
                return
            self._commits, self._new_rows = 0, 0
            self._thread = threading.Thread(target=self._run_quietly, name="index-tidying")
            self._thread.start()

    def _due(self) -> bool:
        total = self._table.count_rows()
        grown = self._new_rows >= min(GROWTH_BEFORE_TIDYING * total, MOST_NEW_ROWS)
        return total <= SMALL_TABLE_ROWS or grown or self._commits >= MOST_COMMITS

    def run(self) -> None:
        """Build missing indexes, merge small files, drop old ones, index what is new.

        Writers wait while a table is tidied that takes less than a second, so that who holds it in
        memory knows that nothing else changed it. In a larger one a write that comes between
        undoes the merge; after some tries writers have to wait there too.
        """
        with locked_file(self._folder / f"{self._name}.tidying.lock"):
            if self._table.count_rows() >= QUICK_TABLE_ROWS and self._tidy_beside_writers():
                return
            with locked_file(write_lock(self._folder, self._name)):
                before = int(self._table.version)
                with self._follower.changing(before):
                    self._tidy()
                    self._follower.was_tidied(before, int(self._table.version))

    def _tidy_beside_writers(self) -> bool:
        """True: done; False: a write came between each time."""
        for _ in range(OPTIMISTIC_TRIES):
            try:
                self._tidy()
            except RuntimeError as exc:
                if not is_conflict(exc):
                    raise
            else:
                return True
        return False

    def _tidy(self) -> None:
        self._build_missing()
        self._table.optimize(cleanup_older_than=KEEP_OLD_FILES)

    def close(self) -> None:
        """Wait until tidying in the background has ended."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _run_quietly(self) -> None:
        try:
            with lancedb_errors(f"{self._folder} ({self._name})"):
                self.run()
        except IndexError_ as error:
            # Nothing is lost: the next writes start it again.
            _log.warning("Tidying the index did not finish: %s", error.message)

    def _build_missing(self) -> None:
        rows = self._table.count_rows()
        if not rows:
            return
        present = {index.name: index.index_type for index in self._table.list_indices()}
        for column, kind in _SCALAR_INDEXES.items():
            if f"{column}_idx" not in present:
                self._table.create_index(column, config=kind(), name=f"{column}_idx")
        if rows >= VECTOR_INDEX_FROM_ROWS and present.get(VECTOR_INDEX) != "IvfFlat":
            metric = lance_metric(self._embedder)
            config = IvfFlat(metric, PARTITIONS, max_iterations=10, sample_rate=32)
            self._table.create_index("vector", config=config, name=VECTOR_INDEX)
