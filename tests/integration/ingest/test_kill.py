"""kill -9 at seeded moments, then again: the same state as one undisturbed run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from embedding_pipeline.bootstrap import build_catalog
from embedding_pipeline.ingest.failures import LEDGERS
from embedding_pipeline.ingest.ingest_run import ledger_path
from embedding_pipeline.ingest.ledger import Ledger
from embedding_pipeline.settings import Settings
from minio_proxy.bootstrap import build_services
from support.ingest_workshop import fill_folder, jpeg

PICTURES = 30
BATCH = 4
TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty pictures, one copy, one text and one damaged file."""
    folder = tmp_path_factory.mktemp("kill") / "photos"
    fill_folder(folder, PICTURES)
    (folder / "0010-copy.jpg").write_bytes(jpeg(10))
    (folder / "0011-notes.jpg").write_text("no picture")
    (folder / "0020-cut.jpg").write_bytes(jpeg(500)[:300])
    return folder


@pytest.fixture(scope="module")
def undisturbed(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """State after one run that nobody killed."""
    data = tmp_path_factory.mktemp("undisturbed")
    process = start(photos, data)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "30 indexed, 1 duplicate, 2 rejected, 0 failed" in out
    return state(photos, data)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_killed_run_is_finished_by_the_next(
    seed: int, photos: Path, undisturbed: dict[str, object], tmp_path: Path
) -> None:
    """Nothing is lost, nothing double, at most one batch of model work done again."""
    choice = random.Random(seed)
    data = tmp_path / "data"
    process = start(photos, data)
    wait_for_lines(data / "work.log", choice.randint(1, PICTURES - BATCH), process)
    time.sleep(choice.random() * 0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    again = start(photos, data)
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert "33 found = 30 indexed, 1 duplicate, 2 rejected, 0 failed" in out
    assert state(photos, data) == undisturbed
    worked = Counter((data / "work.log").read_text().split())
    assert len(worked) == PICTURES
    assert worked.total() - len(worked) <= BATCH


def test_ctrl_c_ends_in_order(photos: Path, tmp_path: Path) -> None:
    """SIGINT finishes the batch in flight, prints how to go on, and loses no work."""
    data = tmp_path / "data"
    process = start(photos, data)
    wait_for_lines(data / "work.log", 1, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert f"boxseek ingest {photos}" in out
    assert "Traceback" not in err
    again = start(photos, data)
    out, _ = again.communicate(timeout=120)
    assert "30 indexed, 1 duplicate, 2 rejected, 0 failed" in out
    worked = Counter((data / "work.log").read_text().split())
    assert worked.total() == len(worked) == PICTURES


def start(photos: Path, data: Path) -> subprocess.Popen[str]:
    """Start a backfill with fake models as a process of its own."""
    data.mkdir(exist_ok=True)
    environment = os.environ | {
        "PYTHONPATH": str(TESTS),
        "BOXSEEK_DATA_DIR": str(data),
        "BOXSEEK_BATCH_PICTURES": str(BATCH),
        "BOXSEEK_TEST_WORK_LOG": str(data / "work.log"),
        "BOXSEEK_TEST_SLOW_S": "0.05",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "support.ingest_fake_boxseek", "ingest", str(photos)],
        env=environment,
        cwd=data,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def wait_for_lines(log: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until so much model work was done."""
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        if log.exists() and len(log.read_text().split()) >= count:
            return
        time.sleep(0.005)
    raise AssertionError(f"no {count} lines of work: {process.communicate()[1]}")


def state(photos: Path, data: Path) -> dict[str, object]:
    """Everything that two runs must have in common."""
    settings = Settings(data_dir=data)
    ledger = Ledger(ledger_path(data / LEDGERS, f"folder:{photos}", "test"))
    with closing(build_catalog(settings)) as catalog, closing(catalog.open()) as index:
        keys = [entry.image_key for entry in index.pictures(limit=1000)]
        pictures = [index.picture(key) for key in keys]
        counts = index.count()
    with build_services(settings) as services:
        stored = services.originals.keys()
        sources = [services.originals.record(key).sources for key in stored]
    return {
        "counts": counts,
        "stored": stored,
        "sources": sources,
        "entries": [
            [(e.object_id, e.label, e.box_xyxy, e.confidence, e.collections) for e in one.entries]
            for one in pictures
            if one is not None
        ],
        "vectors": [one.vectors.tobytes() for one in pictures if one is not None],
        "ledger": [(r.path, r.state, r.image_key, r.duplicate_of, r.code) for r in ledger.rows()],
    }
