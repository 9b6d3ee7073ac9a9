"""Making the virtual environment, as far as it needs no network."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from types import ModuleType

import pytest

from support.servers import ROOT


@pytest.fixture
def script() -> ModuleType:
    """infra/setup/make_venv.py as a module."""
    file = ROOT / "infra" / "setup" / "make_venv.py"
    spec = importlib.util.spec_from_file_location("make_venv", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_another_python_gets_a_clear_message(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.12 is told which Python is needed and how to name it."""
    version = namedtuple("version", "major minor micro")(3, 12, 1)  # noqa: PYI024 - stands in for sys.version_info
    monkeypatch.setattr(script.sys, "version_info", version)
    with pytest.raises(SystemExit, match=r"needs Python 3\.11; this is Python 3\.12\.1"):
        script.check_python()


def test_cpu_builds_are_taken_where_their_index_answers(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a GPU and with PyTorch's index in reach, torch comes from there, alone."""
    commands: list[list[str]] = []
    monkeypatch.setattr(script.shutil, "which", lambda _tool: None)
    monkeypatch.setattr(script, "reachable", lambda _url: True)
    monkeypatch.setattr(script, "run", commands.append)
    script.install_torch(["uv", "install"], "http://127.0.0.1:1/cpu")
    assert commands == [
        [
            *["uv", "install", "--no-deps"],
            *["--index-url", "http://127.0.0.1:1/cpu", "torch", "torchvision"],
        ]
    ]
    assert "CPU builds" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("gpu", "said"),
    [
        pytest.param(True, "CUDA builds", id="gpu"),
        pytest.param(False, "does not answer", id="no index"),
    ],
)
def test_default_builds_otherwise(
    script: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    gpu: bool,
    said: str,
) -> None:
    """With a GPU, or without PyTorch's index, nothing special is installed, and it is said."""
    monkeypatch.setattr(
        script.shutil, "which", lambda _tool: "/usr/bin/nvidia-smi" if gpu else None
    )
    monkeypatch.setattr(script, "run", lambda command: pytest.fail(f"ran {command}"))
    script.install_torch(["uv", "install"], "http://127.0.0.1:1/cpu")
    assert said in capsys.readouterr().out


def test_failed_step_says_what_to_do(script: ModuleType) -> None:
    """A step that fails stops with its command and how to go on."""
    with pytest.raises(SystemExit, match="run the same make target again"):
        script.run([sys.executable, "-c", "raise SystemExit(3)"])


def test_import_cv2_needs_no_libgl() -> None:
    """The OpenCV that is installed is the headless build, so a bare server can import it."""
    code = "import cv2; print([l for l in cv2.getBuildInformation().splitlines() if 'GUI' in l])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "NONE" in shown.stdout
    libraries = subprocess.run(
        ["ldd", str(next(Path(sys.prefix).glob("lib/python3.11/site-packages/cv2/*.so")))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "libGL.so" not in libraries.stdout


def test_every_make_target_is_described() -> None:
    """`make help` lists every target that a person may call."""
    lines = (ROOT / "Makefile").read_text().splitlines()
    phony = next(line for line in lines if line.startswith(".PHONY")).split()[1:]
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [name for name in phony if f"m{name} " not in shown.stdout] == []
