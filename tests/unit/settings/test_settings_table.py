"""docs/settings.md against the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from embedding_pipeline.cli.outcome import load_settings
from embedding_pipeline.cli.settings_table import settings_table
from embedding_pipeline.settings import Settings
from minio_proxy.errors import SettingsError

DOCUMENT = Path(__file__).parents[3] / "docs" / "settings.md"


def test_the_documented_table_is_that_of_the_code() -> None:
    """Names, defaults and sentences; make it anew with the module that the page names."""
    documented = [
        line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("|")
    ]
    assert documented == settings_table().splitlines()


def test_every_setting_says_what_it_is() -> None:
    """A description is a sentence, and secrets show no default."""
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
    assert "SecretStr" not in settings_table()


def test_every_variable_of_the_project_is_documented() -> None:
    """No text of the packages names a BOXSEEK_ variable that the table lacks."""
    known = set(re.findall(r"`(BOXSEEK_[A-Z0-9_]+)`", settings_table()))
    known |= {"BOXSEEK_TEST_DATA", "BOXSEEK_DEBUG"}
    root = DOCUMENT.parents[1]
    for folder in ("minio-proxy", "embedding-pipeline"):
        for path in (root / folder).rglob("*.py"):
            named = set(re.findall(r"BOXSEEK_[A-Z0-9]+(?:_[A-Z0-9]+)*", path.read_text("utf-8")))
            unknown = {name for name in named - known if not name.startswith("BOXSEEK_TEST_")}
            assert not unknown, (path.name, unknown)


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A .env file counts where the environment says nothing."""
    Path(".env").write_text("BOXSEEK_PORT=9001\nBOXSEEK_DETECTOR=yolo11s\n", encoding="utf-8")
    monkeypatch.setenv("BOXSEEK_PORT", "9002")
    settings = load_settings()
    assert (settings.port, settings.detector) == (9002, "yolo11s")


@pytest.mark.parametrize(("name", "value"), [("BOXSEEK_PORT", "70000"), ("BOXSEEK_MODELS", "moon")])
def test_a_setting_that_cannot_work_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """The message names the variable and what it holds."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name}='{value}'"):
        load_settings()
