"""``boxseek rebuild``."""

from __future__ import annotations

import json
import sys

from embedding_pipeline.bootstrap import Boxseek, ModelSource
from embedding_pipeline.cli.display import mode_for, shown
from embedding_pipeline.cli.ingesting import stop_on_interrupt
from embedding_pipeline.cli.room import ingest_room
from embedding_pipeline.ingest.key_locks import only_one
from embedding_pipeline.ingest.rebuild import Rebuild
from embedding_pipeline.settings import Settings

SHOWN_PROBLEMS = 20


def run_rebuild(settings: Settings, *, as_json: bool, models: ModelSource | None = None) -> int:
    """Make the index anew with the models of the active version; 0, or 1 when some failed.

    Args:
        settings: of everything.
        as_json: JSON lines instead of text.
        models: loads the models; None takes the real ones.
    """
    with Boxseek.open(settings, models=models) as boxseek, stop_on_interrupt() as stop:
        room = ingest_room(boxseek)
        mode = mode_for(sys.stderr, as_json=as_json)
        with (
            only_one(room.folder / "ingest.lock", "rebuild"),
            shown(room.progress, mode, sys.stdout if as_json else sys.stderr),
        ):
            report = Rebuild(
                catalog=boxseek.catalog,
                originals=boxseek.originals,
                models=room.models,
                description=room.description,
                progress=room.progress,
                batch_pictures=room.batch_pictures,
                stop=stop,
            ).run()
    if as_json:
        fields = {
            "event": "report",
            "version": report.version,
            "activated": report.activated,
            "pictures": report.pictures,
            "objects": report.objects,
            "failed": {key: problem.reason for key, problem in report.problems.items()},
        }
        print(json.dumps(fields))
        return int(bool(report.problems) or not report.activated)
    for key, problem in list(report.problems.items())[:SHOWN_PROBLEMS]:
        print(f"{key}\tfailed at {problem.stage}\t{problem.reason}")
    print(
        f"{report.version}: {report.pictures:,} pictures, {report.objects:,} objects, "
        f"{len(report.problems):,} failed; "
        + ("it is active now" if report.activated else "interrupted, boxseek rebuild goes on")
    )
    return int(bool(report.problems) or not report.activated)
