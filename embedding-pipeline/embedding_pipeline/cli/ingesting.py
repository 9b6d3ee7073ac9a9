"""``boxseek ingest`` and ``boxseek failures``."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from embedding_pipeline.bootstrap import Boxseek, ModelSource, limits_of
from embedding_pipeline.cli.display import mode_for, shown
from embedding_pipeline.cli.room import ingest_room
from embedding_pipeline.ingest.failures import LEDGERS, all_failures
from embedding_pipeline.ingest.ingest_run import IngestOptions, ingest, ledger_path
from embedding_pipeline.ingest.ledger import Ledger
from embedding_pipeline.ingest.run_report import RunReport, write_report
from embedding_pipeline.ingest.sources import open_source
from embedding_pipeline.settings import Settings


def run_ingest(
    settings: Settings,
    source_text: str,
    options: IngestOptions,
    *,
    hidden: bool,
    report_file: Path | None,
    as_json: bool,
    models: ModelSource | None = None,
) -> int:
    """Bring a source in; returns 0, or 1 when some failed or the run was interrupted.

    Args:
        settings: of everything.
        source_text: a folder or list, as typed.
        options: what to do.
        hidden: also names that begin with a dot.
        report_file: for sums and failures; None for none.
        as_json: JSON lines instead of text.
        models: loads the models; None takes the real ones.
    """
    source = open_source(source_text, limits=limits_of(settings), hidden=hidden)
    with Boxseek.open(settings, models=models) as boxseek, stop_on_interrupt() as stop:
        room = ingest_room(boxseek)
        if boxseek.models is not None and boxseek.models.notice:
            print(boxseek.models.notice, file=sys.stderr)
        mode = mode_for(sys.stderr, as_json=as_json)
        with shown(room.progress, mode, sys.stdout if as_json else sys.stderr):
            report = ingest(source, options, room, stop)
    if report_file is not None:
        ledger = Ledger(ledger_path(settings.data_dir / LEDGERS, source.name, options.collection))
        write_report(report_file, report, ledger)
    _tell(report, source_text, as_json=as_json)
    return report.exit_code


def list_failures(settings: Settings, *, rejected: bool, as_json: bool) -> int:
    """Print what failed, one line each: path, stage, reason."""
    count = 0
    for failure in all_failures(
        settings.data_dir, ("failed", "rejected") if rejected else ("failed",)
    ):
        count += 1
        if as_json:
            print(json.dumps(asdict(failure)))
        else:
            print(f"{failure.path}\t{failure.state} at {failure.stage}\t{failure.reason}")
    if not as_json:
        again = "; boxseek ingest SOURCE --retry-failed tries them again" if count else ""
        print(f"{count:,} failed{' or were rejected' if rejected else ''}{again}", file=sys.stderr)
    return 0


@contextmanager
def stop_on_interrupt() -> Iterator[threading.Event]:
    """Give an event that the first SIGINT or SIGTERM sets; a second SIGINT interrupts at once."""
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        del frame
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()
        print("finishing the batch in flight; Ctrl-C again ends at once", file=sys.stderr)

    before = {n: signal.signal(n, on_signal) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(report: RunReport, source_text: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"event": "report", **report.to_json()}))
        return
    for line in report.lines():
        print(line)
    if report.states.get("failed"):
        print("boxseek failures lists what failed and why; --retry-failed tries it again")
    if report.interrupted:
        print(f"interrupted; the same command goes on: boxseek ingest {source_text}")
