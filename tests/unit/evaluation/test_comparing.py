"""Sides of a comparison, and the difference of two measurements."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from embedding_pipeline.evaluation.comparing import (
    BASELINES,
    IN_FORCE,
    baseline_settings,
    compare,
    named_settings,
    run_like,
)
from embedding_pipeline.evaluation.measuring import Measurement
from embedding_pipeline.evaluation.tallies import Tally
from embedding_pipeline.settings import Settings
from minio_proxy.errors import SettingsError
from support.evaluation_samples import sample_measurement
from support.models_fakes import fake_description


def test_nothing_names_the_settings_in_force() -> None:
    """The very same settings."""
    settings = Settings(score_floor=0.4)
    assert named_settings(settings, " ") == (IN_FORCE, settings)


def test_pairs_change_what_they_name() -> None:
    """With or without BOXSEEK_; the rest stays, values are read as from the environment."""
    settings = Settings(score_floor=0.4, threads=3)
    name, changed = named_settings(settings, "NMS_IOU=0.5,BOXSEEK_MAX_OBJECTS=7")
    assert name == "NMS_IOU=0.5,BOXSEEK_MAX_OBJECTS=7"
    assert (changed.nms_iou, changed.max_objects, changed.score_floor) == (0.5, 7, 0.4)
    assert changed.threads == 3


def test_a_file_names_settings(tmp_path: Path) -> None:
    """In the form of .env; a value may have commas there."""
    file = tmp_path / "b.env"
    file.write_text("# mine\nBOXSEEK_TRUSTED_SHA256=aa,bb\nBOXSEEK_SCORE_FLOOR=0.1\n")
    name, changed = named_settings(Settings(), str(file))
    assert name == "b.env"
    assert (changed.trusted_sha256, changed.score_floor) == ("aa,bb", 0.1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SCORE_FLOR=0.1", "no setting SCORE_FLOR"),
        ("SCORE_FLOOR=7", "SCORE_FLOOR"),
        ("gone.env", "neither a file"),
    ],
)
def test_what_cannot_work_is_named(text: str, message: str) -> None:
    """A typo is no silent default."""
    with pytest.raises(SettingsError, match=message):
        named_settings(Settings(), text)


def test_baselines_are_the_seeds_ways_whatever_is_in_force() -> None:
    """Every detection above 0.5 with a squashed crop; the best one alone, picture by picture."""
    settings = Settings(
        score_floor=0.1, crop_rule="center", min_score=0.4, quality="best", detector_flip=True
    )
    article, code = (baseline_settings(settings, one) for one in BASELINES)
    for side in (article, code):
        assert (side.score_floor, side.crop_rule, side.min_score) == (0.5, "squash", -0.3)
        assert side.detector_input_size == 640
        assert (side.further_sizes, side.detector_flip, side.pooling) == ("", False, "own")
        assert (side.label_weight, side.fold) == (0.0, False)
    assert (article.max_objects, code.max_objects, code.batch_pictures) == (300, 1, 1)


def _ran(detector: str, embedder: str, precision: str) -> Measurement:
    description = fake_description().to_json()
    description["detector"]["runtime"] = detector
    description["embedder"] |= {"runtime": embedder, "precision": precision}
    return replace(sample_measurement("first"), description=description)


def test_further_sides_run_as_the_first_one_settled() -> None:
    """What is named stays; other embedders and mixed runtimes settle for themselves."""
    first = _ran("openvino", "openvino", "int8")
    alike = run_like(Settings(crop_rule="squash"), first)
    assert (alike.runtime, alike.precision, alike.crop_rule) == ("openvino", "int8", "squash")
    assert run_like(Settings(precision="fp32"), first).precision == "fp32"
    assert run_like(Settings(embedder="fake-embedder"), first).precision == "int8"
    assert run_like(Settings(embedder="resnet18"), first).precision == "auto"
    assert run_like(Settings(), _ran("native", "openvino", "fp32")).runtime == "auto"
    assert run_like(Settings(), sample_measurement("nothing known")).runtime == "auto"


def test_comparison_has_what_both_sides_have() -> None:
    """Pictures are paired by name; measures of one side only are left out."""
    first, second = Tally(), Tally()
    for number in range(20):
        first.add(str(number), 0.0)
        second.add(str(number), 1.0)
    a = sample_measurement("a", coverage=first, image_p10=first)
    b = sample_measurement("b", coverage=second)
    found = compare(a, b).differences
    assert list(found) == ["coverage"]
    assert (found["coverage"].value, found["coverage"].pictures) == (1.0, 20)
    assert found["coverage"].verdict(more_is_better=True) == "better"
    assert found["coverage"].verdict(more_is_better=False) == "worse"
    assert found["coverage"].verdict(more_is_better=None) == "more"
    same = compare(a, a).differences["coverage"]
    assert same.verdict(more_is_better=True) == "unclear"
