"""``boxseek ingest`` and ``boxseek failures``."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from embedding_pipeline.bootstrap import Boxseek, ModelSource, build_catalog, limits_of
from embedding_pipeline.cli.display import mode_for, shown
from embedding_pipeline.cli.priority import BACKFILL_NICE, LoadBrake, lower_priority
from embedding_pipeline.cli.room import ingest_room
from embedding_pipeline.cli.source_samples import source_samples
from embedding_pipeline.cli.watching import Keeping, check_watchable
from embedding_pipeline.errors import ModelError
from embedding_pipeline.ingest.failures import LEDGERS, all_failures
from embedding_pipeline.ingest.ingest_run import IngestOptions, ingest, ledger_path
from embedding_pipeline.ingest.ledger import Ledger
from embedding_pipeline.ingest.run_file import announced
from embedding_pipeline.ingest.run_report import RunReport, write_report
from embedding_pipeline.ingest.sources import Reach, open_source
from embedding_pipeline.pipeline.fetch import PictureFetcher
from embedding_pipeline.settings import Settings
from minio_proxy.bootstrap import build_source
from minio_proxy.ports import BucketSource


@dataclass(frozen=True, slots=True)
class Manner:
    """How a run goes about it, whatever it brings in.

    Args:
        hidden: also names that begin with a dot.
        report_file: for sums and failures; None for none.
        as_json: JSON lines instead of text.
        nice: what is added to the niceness of this process, 0 to 19.
        max_load: load average above which no further batch begins; None: no matter.
        watch: go on and keep the source in step.
    """

    hidden: bool = False
    report_file: Path | None = None
    as_json: bool = False
    nice: int = BACKFILL_NICE
    max_load: float | None = None
    watch: bool = False


def run_ingest(
    settings: Settings,
    source_text: str,
    options: IngestOptions,
    manner: Manner,
    models: ModelSource | None = None,
) -> int:
    """Bring a source in; returns 0, or 1 when some failed or the run was interrupted.

    Args:
        settings: of everything.
        source_text: a folder, bucket or list, as typed.
        options: what to do.
        manner: how.
        models: loads the models; None takes the real ones.
    """
    lower_priority(manner.nice)
    with ExitStack() as stack:
        source = open_source(
            source_text,
            limits=limits_of(settings),
            hidden=manner.hidden,
            in_place=options.in_place,
            reach=reach_of(settings, stack),
        )
        if manner.watch:
            check_watchable(source, options)
        catalog = build_catalog(settings)
        # A plan needs no models where an index says whose work it would be.
        planned = catalog.active() if options.dry_run else None
        boxseek = stack.enter_context(
            Boxseek.open(
                settings,
                models=_no_models if planned else models,
                catalog=catalog,
                samples=source_samples(source),
            )
        )
        stop = stack.enter_context(stop_on_interrupt())
        brake = LoadBrake(manner.max_load, stop, waiting=boxseek.progress.waiting)
        room = ingest_room(boxseek, brake.hold, planned.description if planned else None)
        if boxseek.models is not None and boxseek.models.notice:
            print(boxseek.models.notice, file=sys.stderr)
        mode = mode_for(sys.stderr, as_json=manner.as_json)
        stack.enter_context(announced(room.folder, "ingest", source.name, room.progress))
        if manner.watch:
            return Keeping(settings, source, options, room, manner.report_file, mode).run(stop)
        with shown(room.progress, mode, sys.stdout if manner.as_json else sys.stderr):
            report = ingest(source, options, room, stop)
    if manner.report_file is not None:
        ledger = Ledger(ledger_path(settings.data_dir / LEDGERS, source.name, options.collection))
        write_report(manner.report_file, report, ledger)
    _tell(report, source_text, as_json=manner.as_json)
    return report.exit_code


def _no_models(*_: object) -> NoReturn:
    raise ModelError("a dry run loads no models")


def reach_of(settings: Settings, stack: ExitStack) -> Reach:
    """What sources may reach by these settings; the stack closes what is opened."""

    def open_bucket(name: str) -> BucketSource:
        bucket = build_source(settings, name)
        stack.callback(bucket.close)
        return bucket

    prefix = settings.s3_prefix.strip("/")
    own = (settings.s3_bucket, f"{prefix}/" if prefix else "") if settings.store == "s3" else None
    fetch = PictureFetcher(max_bytes=settings.max_bytes) if settings.allow_urls else None
    return Reach(open_bucket, own, fetch)


def list_failures(settings: Settings, *, rejected: bool, as_json: bool) -> int:
    """Print what failed, one line each: path, stage, reason."""
    counts = Counter[str]()
    for failure in all_failures(
        settings.data_dir, ("failed", "rejected") if rejected else ("failed",)
    ):
        counts[failure.state] += 1
        if as_json:
            print(json.dumps(asdict(failure)))
        else:
            print(f"{failure.path}\t{failure.state} at {failure.stage}\t{failure.reason}")
    if not as_json:
        failed, refused = counts["failed"], f", {counts['rejected']:,} rejected" if rejected else ""
        again = "; boxseek ingest SOURCE --retry-failed tries what failed again" if failed else ""
        print(f"{failed:,} failed{refused}{again}", file=sys.stderr)
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
