"""`boxseek eval` from the command line to its files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from embedding_pipeline.cli.app import app

pytestmark = pytest.mark.models


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Two classes of two pictures, and one that is none."""
    for label, seed in (("x", 1), ("y", 5)):
        for number in range(2):
            pixels = np.random.default_rng(seed).integers(0, 255, (60, 80, 3), dtype=np.uint8)
            pixels[:, :20] += np.uint8(number)
            (tmp_path / "set" / label).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / "set" / label / f"{number}.png")
    (tmp_path / "set" / "y" / "00.png").write_bytes(b"no picture")
    return tmp_path / "set"


def test_eval_writes_table_json_and_report(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sides and the two baselines; a bad picture is named and makes the exit code 1."""
    monkeypatch.setenv("BOXSEEK_MODELS", "packaged")
    monkeypatch.setenv("BOXSEEK_RUNTIME", "native")
    files = ["--json", str(tmp_path / "r.json"), "--html", str(tmp_path / "r.html")]
    sides = ["--compare", "", "CROP_RULE=squash,MIN_SCORE=0.99"]
    done = CliRunner().invoke(app, ["eval", str(place), *sides, *files], standalone_mode=False)
    assert done.exception is None
    assert done.return_value == 1
    assert "y/00.png" in done.output
    assert "whole pictures: mAP@10" in done.output
    value = json.loads((tmp_path / "r.json").read_text())
    assert [row["name"] for row in value["rows"]][:2] == [
        "settings in force",
        "CROP_RULE=squash,MIN_SCORE=0.99",
    ]
    assert len(value["rows"]) == 4
    descriptions = [row["description"]["embedder"]["crop_rule"] for row in value["rows"]]
    assert descriptions == ["letterbox", "squash", "squash", "squash"]
    assert [row["search"]["min_score"] for row in value["rows"]] == [-1.0, 0.99, -0.3, -0.3]
    assert value["rows"][0]["figures"]["image_map10"]["value"] == 1.0
    assert value["difference"]["measures"]["nothing_wrong"]["pictures"] == 2
    page = (tmp_path / "r.html").read_text()
    assert "CROP_RULE=squash" in page
    assert "data:image/jpeg" in page


def test_list_recipes_and_missing_data() -> None:
    """Recipes need no data; a measurement does."""
    listed = CliRunner().invoke(app, ["eval", "--list-recipes"], standalone_mode=False)
    assert listed.return_value == 0
    assert "cifar" in listed.output
    missing = CliRunner().invoke(app, ["eval"], standalone_mode=False)
    assert "say what to measure on" in str(missing.exception)
