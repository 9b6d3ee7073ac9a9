"""``boxseek rebuild`` and ``boxseek reindex``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from threading import Event

from embedding_pipeline.bootstrap import (
    Boxseek,
    ModelSource,
    build_catalog,
    pipeline_of,
    real_models,
)
from embedding_pipeline.cli.display import mode_for, shown
from embedding_pipeline.cli.ingesting import stop_on_interrupt
from embedding_pipeline.cli.outcome import settings_errors
from embedding_pipeline.cli.priority import BACKFILL_NICE, lower_priority
from embedding_pipeline.cli.room import ingest_room
from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.errors import DescriptionMismatch
from embedding_pipeline.ingest.catch_up import CATCH_UP, CatchUp
from embedding_pipeline.ingest.failures import LEDGERS
from embedding_pipeline.ingest.key_locks import KeyLocks, only_one
from embedding_pipeline.ingest.library import Models
from embedding_pipeline.ingest.progress import Progress
from embedding_pipeline.ingest.rebuild import Rebuild, RebuildReport
from embedding_pipeline.ingest.run_file import announced
from embedding_pipeline.ingest.sampling import stored_samples
from embedding_pipeline.ingest.unfinished import Unfinished
from embedding_pipeline.models.agreement import check_names
from embedding_pipeline.models.artifacts import Artifacts
from embedding_pipeline.ports.index import IndexCatalog
from embedding_pipeline.settings import Settings
from minio_proxy.bootstrap import build_services
from minio_proxy.errors import SettingsError
from minio_proxy.originals import Originals

SHOWN_PROBLEMS = 20
LOCK = "reindex.lock"


def run_rebuild(settings: Settings, *, as_json: bool, models: ModelSource | None = None) -> int:
    """Make the index anew with the models of the active version; 0, or 1 when some failed.

    Args:
        settings: of everything.
        as_json: JSON lines instead of text.
        models: loads the models; None takes the real ones.
    """
    with Boxseek.open(settings, models=models) as boxseek, stop_on_interrupt() as stop:
        room = ingest_room(boxseek)
        with only_one(room.folder / LOCK, "rebuild"):
            bench = _Bench(settings, boxseek.catalog, boxseek.originals, room.progress, stop)
            run = bench.rebuild(room.models, room.description, force=True)
            with (
                announced(room.folder, "rebuild", room.description.summary(), room.progress),
                _shown(room.progress, as_json=as_json),
            ):
                report = run.run()
    return tell(report, "boxseek rebuild", as_json=as_json)


def run_reindex(
    settings: Settings,
    changes: Mapping[str, str | int],
    *,
    force: bool = False,
    as_json: bool = False,
    nice: int = BACKFILL_NICE,
    models: ModelSource | None = None,
) -> int:
    """Make a version with the models that settings choose, compare it, make it active.

    Args:
        settings: of everything.
        changes: settings that this run has otherwise, e.g. ``{"embedder": "resnet50"}``.
        force: make it active whatever the comparison says.
        as_json: JSON lines instead of text.
        nice: what is added to the niceness of this process.
        models: loads the models; None takes the real ones.

    Returns:
        0, or 1 when some failed or the run was interrupted.
    """
    lower_priority(nice)
    wanted = changed_settings(settings, changes)
    with ExitStack() as stack:
        services = stack.enter_context(build_services(settings))
        catalog = build_catalog(settings)
        stack.callback(catalog.close)
        stop = stack.enter_context(stop_on_interrupt())
        stack.enter_context(only_one(settings.data_dir / LEDGERS / LOCK, "reindex"))
        load = models or partial(
            real_models,
            artifacts=Artifacts(services.store),
            samples=stored_samples(services.originals),
        )
        loaded = load(wanted, None)
        pipeline = stack.enter_context(pipeline_of(wanted, loaded))
        if loaded.notice:
            print(loaded.notice, file=sys.stderr)
        progress = Progress()
        bench = _Bench(wanted, catalog, services.originals, progress, stop)
        run = bench.rebuild(pipeline.run, loaded.description, force=force)
        active = catalog.active()
        same = active is not None and not active.description.differences(loaded.description)
        stack.enter_context(
            announced(
                settings.data_dir / LEDGERS, "reindex", loaded.description.summary(), progress
            )
        )
        with _shown(progress, as_json=as_json):
            report = run.bring_up_to_date() if same else run.run()
    if same and not as_json:
        print("These models made the index already; `boxseek rebuild` makes it anew all the same.")
    code = tell(report, "boxseek reindex", as_json=as_json)
    if report.activated:
        _warn_of_settings(settings, loaded.description)
    return code


def bring_up_to_date(boxseek: Boxseek, stop: Event, *, as_json: bool = False) -> RebuildReport:
    """Let the active version agree with the store, with the models that run.

    Args:
        boxseek: open on that version.
        stop: ends it after the batch in flight.
        as_json: progress as JSON lines.
    """
    room = ingest_room(boxseek)
    bench = _Bench(boxseek.settings, boxseek.catalog, boxseek.originals, room.progress, stop)
    with _shown(room.progress, as_json=as_json):
        return bench.rebuild(room.models, room.description).bring_up_to_date()


def tell(report: RebuildReport, command: str, *, as_json: bool) -> int:
    """Print what a run did; gives its exit code."""
    code = int(bool(report.problems) or not report.activated)
    if as_json:
        print(json.dumps(_fields(report)))
        return code
    for key, problem in list(report.problems.items())[:SHOWN_PROBLEMS]:
        print(f"{key}\tfailed at {problem.stage}\t{problem.reason}")
    if report.comparison is not None:
        print(report.comparison.line())
    print(
        f"{report.version}: {report.pictures:,} pictures, {report.objects:,} objects, "
        f"{len(report.problems):,} failed; "
        + ("it is active now" if report.activated else f"interrupted, {command} goes on")
    )
    return code


def changed_settings(settings: Settings, changes: Mapping[str, str | int]) -> Settings:
    """The same settings but for these; what a quality decides is decided anew.

    Raises:
        SettingsError: there is no such setting, or its value cannot work.
    """
    unknown = sorted(set(changes) - set(type(settings).model_fields))
    if unknown:
        raise SettingsError(f"This Boxseek has no setting {', '.join(unknown)}.")
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    with settings_errors():
        return type(settings)(_env_file=None, **(given | dict(changes)))


class _Bench:
    """What every rebuild of this data folder works with."""

    def __init__(
        self,
        settings: Settings,
        catalog: IndexCatalog,
        originals: Originals,
        progress: Progress,
        stop: Event,
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._originals = originals
        self._progress = progress
        self._stop = stop

    def rebuild(
        self, models: Models, description: ModelDescription, *, force: bool = False
    ) -> Rebuild:
        """A run with these models."""
        folder, locks = self._settings.data_dir, KeyLocks(self._settings.data_dir / "locks")
        return Rebuild(
            catalog=self._catalog,
            originals=self._originals,
            locks=locks,
            notes=CatchUp(folder / CATCH_UP, self._catalog, self._originals, locks),
            models=models,
            description=description,
            progress=self._progress,
            unfinished=Unfinished(folder / LEDGERS),
            batch_pictures=self._settings.batch_pictures,
            stop=self._stop,
            force=force,
        )


@contextmanager
def _shown(progress: Progress, *, as_json: bool) -> Iterator[None]:
    mode = mode_for(sys.stderr, as_json=as_json)
    with shown(progress, mode, sys.stdout if as_json else sys.stderr):
        yield


def _fields(report: RebuildReport) -> dict[str, object]:
    return {
        "event": "report",
        "version": report.version,
        "activated": report.activated,
        "pictures": report.pictures,
        "objects": report.objects,
        "failed": {key: problem.reason for key, problem in report.problems.items()},
        "comparison": asdict(report.comparison) if report.comparison else None,
    }


def _warn_of_settings(settings: Settings, description: ModelDescription) -> None:
    """Tell when the settings, as they are without options, would refuse the next start."""
    try:
        check_names(settings, description)
    except DescriptionMismatch as exc:
        print(f"Before the next start: {exc.message}", file=sys.stderr)
