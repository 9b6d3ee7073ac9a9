"""From what a network computes to what an index keeps: mirrored, projected."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.description import EmbedderDescription
from embedding_pipeline.errors import ModelError
from embedding_pipeline.models.artifacts import Artifacts
from embedding_pipeline.models.flipped import FlippedEmbedder
from embedding_pipeline.models.projection import ProjectedEmbedder, learned, packed, unpacked
from embedding_pipeline.models.samples import Samples, sample_crops
from embedding_pipeline.ports.models import Detector, Embedder
from embedding_pipeline.settings import Settings
from minio_proxy.picture.header import Limits

LEARNED_PICTURES = 256
"""Pictures that a projection is learned on at most."""


def finished(
    embedder: Embedder, description: EmbedderDescription, artifacts: Artifacts | None
) -> Embedder:
    """The embedder of a description on top of one that runs its network.

    Args:
        embedder: gives the network's own vectors.
        description: says what becomes of them.
        artifacts: where its projection is kept.

    Raises:
        ModelError: it has a projection, and no store is open.
    """
    matrix = _matrix(description, artifacts) if description.projection else None
    if description.flip:
        long = description if matrix is None else replace(description, dimension=len(matrix))
        embedder = FlippedEmbedder(embedder, replace(long, projection=""))
    if matrix is None:
        return embedder
    return ProjectedEmbedder(embedder, description, matrix)


def with_projection(
    embedder: Embedder,
    description: EmbedderDescription,
    settings: Settings,
    *,
    detector: Detector,
    artifacts: Artifacts | None,
    samples: Samples | None,
) -> EmbedderDescription:
    """Learn the projection that the settings wish for and keep it; says so in the description.

    Args:
        embedder: finished but for the projection.
        description: its own.
        settings: name the dimensions; 0, or no fewer than there are, leaves it as it is.
        detector: cuts the crops of the samples.
        artifacts: keeps the projection.
        samples: pictures to learn on.

    Raises:
        ModelError: there are no pictures to learn on, or too few.
    """
    if not settings.dimensions or settings.dimensions >= description.dimension:
        return description
    if artifacts is None or samples is None:
        raise ModelError(
            f"{settings.dimensions} dimensions are learned on your own pictures, and there are "
            "none yet: create the index by `boxseek ingest`, or leave BOXSEEK_DIMENSIONS out and "
            f"run `BOXSEEK_DIMENSIONS={settings.dimensions} boxseek reindex` later"
        )
    limits = Limits(max_bytes=settings.max_bytes, max_pixels=settings.max_pixels)
    pictures = islice(samples(), LEARNED_PICTURES)
    crops = sample_crops(pictures, detector, description, limits).crops
    # Mirrored crops are as good as others, and twice as many say more.
    both = [embedder.embed(crops), embedder.embed(np.ascontiguousarray(crops[:, :, ::-1]))]
    matrix = learned(np.concatenate(both), settings.dimensions)
    return replace(
        description, dimension=settings.dimensions, projection=artifacts.save(packed(matrix))
    )


def _matrix(description: EmbedderDescription, artifacts: Artifacts | None) -> NDArray[np.float32]:
    if artifacts is None:
        raise ModelError(
            f"{description.name} needs artifact {description.projection}, and no store is open",
            model=description.name,
        )
    return unpacked(artifacts.load(description.projection))
