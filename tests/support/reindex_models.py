"""Two pairs of fake models that differ in the length of their vectors."""

from __future__ import annotations

import os

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.models.loaded import LoadedModels
from embedding_pipeline.settings import Settings
from support.ingest_fake_boxseek import LoggingDetector
from support.models_fakes import FakeEmbedder

OLD, NEW = 16, 24
WANTED = "BOXSEEK_TEST_DIMENSION"
"""Vector length of the models that are chosen for a new version."""


def sized_models(settings: Settings, description: ModelDescription | None) -> LoadedModels:
    """The pair that a description names; for a new version the one that WANTED names."""
    chosen = int(os.environ.get(WANTED, str(OLD)))
    dimension = chosen if description is None else description.embedder.dimension
    detector, embedder = LoggingDetector(), FakeEmbedder(dimension)
    return LoadedModels(
        detector, embedder, ModelDescription(detector.description, embedder.description)
    )
