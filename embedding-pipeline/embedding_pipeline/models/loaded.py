"""A detector and an embedder that belong together."""

from __future__ import annotations

from dataclasses import dataclass

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.ports.models import Detector, Embedder


@dataclass(frozen=True, slots=True)
class LoadedModels:
    """Both models, ready to run.

    Args:
        detector: finds objects.
        embedder: turns crops into vectors.
        description: what an index made with them says.
        notice: a sentence for log, command line, status and page when the models are not
            those that were hoped for (packaged instead of the hub's, random weights).
    """

    detector: Detector
    embedder: Embedder
    description: ModelDescription
    notice: str | None = None
