"""One run of a backfill from beginning to end: lock, plan, work, deletes, sums."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.errors import IngestError
from embedding_pipeline.ingest.backfill import Backfill
from embedding_pipeline.ingest.key_locks import only_one
from embedding_pipeline.ingest.ledger import Ledger
from embedding_pipeline.ingest.library import Models
from embedding_pipeline.ingest.progress import Progress
from embedding_pipeline.ingest.reconcile import (
    Judge,
    KeySet,
    Plan,
    StoredKeys,
    complete_keys,
    make_plan,
)
from embedding_pipeline.ingest.result_spool import ResultSpool
from embedding_pipeline.ingest.run_report import RunReport
from embedding_pipeline.ingest.shelving import Shelf
from embedding_pipeline.ingest.source_items import Source, readable
from embedding_pipeline.ports.index import ObjectIndex
from minio_proxy.picture.header import Limits


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """What a run is asked to do.

    Args:
        collection: to put the pictures in; None for none.
        checksum: read every file again instead of trusting size and time.
        retry_failed: also try again what failed before.
        dry_run: only say what would be done.
        delete: remove pictures that this source alone brought and no longer has.
        force_delete: even when the source is empty or more than the share is gone.
        delete_share: largest share of the ledger that a run may remove.
    """

    collection: str | None = None
    checksum: bool = False
    retry_failed: bool = False
    dry_run: bool = False
    delete: bool = False
    force_delete: bool = False
    delete_share: float = 0.1


@dataclass(frozen=True, slots=True)
class IngestRoom:
    """What every run works with; bootstrap fills it.

    Args:
        folder: where ledgers, locks and spool lie.
        originals: lists image keys.
        index: gives the open active version.
        shelf: writes pictures.
        models: runs the pipeline with the backfill's priority.
        description: of these models.
        limits: of size and pixels.
        progress: counts for displays and status.
        batch_pictures: pictures in one batch of model work.
    """

    folder: Path
    originals: StoredKeys
    index: Callable[[], ObjectIndex]
    shelf: Shelf
    models: Models
    description: ModelDescription
    limits: Limits
    progress: Progress = field(default_factory=Progress)
    batch_pictures: int = 8


def ingest(
    source: Source, options: IngestOptions, room: IngestRoom, stop: threading.Event | None = None
) -> RunReport:
    """Bring a source in, or as much of it as there is until ``stop`` is set.

    Args:
        source: where pictures come from.
        options: what to do.
        room: what to work with.
        stop: set by another thread or a signal handler; the batch in flight is finished.

    Returns:
        What was done; its sums agree.

    Raises:
        IngestError: another run holds the data folder, the source cannot be listed, the
            store or index is full or stays away, or a delete met its brake.
    """
    stop = stop or threading.Event()
    with only_one(room.folder / "ingest.lock", f"ingest of {source.name}"):
        run = _Run(source, options, room, stop)
        try:
            return run.go()
        finally:
            room.progress.end()


def ledger_path(folder: Path, source_name: str, collection: str | None) -> Path:
    """File of the ledger of one source and collection."""
    text = f"{source_name}\n{collection or ''}"
    return folder / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.sqlite"


class _Run:
    def __init__(
        self, source: Source, options: IngestOptions, room: IngestRoom, stop: threading.Event
    ) -> None:
        self._source = source
        self._options = options
        self._room = room
        self._stop = stop
        self._ledger = Ledger(ledger_path(room.folder, source.name, options.collection))
        self._ledger.set_facts({"source": source.name, "collection": options.collection})

    def go(self) -> RunReport:
        progress = self._room.progress
        progress.begin()
        plan = self._plan()
        progress.planned(plan.todo, complete=True)
        if self._options.dry_run:
            return self._report(plan, deleted=0)
        self._check_brake(plan)
        # Until the end of the run the counts of the index prove nothing.
        self._ledger.set_facts({"complete": None})
        deleted = self._gone()
        if plan.todo:
            self._backfill().work_off()
        if plan.todo or deleted:
            self._room.index().make_searchable()
            self._room.index().optimize()
        report = self._report(plan, deleted)
        report.check_sums()
        if not report.interrupted:
            self._ledger.set_facts(
                {"complete": self._fingerprint(), "limits": repr(self._room.limits)}
            )
        return report

    def _plan(self) -> Plan:
        with self._complete() as is_complete:
            judge = Judge(
                checksum=self._options.checksum,
                retry_failed=self._options.retry_failed,
                recheck_rejected=self._ledger.fact("limits") != repr(self._room.limits),
                is_complete=is_complete,
            )
            return make_plan(
                self._source,
                self._ledger,
                judge,
                lambda todo: self._room.progress.planned(todo, complete=False),
            )

    @contextmanager
    def _complete(self) -> Iterator[Callable[[str], bool]]:
        """Tell which pictures are stored and indexed.

        An index that holds as many pictures as at the end of the last complete run, in the
        same version, is taken to hold the same ones; else all keys are compared.
        """
        if self._ledger.fact("complete") == self._fingerprint():
            yield lambda _: True
            return
        with closing(KeySet(complete_keys(self._room.originals, self._room.index()))) as keys:
            yield keys.__contains__

    def _fingerprint(self) -> str:
        index = self._room.index()
        return f"{index.version.name} {index.count().pictures}"

    def _backfill(self) -> Backfill:
        room = self._room
        return Backfill(
            source=self._source,
            ledger=self._ledger,
            spool=ResultSpool(room.folder / "spool.sqlite", room.description),
            shelf=room.shelf,
            models=room.models,
            progress=room.progress,
            collection=self._options.collection,
            batch_pictures=room.batch_pictures,
            stop=self._stop,
        )

    def _check_brake(self, plan: Plan) -> None:
        """Refuse a delete that looks like an unmounted folder."""
        if not self._options.delete or self._options.force_delete or not plan.gone:
            return
        known = sum(self._ledger.count().values())
        if not plan.found or plan.gone > known * self._options.delete_share:
            raise IngestError(
                f"{plan.gone:,} of {known:,} known pictures are missing in {self._source.name}, "
                f"more than {self._options.delete_share:.0%}; nothing was removed. Is it mounted? "
                "If they are to be removed, run again with --force-delete.",
                gone=plan.gone,
                known=known,
            )

    def _gone(self) -> int:
        """Note or remove what the source no longer has; returns how many pictures went."""
        deleted = 0
        for row in self._ledger.planned_gone():
            if self._stop.is_set():
                break
            self._ledger.mark_gone(row)
            if self._options.delete and row.state not in {"failed", "rejected"} and row.image_key:
                deleted += self._room.shelf.remove_source(
                    row.image_key, self._source.name, readable(row.path)
                )
                self._ledger.forget([row.path])
        return deleted

    def _report(self, plan: Plan, deleted: int) -> RunReport:
        counts = self._ledger.count()
        worked = self._room.progress.snapshot()
        return RunReport(
            source=self._source.name,
            collection=self._options.collection,
            found=plan.found,
            states={state: count for state, count in counts.items() if state != "gone"},
            worked=worked.states,
            gone=plan.gone,
            deleted=deleted,
            objects=worked.objects,
            elapsed_s=worked.elapsed_s,
            interrupted=self._stop.is_set() and worked.done < plan.todo,
            dry_run=self._options.dry_run,
            plan={
                "new": plan.new,
                "changed": plan.changed,
                "retried": plan.retried,
                "unchanged": plan.unchanged.total(),
            },
        )
