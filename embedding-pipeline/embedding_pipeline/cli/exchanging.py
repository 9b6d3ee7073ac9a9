"""``boxseek export`` and ``boxseek import``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from pathlib import Path

from embedding_pipeline.bootstrap import build_catalog
from embedding_pipeline.cli.display import mode_for, shown
from embedding_pipeline.cli.ingesting import stop_on_interrupt
from embedding_pipeline.cli.rebuilding import LOCK
from embedding_pipeline.ingest.exchange import Import, ImportReport, export_index
from embedding_pipeline.ingest.failures import LEDGERS
from embedding_pipeline.ingest.key_locks import KeyLocks, only_one
from embedding_pipeline.ingest.progress import Progress
from embedding_pipeline.ingest.run_file import announced
from embedding_pipeline.settings import Settings
from minio_proxy.bootstrap import build_services


def run_export(settings: Settings, path: Path, *, as_json: bool = False) -> int:
    """Write objects and vectors of the active version to a Parquet file; loads no model."""
    progress = Progress()
    with (
        closing(build_catalog(settings)) as catalog,
        closing(catalog.open()) as index,
        _shown(progress, as_json=as_json),
    ):
        report = export_index(index, path, progress)
    if as_json:
        print(json.dumps({"event": "report", **asdict(report)}))
        return 0
    print(
        f"{path}: {report.pictures:,} pictures, {report.objects:,} objects of {report.version}, "
        f"{report.size_bytes / 1e6:,.1f} MB. Originals and records are not in it."
    )
    return 0


def run_import(
    settings: Settings, path: Path, *, without_originals: bool = False, as_json: bool = False
) -> int:
    """Bring an exported file into the active version; loads no model.

    Returns:
        0, or 1 when something was refused or the run was interrupted.
    """
    progress = Progress()
    with ExitStack() as stack:
        services = stack.enter_context(build_services(settings))
        catalog = stack.enter_context(closing(build_catalog(settings)))
        stop = stack.enter_context(stop_on_interrupt())
        stack.enter_context(only_one(settings.data_dir / LEDGERS / LOCK, f"import of {path}"))
        stack.enter_context(announced(settings.data_dir / LEDGERS, "import", path.name, progress))
        with _shown(progress, as_json=as_json):
            report = Import(
                catalog=catalog,
                originals=services.originals,
                locks=KeyLocks(settings.data_dir / "locks"),
                progress=progress,
                without_originals=without_originals,
                stop=stop,
            ).run(path)
    if as_json:
        print(json.dumps({"event": "report", **asdict(report)}))
    else:
        _tell(report, path)
    return report.exit_code


def _tell(report: ImportReport, path: Path) -> None:
    for reason in report.reasons:
        print(reason)
    print(
        f"{report.version}: {report.written:,} pictures written, {report.unchanged:,} were there, "
        f"{report.without_original:,} without original, {report.bad:,} bad"
    )
    if report.without_original:
        print(
            "Pictures whose original is not in this store were refused, because a search would "
            "show nothing for them: bring the originals in first (restore the store, or boxseek "
            "ingest), or take them with --without-originals."
        )
    if report.interrupted:
        print(f"interrupted; the same command goes on: boxseek import {path}")


@contextmanager
def _shown(progress: Progress, *, as_json: bool) -> Iterator[None]:
    mode = mode_for(sys.stderr, as_json=as_json)
    with shown(progress, mode, sys.stdout if as_json else sys.stderr):
        yield
