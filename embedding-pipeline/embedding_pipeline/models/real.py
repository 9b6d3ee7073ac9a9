"""The real models, loaded by whoever opens the product."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.models.artifacts import Artifacts
from embedding_pipeline.models.loaded import LoadedModels
from embedding_pipeline.settings import Settings


def real_models(
    settings: Settings,
    description: ModelDescription | None,
    artifacts: Artifacts | None = None,
    samples: Callable[[], Iterable[bytes]] | None = None,
) -> LoadedModels:
    """Load the real models; torch is imported here and not before.

    Args:
        settings: what is wanted, and where to look.
        description: of the models; None for those that the settings choose.
        artifacts: where quantized networks and projections are kept.
        samples: bytes of stored pictures, for what a choice has to learn from them.
    """
    from embedding_pipeline.models import resolve  # noqa: PLC0415 - as said

    if description is not None:
        return resolve.load_models(description, settings, artifacts=artifacts)
    return resolve.resolve_models(settings, artifacts=artifacts, samples=samples)
