"""The Python example of the README does what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import ultralytics

from support.servers import ROOT

ASSETS = Path(ultralytics.__file__).parent / "assets"


@pytest.mark.models
def test_python_example_runs_as_it_stands(tmp_path: Path) -> None:
    """Copied out of the README, it indexes a folder and finds the bus first, by its object."""
    text = (ROOT / "README.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len([line for line in example.splitlines() if line.strip()]) <= 10
    (tmp_path / "photos").mkdir()
    for name in ("bus.jpg", "zidane.jpg"):
        shutil.copy(ASSETS / name, tmp_path / "photos" / name)
    shutil.copy(ASSETS / "bus.jpg", tmp_path / "query.jpg")
    shown = subprocess.run(
        [sys.executable, "-c", example],
        cwd=tmp_path,
        env={
            **os.environ,
            "BOXSEEK_MODELS": "packaged",
            "BOXSEEK_DATA_DIR": str(tmp_path / "data"),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    first, *hits = shown.stdout.splitlines()
    assert first == "searched for: bus"
    assert len(hits) == 2
    assert hits[0].startswith("1.00 ")
    assert "'bus'" in hits[0]
