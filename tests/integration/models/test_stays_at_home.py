"""Loading and running the packaged models leaves no trace outside the data folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.models

WATCHED = """
import socket, sys
from pathlib import Path
import numpy as np
from embedding_pipeline.models.artifacts import Artifacts
from embedding_pipeline.models.resolve import resolve_models
from embedding_pipeline.settings import Settings
from minio_proxy.bootstrap import build_store

def told(*call):
    Path(sys.argv[2]).write_text(repr(call[1:]))
    raise OSError("nobody is called")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = told
"""

NATIVE = """
models = resolve_models(
    Settings(models="packaged", data_dir=Path(sys.argv[1]), runtime="native", precision="fp32")
)
models.detector.detect([np.zeros((64, 64, 3), np.uint8)])
assert "onnxruntime" in sys.modules
"""

CALIBRATING = """
import cv2
settings = Settings(
    models="packaged",
    data_dir=Path(sys.argv[1]),
    embedder="random:test_vit",
    detector_input_size=160,
    runtime="openvino",
    precision="int8",
)
picture = np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)
files = [bytes(cv2.imencode(".png", picture)[1])]
models = resolve_models(settings, artifacts=Artifacts(build_store(settings)), samples=lambda: files)
models.detector.detect([picture])
assert models.description.embedder.artifact
assert {"openvino", "nncf"} <= set(sys.modules)
assert sys.modules["openvino_telemetry"] is None
"""


@pytest.mark.parametrize("run", [NATIVE, CALIBRATING], ids=["native", "openvino-calibrating"])
def test_models_write_nothing_into_home_and_call_nobody(tmp_path: Path, run: str) -> None:
    """No settings of Ultralytics, no telemetry of ONNX Runtime, OpenVINO or NNCF, no address."""
    home, called = tmp_path / "home", tmp_path / "called"
    home.mkdir()
    # Libraries are silent by themselves where CI is set; a user's machine has none of these.
    silencing = ("CI", "ORT_", "YOLO_", "GITHUB_", "TF_BUILD", "XDG_", "NNCF_", "JENKINS", "PYTEST")
    env = {name: text for name, text in os.environ.items() if not name.startswith(silencing)}
    subprocess.run(
        [sys.executable, "-c", WATCHED + run, str(tmp_path / "data"), str(called)],
        env=env | {"HOME": str(home)},
        cwd=tmp_path,
        check=True,
        timeout=300,
    )
    assert list(home.rglob("*")) == []
    assert not called.exists(), called.read_text()
