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
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.ingest_workshop import fill_folder

TESTS = Path(__file__).parents[2]
PICTURES = 12
BATCH = 2


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A dozen pictures."""
    fill_folder(tmp_path / "photos", PICTURES)
    return tmp_path / "photos"


class Demo:
    """A demo with fake models on a free port."""

    def __init__(self, photos: Path, data: Path, *, gate: Path | None = None) -> None:
        data.mkdir(exist_ok=True)
        environment = os.environ | {
            "PYTHONPATH": str(TESTS),
            "BOXSEEK_DATA_DIR": str(data),
            "BOXSEEK_PORT": "0",
            "BOXSEEK_BATCH_PICTURES": str(BATCH),
            "BOXSEEK_TEST_GATE": str(gate or ""),
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
        _started.append(self.process)
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
        # Not longer: nobody reads its access log, and a full pipe would hold it up.
        until = time.monotonic() + 30
        while time.monotonic() < until:
            status = self.status()
            if status["counts"] and status["counts"]["images"] >= done:
                return status
            time.sleep(0.1)
        raise AssertionError(f"no {done} images: {status}")

    def worked(self) -> Counter[str]:
        """How often the models saw each picture, over all starts."""
        return Counter((self.data / "work.log").read_text().split())

    def wait_for_ending(self) -> None:
        """Wait until it has said that it ends."""
        assert self.process.stderr is not None
        told = ""
        while "ending\n" not in told:
            line = self.process.stderr.readline()
            assert line, told
            told += line

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Interrupt; exit code and what was written to standard error."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


_started: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def _no_demo_outlives_its_test() -> Iterator[None]:
    """End what a failed test left running, so that it serves nobody for ever."""
    yield
    while _started:
        with _started.pop() as process:
            process.kill()


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
    assert again.worked().total() == PICTURES


def test_ctrl_c_in_the_middle_and_two_side_by_side(photos: Path, tmp_path: Path) -> None:
    """Each has its port and folder; an interrupted one ends with 0 and goes on next time."""
    gate = tmp_path / "gate"
    gate.touch()
    held = Demo(photos, tmp_path / "held", gate=gate)
    quick = Demo(photos, tmp_path / "quick")
    held.wait_for(BATCH)
    held.process.send_signal(signal.SIGINT)
    held.wait_for_ending()
    gate.unlink()
    _, err = held.process.communicate(timeout=60)
    assert (held.process.returncode, "Traceback" in err) == (0, False), err
    # What the gate let through, and the batch in flight.
    assert held.worked().total() <= 3 * BATCH
    quick.wait_for(PICTURES)
    code, err = quick.end()
    assert (code, "Traceback" in err) == (0, False), err
    rest = Demo(photos, tmp_path / "held")
    rest.wait_for(PICTURES)
    assert rest.end()[0] == 0
    worked = rest.worked()
    assert len(worked) == PICTURES
    # On a busy machine it may be ended before the batch in flight is kept.
    assert worked.total() <= PICTURES + BATCH
