"""boxseek demo as a process: serves while it indexes, starts again quickly, ends cleanly."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from support.ingest_workshop import fill_folder

TESTS = Path(__file__).parents[2]
PICTURES = 12


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A dozen pictures."""
    fill_folder(tmp_path / "photos", PICTURES)
    return tmp_path / "photos"


class Demo:
    """A demo with fake models on a free port."""

    def __init__(self, photos: Path, data: Path, *, slow_s: float = 0.0) -> None:
        data.mkdir(exist_ok=True)
        environment = os.environ | {
            "PYTHONPATH": str(TESTS),
            "BOXSEEK_DATA_DIR": str(data),
            "BOXSEEK_PORT": "0",
            "BOXSEEK_BATCH_PICTURES": "2",
            "BOXSEEK_TEST_SLOW_S": str(slow_s),
            "BOXSEEK_TEST_WORK_LOG": str(data / "work.log"),
        }
        self.data = data
        self.process = subprocess.Popen(
            [sys.executable, "-m", "support.ingest_fake_boxseek", "demo", str(photos)],
            env=environment,
            cwd=data,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found, line + self.process.communicate()[1]
        self.address = found[0]

    def status(self) -> dict[str, Any]:
        """GET /v1/status."""
        with urllib.request.urlopen(f"{self.address}/v1/status", timeout=60) as answer:  # noqa: S310
            status: dict[str, Any] = json.load(answer)
        return status

    def wait_for(self, done: int) -> dict[str, Any]:
        """Wait until so many pictures are indexed."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            status = self.status()
            if status["counts"] and status["counts"]["images"] >= done:
                return status
            time.sleep(0.05)
        raise AssertionError(f"no {done} images: {status}")

    def worked(self) -> int:
        """Pictures that the models saw, over all starts."""
        log = self.data / "work.log"
        return len(log.read_text().split()) if log.exists() else 0

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Interrupt; exit code and what was written to standard error."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


def test_it_serves_while_it_indexes_and_starts_again(photos: Path, tmp_path: Path) -> None:
    """All pictures come in; the second start does no model work."""
    demo = Demo(photos, tmp_path / "data")
    status = demo.wait_for(PICTURES)
    assert status["counts"]["objects"] == 4 * PICTURES
    code, err = demo.end()
    assert (code, "Traceback" in err) == (0, False), err
    again = Demo(photos, tmp_path / "data")
    assert again.wait_for(PICTURES)["counts"]["images"] == PICTURES
    code, err = again.end(signal.SIGTERM)
    assert (code, "Traceback" in err) == (0, False), err
    assert again.worked() == PICTURES


def test_ctrl_c_in_the_middle_and_two_side_by_side(photos: Path, tmp_path: Path) -> None:
    """Each has its port and folder; an interrupted one ends with 0 and goes on next time."""
    quick = Demo(photos, tmp_path / "quick")
    slow = Demo(photos, tmp_path / "slow", slow_s=2)
    slow.wait_for(1)
    code, err = slow.end()
    assert (code, "Traceback" in err) == (0, False), err
    quick.wait_for(PICTURES)
    code, err = quick.end()
    assert (code, "Traceback" in err) == (0, False), err
    assert slow.worked() < PICTURES
    rest = Demo(photos, tmp_path / "slow")
    rest.wait_for(PICTURES)
    assert rest.end()[0] == 0
    assert rest.worked() == PICTURES
