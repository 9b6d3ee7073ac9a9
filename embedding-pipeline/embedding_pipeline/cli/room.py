"""What a backfill works with, taken from an open Boxseek."""

from __future__ import annotations

from embedding_pipeline.bootstrap import Boxseek, limits_of
from embedding_pipeline.errors import NotReady
from embedding_pipeline.ingest.failures import LEDGERS
from embedding_pipeline.ingest.ingest_run import IngestRoom
from embedding_pipeline.pipeline.runner import Priority


def ingest_room(boxseek: Boxseek) -> IngestRoom:
    """Wait for the models and give a backfill what it needs.

    Raises:
        BoxseekError: why the models cannot be loaded.
    """
    boxseek.wait_ready()
    if boxseek.models is None:
        raise NotReady("the models are not loaded")
    return IngestRoom(
        folder=boxseek.settings.data_dir / LEDGERS,
        originals=boxseek.originals,
        index=boxseek.index,
        shelf=boxseek.library.shelf,
        models=lambda tasks: boxseek.runner.run(tasks, Priority.BACKFILL),
        description=boxseek.models.description,
        limits=limits_of(boxseek.settings),
        progress=boxseek.progress,
        batch_pictures=boxseek.settings.batch_pictures,
    )
