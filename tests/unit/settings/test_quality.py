"""A quality expands into other settings; what is given wins."""

from __future__ import annotations

import pytest

from embedding_pipeline.settings import QUALITIES, Settings


def test_every_quality_sets_settings_that_are_there() -> None:
    """The names are settings, and the default quality is what their defaults say."""
    assert set(QUALITIES) == {"plain", "default", "best"}
    assert QUALITIES["default"] == {}
    for values in QUALITIES.values():
        assert set(values) <= set(Settings.model_fields)


@pytest.mark.parametrize("quality", ["plain", "best"])
def test_a_quality_sets_what_is_not_given(quality: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All its values, from the environment too."""
    monkeypatch.setenv("BOXSEEK_QUALITY", quality)
    settings = Settings(_env_file=None)
    for name, value in QUALITIES[quality].items():
        assert getattr(settings, name) == value


def test_what_is_given_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting of the environment or of a call stays, the others follow the quality."""
    monkeypatch.setenv("BOXSEEK_SCORE_FLOOR", "0.4")
    settings = Settings(_env_file=None, quality="best", nms_iou=0.5)
    assert (settings.score_floor, settings.nms_iou) == (0.4, 0.5)
    assert settings.further_sizes == "960,1280"
