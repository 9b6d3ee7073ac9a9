"""How it is going: status, health, readiness."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, Depends

from embedding_pipeline.api.serving import Served
from embedding_pipeline.api.status_models import (
    Backends,
    Counts,
    HealthAnswer,
    Indexing,
    ModelsStatus,
    ModelStatus,
    ReadyAnswer,
    StatusAnswer,
)
from embedding_pipeline.bootstrap import Boxseek
from embedding_pipeline.domain.description import DetectorDescription, EmbedderDescription
from embedding_pipeline.errors import BoxseekError
from embedding_pipeline.ingest.failures import LEDGERS
from embedding_pipeline.ingest.run_file import other_runs
from minio_proxy.access import require
from minio_proxy.api.errors import error_responses
from minio_proxy.errors import ProxyError, StoreError

router = APIRouter(tags=["status"])


@router.get(
    "/v1/status",
    operation_id="getStatus",
    dependencies=[Depends(require("read"))],
    responses=error_responses(401, 403, 422, 429),
)
async def get_status(serving: Served) -> StatusAnswer:
    """Tell models, counts, backends and whether pictures are being indexed."""
    return await serving.lookup(_status, serving.boxseek)


@router.get("/healthz", operation_id="health", responses=error_responses(403))
async def health() -> HealthAnswer:
    """Answer as long as the process is alive."""
    return HealthAnswer()


@router.get("/readyz", operation_id="ready", responses=error_responses(403, 409, 503))
async def ready(serving: Served) -> ReadyAnswer:
    """Answer 200 when a search would work, else 503 with the reason."""
    await serving.lookup(serving.boxseek.check_ready)
    return ReadyAnswer()


def _status(boxseek: Boxseek) -> StatusAnswer:
    settings = boxseek.settings
    counts = _counts(boxseek)
    indexing = _indexing(boxseek)
    lost = counts is not None and not counts.images and indexing.state == "idle"
    return StatusAnswer(
        version=version("embedding-pipeline"),
        models=_models(boxseek, _notice(boxseek, may_be_lost=lost)),
        counts=counts,
        backends=Backends(index=settings.index, store=settings.store),
        indexing=indexing,
        keys_required=boxseek.services.guard.keys_required,
        urls_allowed=settings.allow_urls,
    )


def _indexing(boxseek: Boxseek) -> Indexing:
    """This process's run, or one of another process on the same data folder."""
    own = boxseek.progress.snapshot()
    others = other_runs(boxseek.settings.data_dir / LEDGERS) if own.state == "idle" else []
    if others:
        run = others[0]
        return Indexing(
            state="running",
            done=run.done,
            total=run.total,
            kind=run.kind,
            what=run.what,
            images_per_s=round(run.images_per_s, 2),
            left_s=None if run.left_s is None else round(run.left_s, 1),
        )
    return Indexing(
        state=own.state,
        done=own.done,
        total=own.total,
        kind="ingest" if own.state == "running" else None,
        images_per_s=round(own.images_per_s, 2),
        left_s=None if own.left_s is None else round(own.left_s, 1),
    )


def _models(boxseek: Boxseek, notice: str | None) -> ModelsStatus:
    error = boxseek.runner.error
    loaded = boxseek.models
    state = "failed" if error else "ready" if loaded and boxseek.runner.ready else "loading"
    description = loaded.description if loaded else None
    return ModelsStatus(
        state=state,
        detector=_model(description.detector) if description else None,
        embedder=_model(description.embedder) if description else None,
        dimension=description.embedder.dimension if description else None,
        metric=description.embedder.metric if description else None,
        notice=notice,
        error=error.message if error else None,
    )


def _notice(boxseek: Boxseek, *, may_be_lost: bool) -> str | None:
    """What a person should know: models that stand in, an index that was lost."""
    sentences = [boxseek.models.notice] if boxseek.models and boxseek.models.notice else []
    problem = boxseek.model_room.exchange.problem
    if problem is not None:
        sentences.append(
            "The models of the active index cannot be used here, so the version before goes on "
            f"answering: {problem.message}"
        )
    if may_be_lost:
        try:
            stored = boxseek.originals.keys(limit=1)
        except StoreError:
            stored = []  # readiness tells about the store
        if stored:
            sentences.append(
                "Pictures are stored but none is indexed: `boxseek rebuild` makes the index anew."
            )
    return " ".join(sentences) or None


def _model(model: DetectorDescription | EmbedderDescription) -> ModelStatus:
    return ModelStatus(
        name=model.name,
        origin=model.origin,
        sha256=model.sha256,
        precision=model.precision,
        input_size=model.input_size,
    )


def _counts(boxseek: Boxseek) -> Counts | None:
    """None while the index cannot be asked; readyz says why."""
    try:
        counts = boxseek.index().count()
    except (BoxseekError, ProxyError):
        return None
    return Counts(images=counts.pictures, objects=counts.objects)
