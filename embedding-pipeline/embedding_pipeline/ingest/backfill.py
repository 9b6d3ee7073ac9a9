"""Bringing a whole source in: list, compare, read, run the models, write.

Reading, model work and writing overlap. Whatever happens, killing included, the next run
works off the difference that is left.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

from embedding_pipeline.errors import IngestError
from embedding_pipeline.ingest import patience
from embedding_pipeline.ingest.bulk_size import BulkSize
from embedding_pipeline.ingest.ledger import Ledger, LedgerRow, metadata_text
from embedding_pipeline.ingest.ledger_rows import Known
from embedding_pipeline.ingest.library import Models
from embedding_pipeline.ingest.modelling import Loaded, Modelling
from embedding_pipeline.ingest.progress import Progress
from embedding_pipeline.ingest.result_spool import ResultSpool
from embedding_pipeline.ingest.shelving import Incoming, Shelf, Shelved
from embedding_pipeline.ingest.source_items import (
    Problem,
    Source,
    SourceItem,
    SourceProblem,
    State,
    readable,
)
from embedding_pipeline.ingest.stages import in_background, read_ahead
from minio_proxy.records import Place, RecordPart

READ_THREADS = 4
HELD_BYTES = 128 * 1024 * 1024
"""Most bytes of files that are read ahead, and again that wait to be written."""
UNKNOWN_BYTES = HELD_BYTES // 8
"""What a file counts as whose size only reading it will tell."""
BULK_PICTURES = 512
BULK_WAIT_S = 2.0
_EXCHANGED = Problem(
    "failed", "index", "the models were exchanged meanwhile", "model_mismatch", retryable=True
)


class Backfill:
    """The work of one run, after the plan is made.

    Args:
        source: where items are read.
        ledger: where their states are kept.
        spool: where results of model work wait for the index.
        shelf: where pictures are written.
        models: runs the pipeline; may be called from several threads.
        progress: counts for displays.
        collection: to put pictures in; None for none.
        batch_pictures: pictures in one batch of model work.
        stop: set by whoever wants the run to end after the batch in flight.
        in_place: originals stay where they are, and records point there.
    """

    def __init__(
        self,
        *,
        source: Source,
        ledger: Ledger,
        spool: ResultSpool,
        shelf: Shelf,
        models: Models,
        progress: Progress,
        collection: str | None,
        batch_pictures: int,
        stop: threading.Event,
        in_place: bool = False,
    ) -> None:
        self._source = source
        self._ledger = ledger
        self._spool = spool
        self._shelf = shelf
        self._progress = progress
        self._collection = collection
        self._batch_pictures = batch_pictures
        self._stop = stop
        self._in_place = in_place
        self._modelling = Modelling(
            spool=spool,
            shelf=shelf,
            models=models,
            progress=progress,
            batch_pictures=batch_pictures,
            stop=stop,
        )

    def work_off(self) -> None:
        """Bring every planned item into its state, or as many as there are until stop is set.

        Raises:
            IngestError: the store or index is full, refuses or stays away; what is done is
                kept and what is not is left for the next run.
        """
        bulk = BulkSize(self._batch_pictures, BULK_PICTURES)
        waiting: list[Loaded] = []
        since = time.monotonic()
        with in_background(self._modelling.parts(self._parts(self._read()))) as parts:
            for part in parts:
                waiting += part
                late = time.monotonic() - since > BULK_WAIT_S
                heavy = sum(len(one.data) for one in waiting) > HELD_BYTES
                if late or heavy or len(waiting) >= bulk.size:
                    began = time.monotonic()
                    self._write(waiting)
                    bulk.measured(len(waiting), time.monotonic() - began)
                    waiting, since = [], time.monotonic()
        self._write(waiting)

    def _read(self) -> Iterator[Loaded]:
        def planned() -> Iterator[SourceItem]:
            for item in self._ledger.planned():
                if self._stop.is_set():
                    return
                yield item

        return read_ahead(
            planned(),
            self._load,
            threads=READ_THREADS,
            weight=_weight,
            budget=HELD_BYTES,
        )

    def _load(self, item: SourceItem) -> Loaded:
        if item.problem is not None:
            return Loaded(item, problem=item.problem)
        try:
            with self._progress.busy("read"):
                loaded = self._source.load(item)
                key = hashlib.sha256(loaded.data).hexdigest()
        except SourceProblem as exc:
            return Loaded(item, problem=exc.problem)
        seen = SourceItem(item.path, loaded.version, len(loaded.data), item.metadata)
        return Loaded(seen, loaded.data, key, stamp=loaded.stamp)

    def _parts(self, loaded: Iterator[Loaded]) -> Iterator[list[Loaded]]:
        while part := list(islice(loaded, self._modelling.part_pictures)):
            yield part

    def _write(self, batch: Sequence[Loaded]) -> None:
        """Write one bulk and note every item's state."""
        if not batch:
            return
        with self._progress.busy("write"):
            fit = [one for one in batch if one.problem is None]
            shelved = dict(zip((one.item.path for one in fit), self._shelve(fit), strict=True))
            rows = self._rows(batch, shelved)
            self._ledger.write(rows)
            self._spool.drop(one.image_key for one in batch if one.image_key)
        for row in rows:
            if row.state != "gone":
                self._progress.finished(row.state, row.objects if row.state == "indexed" else 0)

    def _rows(self, batch: Sequence[Loaded], shelved: dict[str, Shelved]) -> list[LedgerRow]:
        rows: list[LedgerRow] = []
        first_of: dict[str, str] = {}
        known = self._ledger.known((one.item.path, one.image_key or "") for one in batch)
        for one in batch:
            row = self._row(one, shelved.get(one.item.path), known[one.item.path], first_of)
            if row.state == "indexed" and row.image_key:
                first_of[row.image_key] = one.item.path
            rows.append(row)
        return rows

    def _shelve(self, fit: Sequence[Loaded]) -> list[Shelved]:
        """Write pictures; waits for a store or index that is away, ends the run if it stays."""
        shelved = self._shelf.write([self._incoming(one) for one in fit])
        for attempt in range(patience.UNAVAILABLE_TRIES):
            again = [n for n, one in enumerate(shelved) if _is_open(one)]
            if not again:
                break
            if any(shelved[n].problem for n in again):
                patience.wait(attempt, self._stop)
            redo = [self._incoming(self._freshly_modelled(fit[n], shelved[n])) for n in again]
            for position, done in zip(again, self._shelf.write(redo), strict=True):
                shelved[position] = done
        _check_possible(shelved)
        return [replace(one, problem=_EXCHANGED) if one.needs_models else one for one in shelved]

    def _freshly_modelled(self, one: Loaded, shelved: Shelved) -> Loaded:
        """Model work for a picture that the index lacks now.

        It was deleted since it was looked at, or its result is of models that were exchanged.
        """
        if not shelved.needs_models or one.image_key is None:
            return one
        return self._modelling.anew(one)

    def _incoming(self, one: Loaded) -> Incoming:
        part = RecordPart(
            source=self._source.name,
            path=readable(one.item.path),
            collection=self._collection,
            metadata=one.item.metadata,
            taken_at=None,
            added_at=datetime.now(UTC),
            place=self._place(one),
        )
        return Incoming(one.image_key or "", one.data, part, one.result)

    def _place(self, one: Loaded) -> Place | None:
        root = self._source.root
        if not self._in_place or root is None:
            return None
        return Place(root, one.item.path, len(one.data), one.stamp)

    def _row(
        self, one: Loaded, shelved: Shelved | None, known: Known, first_of: dict[str, str]
    ) -> LedgerRow:
        row = LedgerRow(
            path=one.item.path,
            version=one.item.version,
            metadata=metadata_text(one.item.metadata),
            state="indexed",
            image_key=one.image_key,
        )
        problem = one.problem or (shelved.problem if shelved else None)
        if problem is not None:
            return replace(
                row,
                state=problem.state,
                stage=problem.stage,
                reason=problem.reason,
                code=problem.code,
                retryable=problem.retryable,
            )
        if shelved is None or one.image_key is None:
            raise IngestError(f"{readable(one.item.path)} was neither written nor refused")
        other = self._same_as(one.image_key, shelved, known, first_of)
        state: State = "indexed" if other is None else "duplicate"
        return replace(row, state=state, objects=shelved.objects, duplicate_of=other)

    def _same_as(
        self, image_key: str, shelved: Shelved, known: Known, first_of: dict[str, str]
    ) -> str | None:
        """What a picture is a duplicate of: another path, ``stored``, or nothing."""
        before = known.row
        if before and before.image_key == image_key and before.state == "indexed":
            return None
        other = first_of.get(image_key) or known.other
        if other is not None:
            return readable(other)
        sources = shelved.record.sources if shelved.record else ()
        brought_elsewhere = any(name != self._source.name for name, _ in sources)
        return "stored" if shelved.stored_before and brought_elsewhere else None


def _weight(item: SourceItem) -> int:
    if item.problem is not None:
        return 0
    return UNKNOWN_BYTES if item.size_bytes is None else item.size_bytes


def _is_open(one: Shelved) -> bool:
    return one.needs_models or (one.problem is not None and one.problem.code in patience.WAIT_CODES)


def _check_possible(shelved: Sequence[Shelved]) -> None:
    """End the run where going on could only fail the same way for every picture."""
    for one in shelved:
        if one.problem is not None and one.problem.code in patience.ENDING_CODES:
            raise patience.run_ends(one.problem.reason, one.problem.code)
