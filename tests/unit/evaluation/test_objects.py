"""Evaluation through the real pipeline, with models whose answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embedding_pipeline.evaluation.labelled import read_yolo
from embedding_pipeline.evaluation.objects import evaluate
from embedding_pipeline.pipeline import PicturePipeline
from minio_proxy.picture.header import Limits
from support.models_fakes import FakeDetector, FakeEmbedder

# FakeDetector finds one object in every quadrant: person, car, dog, cat, at 0.9 to 0.6.
PERSON_WHERE_IT_IS = "0 0.25 0.25 0.5 0.5"
CAR_WHERE_THE_CAT_IS = "1 0.75 0.75 0.5 0.5"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two labelled pictures and a broken file."""
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    for name, seed in (("a", 1), ("b", 2)):
        pixels = np.random.default_rng(seed).integers(0, 255, (100, 120, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{name}.png")
        lines = f"{PERSON_WHERE_IT_IS}\n{CAR_WHERE_THE_CAT_IS}\n"
        (tmp_path / "labels" / f"{name}.txt").write_text(lines)
    (tmp_path / "images" / "c.png").write_bytes(b"no picture")
    return tmp_path


def test_ways_are_counted_side_by_side(folder: Path) -> None:
    """One of two objects is found; the seed's code keeps one document a picture."""
    done: list[int] = []
    with PicturePipeline(FakeDetector(), FakeEmbedder(), Limits()) as pipeline:
        result = evaluate(pipeline, read_yolo(folder), batch_pictures=2, advance=done.append)
    ours, article, code = result.ways
    assert (result.pictures, result.objects, sum(done)) == (2, 4, 3)
    assert (ours.coverage.value, ours.documents) == (0.5, 8)
    assert (article.coverage.value, article.documents) == (0.5, 8)
    assert (code.coverage.value, code.documents) == (0.5, 2)
    assert result.by_marked_crop.queries == 4
    ((path, reason),) = result.unreadable
    assert path.endswith("c.png")
    assert reason


def test_an_empty_folder_measures_nothing(tmp_path: Path) -> None:
    """No picture is no error: every figure is zero."""
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    with PicturePipeline(FakeDetector(), FakeEmbedder(), Limits()) as pipeline:
        result = evaluate(pipeline, read_yolo(tmp_path), batch_pictures=2)
    assert (result.pictures, result.objects, result.by_marked_crop.queries) == (0, 0, 0)
