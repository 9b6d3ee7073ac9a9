"""Loading and running the packaged models leaves no trace outside the data folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.models

RUN = """
import sys
from pathlib import Path
import numpy as np
from embedding_pipeline.models.resolve import resolve_models
from embedding_pipeline.settings import Settings

models = resolve_models(Settings(models="packaged", data_dir=Path(sys.argv[1])))
models.detector.detect([np.zeros((64, 64, 3), np.uint8)])
assert "onnxruntime" in sys.modules
"""


def test_models_write_nothing_into_home(tmp_path: Path) -> None:
    """No settings of Ultralytics, no device id or telemetry queue of ONNX Runtime."""
    home = tmp_path / "home"
    home.mkdir()
    # ONNX Runtime is silent by itself where CI is set; a user's machine has none of these.
    silencing = ("CI", "ORT_", "YOLO_", "GITHUB_", "TF_BUILD", "XDG_")
    env = {name: text for name, text in os.environ.items() if not name.startswith(silencing)}
    subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path / "data")],
        env=env | {"HOME": str(home)},
        cwd=tmp_path,
        check=True,
        timeout=300,
    )
    assert list(home.rglob("*")) == []
