"""What a backfill works with, taken from an open Boxseek."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from embedding_pipeline.bootstrap import Boxseek, limits_of
from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.errors import NotReady
from embedding_pipeline.ingest.failures import LEDGERS
from embedding_pipeline.ingest.ingest_run import IngestRoom
from embedding_pipeline.ingest.key_locks import KeyLocks
from embedding_pipeline.ingest.mending import Mender
from embedding_pipeline.pipeline.runner import Priority
from embedding_pipeline.pipeline.tasks import PictureResult, PictureTask
from minio_proxy.bootstrap import root_file


def ingest_room(
    boxseek: Boxseek,
    before_batch: Callable[[], None] | None = None,
    description: ModelDescription | None = None,
) -> IngestRoom:
    """Wait for the models and give a backfill what it needs.

    Args:
        boxseek: open.
        before_batch: called before each batch of model work; may wait.
        description: of the models of a run that only plans; it waits for none.

    Raises:
        BoxseekError: why the models cannot be loaded.
    """
    if description is None:
        boxseek.wait_ready()
        if boxseek.models is None:
            raise NotReady("the models are not loaded")
        description = boxseek.models.description

    def models(tasks: Sequence[PictureTask]) -> list[PictureResult]:
        if before_batch is not None:
            before_batch()
        return boxseek.runner.run(tasks, Priority.BACKFILL)

    return IngestRoom(
        folder=boxseek.settings.data_dir / LEDGERS,
        originals=boxseek.originals,
        index=boxseek.index,
        shelf=boxseek.library.shelf,
        models=models,
        description=description,
        limits=limits_of(boxseek.settings),
        mender=Mender(boxseek.originals, KeyLocks(boxseek.settings.data_dir / "locks"), models),
        allow_root=root_file(boxseek.settings).add,
        progress=boxseek.progress,
        batch_pictures=boxseek.settings.batch_pictures,
    )
