"""One run of a backfill from beginning to end: lock, plan, work, deletes, sums."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.errors import IngestError
from embedding_pipeline.ingest.backfill import Backfill
from embedding_pipeline.ingest.key_locks import only_one
from embedding_pipeline.ingest.ledger import Ledger
from embedding_pipeline.ingest.library import Models
from embedding_pipeline.ingest.mending import Mender
from embedding_pipeline.ingest.progress import MERGING, Progress
from embedding_pipeline.ingest.reconcile import (
    Judge,
    KeySet,
    Plan,
    compared_keys,
    make_plan,
    sort_keys,
)
from embedding_pipeline.ingest.removing import Removed, Removing
from embedding_pipeline.ingest.result_spool import ResultSpool
from embedding_pipeline.ingest.run_report import RunReport
from embedding_pipeline.ingest.settling import Knowledge, Settling
from embedding_pipeline.ingest.shelving import Shelf
from embedding_pipeline.ingest.source_items import Source
from embedding_pipeline.ports.index import ObjectIndex
from minio_proxy.originals import Originals
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
        in_place: leave originals where they are; records point there.
    """

    collection: str | None = None
    checksum: bool = False
    retry_failed: bool = False
    dry_run: bool = False
    delete: bool = False
    force_delete: bool = False
    delete_share: float = 0.1
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class IngestRoom:
    """What every run works with; bootstrap fills it.

    Args:
        folder: where ledgers, locks and spool lie.
        originals: lists image keys and what changed behind the index's back.
        index: gives the open active version.
        shelf: writes pictures.
        models: runs the pipeline with the backfill's priority.
        description: of these models.
        limits: of size and pixels.
        mender: brings the index in step with what is stored.
        allow_root: records a source that originals may be left in.
        progress: counts for displays and status.
        batch_pictures: pictures in one batch of model work.
    """

    folder: Path
    originals: Originals
    index: Callable[[], ObjectIndex]
    shelf: Shelf
    models: Models
    description: ModelDescription
    limits: Limits
    mender: Mender
    allow_root: Callable[[str], None]
    progress: Progress = field(default_factory=Progress)
    batch_pictures: int = 8


def ingest(
    source: Source,
    options: IngestOptions,
    room: IngestRoom,
    stop: threading.Event | None = None,
    only: Sequence[str] | None = None,
) -> RunReport:
    """Bring a source in, or as much of it as there is until ``stop`` is set.

    Args:
        source: where pictures come from.
        options: what to do.
        room: what to work with.
        stop: set by another thread or a signal handler; the batch in flight is finished.
        only: paths of files and folders to look at; None for the whole source.

    Returns:
        What was done; its sums agree.

    Raises:
        IngestError: another run holds the data folder, the source cannot be listed, the
            store or index is full or stays away, or a delete met its brake.
    """
    stop = stop or threading.Event()
    with only_one(room.folder / "ingest.lock", f"ingest of {source.name}"):
        run = _Run(source, options, room, stop, only)
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
        self,
        source: Source,
        options: IngestOptions,
        room: IngestRoom,
        stop: threading.Event,
        only: Sequence[str] | None,
    ) -> None:
        self._source = source
        self._options = options
        self._room = room
        self._stop = stop
        self._only = only
        self._ledger = Ledger(ledger_path(room.folder, source.name, options.collection))
        self._ledger.set_facts({"source": source.name, "collection": options.collection})
        self._spool = ResultSpool(room.folder / "spool.sqlite", room.description)
        self._settling = Settling(
            originals=room.originals,
            index=room.index,
            mender=room.mender,
            spool=self._spool,
            batch_pictures=room.batch_pictures,
            stop=stop,
        )

    def go(self) -> RunReport:
        self._room.progress.begin()
        if not self._options.dry_run:
            # First, so that what was deleted and is still in the source counts as missing.
            self._settling.noted()
        was_complete = self._ledger.fact("complete") == self._fingerprint()
        with self._knowledge(was_complete=was_complete) as knowledge:
            plan = self._plan(knowledge)
            self._room.progress.planned(plan.todo, complete=True)
            if self._options.dry_run:
                return self._report(plan, Removed(0))
            self._removing().check(plan.gone, listed_none=self._only is None and not plan.found)
            self._begin_work(plan)
            if plan.todo:
                self._backfill().work_off()
            self._settling.compared(
                knowledge,
                removable_share=1.0 if self._options.force_delete else self._options.delete_share,
            )
        removed = self._removing().run(self._stop)
        if plan.todo or removed.pictures or self._settling.settled.changed:
            self._room.index().make_searchable()
            if self._only is None:
                with self._room.progress.waiting(MERGING):
                    self._room.index().optimize()
        report = self._report(plan, removed)
        self._end(report, was_complete=was_complete)
        return report

    def _begin_work(self, plan: Plan) -> None:
        if self._options.in_place:
            if self._source.root is None:
                raise IngestError(f"originals cannot be left in {self._source.name}")
            self._room.allow_root(self._source.root)
        # Until the end of the run the counts of the index prove nothing.
        self._ledger.set_facts({"complete": None})
        if plan.gone:
            for row in self._ledger.planned_gone():
                self._ledger.mark_gone(row)

    def _end(self, report: RunReport, *, was_complete: bool) -> None:
        if self._only is None:
            report.check_sums()
        if report.interrupted or report.settled.refusal or report.settled.unfinished:
            return
        if self._only is None:
            how = {"limits": repr(self._room.limits), "manner": self._manner()}
            self._ledger.set_facts({"complete": self._fingerprint(), **how})
        elif was_complete:
            self._ledger.set_facts({"complete": self._fingerprint()})

    def _manner(self) -> str:
        return "in place" if self._options.in_place else "copied"

    def _plan(self, knowledge: Knowledge) -> Plan:
        manner = self._ledger.fact("manner")
        judge = Judge(
            # Where originals lie is another now: each is looked at again.
            checksum=self._options.checksum or manner not in {None, self._manner()},
            retry_failed=self._options.retry_failed,
            recheck_rejected=self._ledger.fact("limits") != repr(self._room.limits),
            is_complete=knowledge.is_complete,
        )
        return make_plan(
            self._source,
            self._ledger,
            judge,
            lambda todo: self._room.progress.planned(todo, complete=False),
            self._only,
        )

    @contextmanager
    def _knowledge(self, *, was_complete: bool) -> Iterator[Knowledge]:
        """What is stored and indexed, and what only one side has.

        An index that holds as many pictures as at the end of the last complete run, in the
        same version, is taken to hold the same ones; else all keys are compared.
        """
        if was_complete:
            yield Knowledge(lambda _: True)
        elif self._only is not None:
            yield Knowledge(lambda key: self._room.shelf.objects_of(key) is not None)
        else:
            sides = compared_keys(self._room.originals, self._room.index())
            with (
                closing(KeySet(())) as both,
                closing(KeySet(())) as lost,
                closing(KeySet(())) as new,
            ):
                sort_keys(sides, both=both, index=lost, store=new)
                yield Knowledge(both.__contains__, stored_only=new, indexed_only=lost)

    def _fingerprint(self) -> str:
        index = self._room.index()
        return f"{index.version.name} {index.count().pictures}"

    def _backfill(self) -> Backfill:
        room = self._room
        return Backfill(
            source=self._source,
            ledger=self._ledger,
            spool=self._spool,
            shelf=room.shelf,
            models=room.models,
            progress=room.progress,
            collection=self._options.collection,
            batch_pictures=room.batch_pictures,
            stop=self._stop,
            in_place=self._options.in_place,
        )

    def _removing(self) -> Removing:
        return Removing(
            self._ledger,
            self._room.shelf,
            self._source.name,
            share=self._options.delete_share,
            wanted=self._options.delete,
            forced=self._options.force_delete,
        )

    def _report(self, plan: Plan, removed: Removed) -> RunReport:
        counts = self._ledger.count()
        worked = self._room.progress.snapshot()
        return RunReport(
            source=self._source.name,
            collection=self._options.collection,
            found=plan.found,
            states={state: count for state, count in counts.items() if state != "gone"},
            worked=worked.states,
            gone=plan.gone if self._options.dry_run else removed.left,
            deleted=removed.pictures,
            refusal=removed.refusal,
            settled=self._settling.settled,
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
