"""What a run of another process is doing."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embedding_pipeline.ingest.progress import Progress
from embedding_pipeline.ingest.run_file import STALE_S, OtherRun, announced, other_runs

OTHER = """
import sys, time
from pathlib import Path
from embedding_pipeline.ingest.progress import Progress
from embedding_pipeline.ingest.run_file import announced
progress = Progress()
progress.begin()
progress.planned(10, complete=True)
for _ in range(3):
    progress.finished("indexed", 2)
with announced(Path(sys.argv[1]), "reindex", "new models", progress):
    print("begun", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run in another process."""
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    yield process
    process.kill()
    process.communicate()


def seen(folder: Path) -> list[OtherRun]:
    """Runs once the file is there."""
    until = time.monotonic() + 20
    while not (found := other_runs(folder)) and time.monotonic() < until:
        time.sleep(0.02)
    return found


def test_a_run_is_seen_until_it_is_killed(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    """A file that outlives its process counts for nothing."""
    [run] = seen(tmp_path)
    assert (run.kind, run.what, run.done, run.total) == ("reindex", "new models", 3, 10)
    assert run.left_s is not None
    other.kill()
    other.wait(20)
    assert (tmp_path / "run-reindex.json").exists()
    assert other_runs(tmp_path) == []


def test_the_own_run_is_no_other(tmp_path: Path) -> None:
    """The file is gone when the run is over."""
    progress = Progress()
    progress.begin()
    folder = tmp_path / "ledgers"
    with announced(folder, "ingest", "folder:/photos", progress):
        until = time.monotonic() + 20
        while not (folder / "run-ingest.json").exists() and time.monotonic() < until:
            time.sleep(0.01)
        assert other_runs(folder) == []
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        pytest.param({}, 1, id="a young file of another machine"),
        pytest.param({"at": 0.0}, 0, id="an old one"),
        pytest.param({"at": time.time() - STALE_S - 60}, 0, id="one not renewed"),
        pytest.param({"state": "idle"}, 0, id="nothing to do"),
        pytest.param({"done": None}, 0, id="nonsense"),
    ],
)
def test_on_another_machine_the_age_of_the_file_decides(
    changes: dict[str, Any], count: int, tmp_path: Path, other: subprocess.Popen[str]
) -> None:
    """Process numbers of another machine or container say nothing here."""
    assert seen(tmp_path)
    other.kill()
    other.wait(20)
    path = tmp_path / "run-reindex.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"host": "elsewhere"} | changes))
    assert len(other_runs(tmp_path)) == count
    path.write_text("{")
    assert other_runs(tmp_path) == []
