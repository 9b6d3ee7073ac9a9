"""Sample crops are those that the pipeline makes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from embedding_pipeline.models.samples import sample_crops, spread
from embedding_pipeline.pipeline import PicturePipeline, PictureTask
from minio_proxy.picture.header import Limits
from support.models_fakes import LABELS, FakeDetector, FakeEmbedder


def _png(seed: int, size_wh: tuple[int, int] = (60, 40)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (size_wh[1], size_wh[0], 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_crops_equal_the_pipelines() -> None:
    """Embedded, they give the vectors that the pipeline gives, in its order."""
    embedder = FakeEmbedder()
    data = _png(1)
    made = sample_crops([data], FakeDetector(), embedder.description, Limits())
    with PicturePipeline(FakeDetector(), embedder, Limits()) as pipeline:
        result = pipeline.run([PictureTask(data)])[0].checked()
    vectors = embedder.embed(made.crops)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert units == pytest.approx(np.stack(result.vectors), abs=1e-6)
    assert made.labels == (None, *LABELS)


def test_what_is_no_picture_is_left_out() -> None:
    """The others keep their numbers; nothing at all gives no crops of the right shape."""
    how = FakeEmbedder().description
    made = sample_crops([_png(1), b"no picture", _png(2)], FakeDetector(), how, Limits())
    assert made.pictures.tolist() == [0] * 5 + [2] * 5
    empty = sample_crops([], FakeDetector(), how, Limits())
    assert empty.crops.shape == (0, 32, 32, 3)
    assert len(empty) == 0


def test_of_many_crops_some_are_taken_from_all() -> None:
    """The wanted number, first and last among them."""
    how = FakeEmbedder().description
    files = [_png(seed) for seed in range(6)]
    made = sample_crops(files, FakeDetector(), how, Limits(), most_crops=7)
    assert len(made) == 7
    assert made.crops.shape[0] == 7
    assert set(made.pictures.tolist()) == set(range(6))


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, []), (1, [0]), (3, [0, 4, 9]), (10, list(range(10))), (99, list(range(10)))],
)
def test_spread(count: int, expected: list[int]) -> None:
    """Evenly, in order, and never more than there are."""
    assert spread(range(10), count) == expected
