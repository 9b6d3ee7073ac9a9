"""``boxseek ingest --watch``."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from embedding_pipeline.cli.display import Mode, shown
from embedding_pipeline.errors import IngestError
from embedding_pipeline.ingest.failures import LEDGERS
from embedding_pipeline.ingest.ingest_run import IngestOptions, IngestRoom, ingest, ledger_path
from embedding_pipeline.ingest.ledger import Ledger
from embedding_pipeline.ingest.run_report import RunReport, write_report
from embedding_pipeline.ingest.source_items import Source
from embedding_pipeline.ingest.watching import Watch
from embedding_pipeline.ingest.wording import counted
from embedding_pipeline.settings import Settings


def check_watchable(source: Source, options: IngestOptions) -> None:
    """Raise IngestError where watching makes no sense."""
    if source.watcher() is None:
        raise IngestError("--watch keeps a folder or a bucket in step; a list is read once")
    if options.dry_run:
        raise IngestError("--watch and --dry-run do not go together")


class Keeping:
    """Keeps one source in step and says what it does.

    Args:
        settings: of everything.
        source: a folder or bucket.
        options: of every run; what is forced or distrusted, only of the first.
        room: what runs work with.
        report_file: written anew after each comparison of the whole; None for none.
        mode: how progress is shown.
    """

    def __init__(
        self,
        settings: Settings,
        source: Source,
        options: IngestOptions,
        room: IngestRoom,
        report_file: Path | None,
        mode: Mode,
    ) -> None:
        self._settings = settings
        self._source = source
        self._options = options
        self._room = room
        self._report_file = report_file
        self._mode = mode
        self._ledger = Ledger(
            ledger_path(settings.data_dir / LEDGERS, source.name, options.collection)
        )

    def run(self, stop: threading.Event) -> int:
        """Watch until ``stop`` is set; 1 when pictures failed, else 0."""
        watcher = self._source.watcher()
        if watcher is None:
            raise IngestError(f"{self._source.name} cannot be watched")

        def run(only: Sequence[str] | None, *, removed: int, delete: bool) -> RunReport:
            return self._run(only, removed=removed, delete=delete, stop=stop)

        self._say(f"watching {self._source.name}; Ctrl-C ends it")
        Watch(
            run,
            watcher,
            lambda: bool(self._room.originals.unsettled.pending(limit=1)),
            stop,
            reconcile_s=self._settings.watch_reconcile_s,
            tell=lambda report, whole: self._tell(report, whole=whole),
            say=self._say,
        ).go()
        return int(bool(self._ledger.count().get("failed")))

    def _run(
        self, only: Sequence[str] | None, *, removed: int, delete: bool, stop: threading.Event
    ) -> RunReport:
        known = sum(self._ledger.count().values())
        gone_share = removed / known if known else 0.0
        options = replace(
            self._options,
            delete=self._options.delete and delete,
            delete_share=max(0.0, self._options.delete_share - gone_share),
        )
        stream = sys.stdout if self._mode == "json" else sys.stderr
        display = shown(self._room.progress, self._mode, stream) if only is None else nullcontext()
        with display:
            report = ingest(self._source, options, self._room, stop, only)
        if only is None:
            # These were meant for the first comparison, which has gone through.
            self._options = replace(
                self._options, checksum=False, retry_failed=False, force_delete=False
            )
        return report

    def _tell(self, report: RunReport, *, whole: bool) -> None:
        if self._mode == "json":
            event = "report" if whole else "changes"
            print(json.dumps({"event": event, **report.to_json()}), flush=True)
        elif whole:
            for line in report.lines():
                print(line, flush=True)
        else:
            self._say(_changes(report))
        if whole and self._report_file is not None:
            write_report(self._report_file, report, self._ledger)

    def _say(self, text: str) -> None:
        if self._mode == "json":
            print(json.dumps({"event": "note", "text": text}), flush=True)
        else:
            print(f"{datetime.now().astimezone():%H:%M:%S} {text}", file=sys.stderr, flush=True)


def _changes(report: RunReport) -> str:
    """One line about a run over what changed."""
    worked = ", ".join(f"{count:,} {state}" for state, count in sorted(report.worked.items()))
    parts = [f"{worked} ({counted(report.objects, 'object')})"] if worked else []
    if report.deleted:
        parts.append(f"{report.deleted:,} removed")
    if report.refusal:
        parts.append(f"{report.gone:,} no longer in the source: {report.refusal}")
    parts += report.settled_lines()
    return "; ".join(parts) or "nothing to do"
