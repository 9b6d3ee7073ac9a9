"""boxseek models list, show and pull."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from embedding_pipeline.cli.model_commands import pull_models, show_models, show_one_model
from embedding_pipeline.errors import UnknownModel, WeightsNotFound
from embedding_pipeline.settings import Settings


@pytest.mark.models
def test_packaged_weights_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Both packaged models, with role and SHA-256."""
    assert show_models(Settings(), as_json=True) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {(row["name"], row["role"], row["origin"]) for row in rows} == {
        ("yolo11n", "detector", "packaged"),
        ("tf_efficientnet_lite0", "embedder", "packaged"),
    }
    assert all(len(row["sha256"]) == 64 and Path(row["path"]).is_file() for row in rows)


@pytest.mark.models
def test_one_model_is_shown_or_where_it_would_come_from(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A packaged one with its file, another with its address."""
    settings = Settings(detector_release_url="http://127.0.0.1:9/release")
    show_one_model(settings, "yolo11n")
    assert "packaged" in capsys.readouterr().out
    show_one_model(settings, "yolo11s")
    assert "http://127.0.0.1:9/release/yolo11s.pt" in capsys.readouterr().out
    with pytest.raises(UnknownModel, match="no_such_model"):
        show_one_model(settings, "no_such_model")


def test_a_hub_that_cannot_be_reached_is_told() -> None:
    """The error says what was looked for and where."""
    settings = Settings(
        detector_release_url="http://127.0.0.1:9/release", hub_connect_timeout_s=0.5
    )
    with pytest.raises(WeightsNotFound, match="yolo11n"):
        pull_models(settings, ["yolo11n"])
