"""kill -9 at seeded moments, then again: the same state as one undisturbed run.

On the embedded pair and on Elasticsearch with S3; BOXSEEK_TEST_KILLS says how often on each.
"""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from embedding_pipeline.bootstrap import build_catalog
from embedding_pipeline.cli.ingesting import Manner, run_ingest
from embedding_pipeline.cli.priority import BACKFILL_NICE
from embedding_pipeline.ingest.failures import LEDGERS
from embedding_pipeline.ingest.ingest_run import IngestOptions, ledger_path
from embedding_pipeline.ingest.ledger import Ledger
from embedding_pipeline.settings import Settings
from minio_proxy.bootstrap import build_services
from support.indexes_elasticsearch import elasticsearch_settings
from support.ingest_fake_boxseek import logging_models
from support.ingest_workshop import fill_folder, jpeg
from support.servers import TestServers
from support.stores_s3 import random_bucket, remove_bucket

PICTURES = 30
BATCH = 4
KILLS = int(os.environ.get("BOXSEEK_TEST_KILLS", "3"))
SUMS = "33 found = 30 indexed, 1 duplicate, 2 rejected, 0 failed"
TESTS = Path(__file__).parents[2]
PAIRS = [
    pytest.param("embedded"),
    pytest.param("servers", marks=[pytest.mark.elasticsearch, pytest.mark.s3]),
]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty pictures, one copy, one text and one damaged file."""
    folder = tmp_path_factory.mktemp("kill") / "photos"
    fill_folder(folder, PICTURES)
    (folder / "0010-copy.jpg").write_bytes(jpeg(10))
    (folder / "0011-notes.jpg").write_text("no picture")
    (folder / "0020-cut.jpg").write_bytes(jpeg(500)[:300])
    return folder


@pytest.fixture(scope="module", params=PAIRS)
def servers(request: pytest.FixtureRequest) -> TestServers | None:
    """The servers to work on; None for the embedded pair."""
    found: TestServers | None = None
    if request.param == "servers":
        found = request.getfixturevalue("test_servers")
    return found


@pytest.fixture(scope="module")
def undisturbed(
    photos: Path, servers: TestServers | None, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, object]:
    """State after one run that nobody killed."""
    with empty_place(tmp_path_factory.mktemp("undisturbed"), servers) as settings:
        run_to_the_end(photos, settings)
        return state(photos, settings)


@pytest.mark.parametrize("seed", range(1, KILLS + 1))
def test_a_killed_run_is_finished_by_the_next(
    seed: int,
    photos: Path,
    servers: TestServers | None,
    undisturbed: dict[str, object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is lost, nothing double, at most one batch of model work done again."""
    choice = random.Random(seed)
    log = tmp_path / "work.log"
    with empty_place(tmp_path, servers) as settings:
        process = start(photos, settings, log)
        wait_for_lines(log, choice.randint(0, PICTURES), process)
        time.sleep(choice.random() * 0.1)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        monkeypatch.setenv("BOXSEEK_TEST_WORK_LOG", str(log))
        run_to_the_end(photos, settings)
        assert state(photos, settings) == undisturbed
    worked = Counter(log.read_text().split())
    assert len(worked) == PICTURES
    assert worked.total() - len(worked) <= BATCH


def test_ctrl_c_ends_in_order(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGINT finishes the batch in flight, prints how to go on, and loses no work.

    The run has the lower priority that ``boxseek ingest`` gives itself.
    """
    log = tmp_path / "work.log"
    with empty_place(tmp_path, None) as settings:
        process = start(photos, settings, log, nice=BACKFILL_NICE)
        wait_for_lines(log, 1, process)
        own = os.getpriority(os.PRIO_PROCESS, 0)
        lowered = os.getpriority(os.PRIO_PROCESS, process.pid)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 1, err
        assert f"boxseek ingest {photos}" in out
        assert "Traceback" not in err
        assert lowered == min(own + BACKFILL_NICE, 19)
        monkeypatch.setenv("BOXSEEK_TEST_WORK_LOG", str(log))
        run_to_the_end(photos, settings)
    worked = Counter(log.read_text().split())
    assert worked.total() == len(worked) == PICTURES


@contextmanager
def empty_place(folder: Path, servers: TestServers | None) -> Iterator[Settings]:
    """Settings of an empty data folder and, on servers, of a bucket and index of its own."""
    fields: dict[str, Any] = {"data_dir": folder / "data", "batch_pictures": BATCH}
    if servers is None:
        yield Settings(**fields)
        return
    bucket = random_bucket()
    fields |= {
        "store": "s3",
        "s3_endpoint": servers.s3_endpoint,
        "s3_access_key": servers.s3_access_key,
        "s3_secret_key": servers.s3_secret_key,
        "s3_bucket": bucket,
    }
    with ExitStack() as stack:
        stack.callback(remove_bucket, servers, bucket)
        yield stack.enter_context(elasticsearch_settings(servers.elasticsearch_url, **fields))


def run_to_the_end(photos: Path, settings: Settings) -> None:
    """A run in this process, which must bring every picture into its state."""
    with redirect_stdout(io.StringIO()) as out:
        code = run_ingest(
            settings, str(photos), IngestOptions(collection="test"), Manner(nice=0), logging_models
        )
    assert code == 0
    assert SUMS in out.getvalue()


def start(photos: Path, settings: Settings, log: Path, *, nice: int = 0) -> subprocess.Popen[str]:
    """Start a backfill with fake models as a process of its own."""
    environment = os.environ | environment_of(settings)
    environment |= {
        "PYTHONPATH": str(TESTS),
        "BOXSEEK_TEST_WORK_LOG": str(log),
        "BOXSEEK_TEST_SLOW_S": "0.05",
        "BOXSEEK_TEST_NICE": str(nice),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "support.ingest_fake_boxseek", "ingest", str(photos)],
        env=environment,
        cwd=log.parent,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def environment_of(settings: Settings) -> dict[str, str]:
    """The settings that were given, as variables."""
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    texts = {
        name: value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
        for name, value in given.items()
    }
    return {f"BOXSEEK_{name.upper()}": text for name, text in texts.items()}


def wait_for_lines(log: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until so much model work was done; for none, until the run has begun."""
    begun = log.parent / "data" / LEDGERS
    until = time.monotonic() + 60
    while time.monotonic() < until:
        done = len(log.read_text().split()) if log.exists() else 0
        if begun.exists() and done >= count:
            return
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.005)
    raise AssertionError(f"no {count} lines of work")


def state(photos: Path, settings: Settings) -> dict[str, object]:
    """Everything that two runs must have in common."""
    ledger = Ledger(ledger_path(settings.data_dir / LEDGERS, f"folder:{photos}", "test"))
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
