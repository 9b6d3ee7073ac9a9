"""Mirrored crops and shorter vectors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from embedding_pipeline.domain.description import EmbedderDescription
from embedding_pipeline.errors import ModelError
from embedding_pipeline.models.artifacts import Artifacts
from embedding_pipeline.models.finishing import finished, with_projection
from embedding_pipeline.models.flipped import unit
from embedding_pipeline.models.projection import learned, packed, unpacked
from embedding_pipeline.settings import Settings
from minio_proxy.stores.folder import FolderStore
from support.api_app import png
from support.models_fakes import FakeDetector, FakeEmbedder


def crops(count: int, size: int = 32) -> NDArray[np.uint8]:
    """Crops of noise."""
    return np.random.default_rng(count).integers(0, 256, (count, size, size, 3), np.uint8)


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    """A store of artifacts in a folder."""
    return Artifacts(FolderStore(tmp_path / "store"))


def flat(description: EmbedderDescription) -> EmbedderDescription:
    """The description of an embedder that averages mirror images."""
    return replace(description, flip=True)


def test_left_and_right_no_longer_matter() -> None:
    """A crop and its mirror image have one vector, of the mean direction."""
    embedder = FakeEmbedder()
    both = finished(embedder, flat(embedder.description), None)
    some = crops(3)
    found = both.embed(some)
    assert np.array_equal(found, both.embed(np.ascontiguousarray(some[:, :, ::-1])))
    plain = unit(embedder.embed(some)) + unit(
        embedder.embed(np.ascontiguousarray(some[:, :, ::-1]))
    )
    assert found == pytest.approx(plain, abs=1e-6)
    assert both.embed(some[:0]).shape == (0, 16)
    assert both.description.flip


def test_nothing_to_do_is_the_embedder_itself() -> None:
    """Neither mirrored nor projected."""
    embedder = FakeEmbedder()
    assert finished(embedder, embedder.description, None) is embedder


def test_learned_directions_keep_what_vectors_have() -> None:
    """Vectors of a plane keep their cosines in two dimensions; columns are orthonormal."""
    rng = np.random.default_rng(0)
    plane = np.linalg.qr(rng.normal(size=(16, 2)))[0]
    vectors = (rng.normal(size=(50, 2)) @ plane.T).astype(np.float32)
    matrix = learned(vectors, 2)
    assert matrix.shape == (16, 2)
    assert matrix.T @ matrix == pytest.approx(np.eye(2), abs=1e-5)
    short = unit(vectors @ matrix)
    assert short @ short.T == pytest.approx(unit(vectors) @ unit(vectors).T, abs=1e-5)
    assert np.array_equal(learned(vectors[::-1].copy(), 2).round(4), matrix.round(4))


@pytest.mark.parametrize(("count", "dimension"), [(3, 4), (50, 16), (50, 20), (0, 1)])
def test_what_cannot_be_learned_is_told(count: int, dimension: int) -> None:
    """Too few crops, or nothing to shorten."""
    vectors = np.random.default_rng(0).normal(size=(count, 16)).astype(np.float32)
    with pytest.raises(ModelError, match="cannot be learned"):
        learned(vectors, dimension)


def test_a_projection_travels_as_data() -> None:
    """The file gives the same matrix; the same matrix the same file; other files are refused."""
    matrix = learned(np.random.default_rng(1).normal(size=(40, 8)).astype(np.float32), 3)
    assert np.array_equal(unpacked(packed(matrix)), matrix)
    assert packed(matrix) == packed(matrix)
    for odd in (b"", b"no archive", packed(matrix)[:-30]):
        with pytest.raises(ModelError, match="no projection"):
            unpacked(odd)


@pytest.mark.parametrize("flip", [False, True], ids=["plain", "flip"])
def test_a_projection_is_learned_kept_and_loaded(
    flip: bool,
    artifacts: Artifacts,
) -> None:
    """What the description names gives the same vectors again, of the short length."""
    embedder = FakeEmbedder()
    how = replace(embedder.description, flip=flip)
    described = with_projection(
        finished(embedder, how, None),
        how,
        Settings(_env_file=None, dimensions=5),
        detector=FakeDetector(),
        artifacts=artifacts,
        samples=lambda: [png(1), b"no picture", png(2)],
    )
    assert (described.dimension, len(described.projection), described.flip) == (5, 64, flip)
    first, again = (finished(FakeEmbedder(), described, artifacts) for _ in range(2))
    some = crops(4)
    assert first.description == described
    assert first.embed(some).shape == (4, 5)
    assert np.array_equal(first.embed(some), again.embed(some))
    assert np.array_equal(first.embed(some)[2], first.embed(some[2:3])[0])
    assert first.embed(some[:0]).shape == (0, 5)


def test_a_projection_needs_pictures_and_a_store(artifacts: Artifacts) -> None:
    """Without them the wish is refused, with what to do; no wish changes nothing."""
    embedder = FakeEmbedder()

    def settled(dimensions: int, store: Artifacts | None) -> EmbedderDescription:
        return with_projection(
            embedder,
            embedder.description,
            Settings(_env_file=None, dimensions=dimensions),
            detector=FakeDetector(),
            artifacts=store,
            samples=None,
        )

    for dimensions in (0, 16, 900):
        assert settled(dimensions, None) == embedder.description
    with pytest.raises(ModelError, match="boxseek reindex"):
        settled(5, artifacts)
    described = replace(embedder.description, dimension=5, projection="a" * 64)
    with pytest.raises(ModelError, match="no store is open"):
        finished(embedder, described, None)
