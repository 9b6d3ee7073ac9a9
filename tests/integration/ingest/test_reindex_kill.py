"""kill -9 in the middle of a reindex: the old version serves on, the next run ends it."""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, redirect_stdout
from pathlib import Path

import pytest

from embedding_pipeline.bootstrap import Boxseek, build_catalog
from embedding_pipeline.cli.rebuilding import run_reindex
from embedding_pipeline.ingest.library import Upload
from embedding_pipeline.settings import Settings
from support.api_app import png, settings_of
from support.indexes_elasticsearch import elasticsearch_settings
from support.reindex_models import NEW, OLD, WANTED, sized_models

PICTURES = 30
BATCH = 4
KILLS = int(os.environ.get("BOXSEEK_TEST_KILLS", "3"))
TESTS = Path(__file__).parents[2]
BACKENDS = [
    pytest.param("lancedb"),
    pytest.param("elasticsearch", marks=pytest.mark.elasticsearch),
]
COMMAND = (
    "from embedding_pipeline.cli.outcome import load_settings, run_command\n"
    "from embedding_pipeline.cli.rebuilding import run_reindex\n"
    "from support.reindex_models import sized_models\n"
    "run_command(lambda: run_reindex(load_settings(), {}, nice=0, models=sized_models))\n"
)


@pytest.fixture(params=BACKENDS)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """An index of thirty pictures, made by the old models."""
    with ExitStack() as stack:
        made = settings_of(tmp_path, batch_pictures=BATCH)
        if request.param == "elasticsearch":
            url = request.getfixturevalue("test_servers").elasticsearch_url
            made = stack.enter_context(
                elasticsearch_settings(url, data_dir=made.data_dir, batch_pictures=BATCH)
            )
        with Boxseek.open(made, models=sized_models) as boxseek:
            boxseek.wait_ready(60)
            uploads = [Upload(f"{n}.png", png(n), "old") for n in range(PICTURES)]
            assert {one.status for one in boxseek.library.add(uploads)} == {"indexed"}
        yield made


def start(settings: Settings, log: Path, length: int) -> subprocess.Popen[str]:
    """Begin a reindex as a process of its own."""
    given = {name: str(getattr(settings, name)) for name in settings.model_fields_set}
    environment = os.environ | {f"BOXSEEK_{name.upper()}": text for name, text in given.items()}
    environment |= {
        "PYTHONPATH": str(TESTS),
        WANTED: str(length),
        "BOXSEEK_TEST_WORK_LOG": str(log),
        "BOXSEEK_TEST_SLOW_S": "0.05",
    }
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND],
        env=environment,
        cwd=log.parent,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def kill_after(process: subprocess.Popen[str], log: Path, pictures: int, pause_s: float) -> None:
    """Kill -9 once so many pictures were worked on, or at the end."""
    until = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < until:
        if log.exists() and len(log.read_text().split()) >= pictures:
            break
        time.sleep(0.005)
    time.sleep(pause_s)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)


def check(settings: Settings, length: int) -> None:
    """Check that the active version is whole, of these models, and alone with the one before."""
    with Boxseek.open(settings, models=sized_models) as boxseek:
        boxseek.wait_ready(60)
        stored = boxseek.originals.keys(limit=1000)
        with closing(boxseek.catalog.open()) as index:
            assert index.version.description.embedder.dimension == length
            assert [one.image_key for one in index.pictures(limit=1000)] == stored
            assert all(index.picture(key).vectors.shape == (5, length) for key in stored)  # type: ignore[union-attr]
        page = boxseek.search(png(3), limit=1)
        assert page.hits[0].score > 0.999


@pytest.mark.parametrize("seed", range(1, KILLS + 1))
def test_a_killed_reindex_leaves_the_old_version_and_is_taken_up(
    seed: int, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole before and after; no version is left over; work in the new version is kept."""
    choice = random.Random(seed)
    log = tmp_path / "work.log"
    process = start(settings, log, NEW)
    kill_after(process, log, choice.randint(1, PICTURES), choice.random() * 0.3)
    with closing(build_catalog(settings)) as catalog:
        active = catalog.active()
    assert active is not None
    check(settings, active.description.embedder.dimension)
    monkeypatch.setenv(WANTED, str(NEW))
    with redirect_stdout(io.StringIO()):
        assert run_reindex(settings, {}, nice=0, models=sized_models) == 0
    check(settings, NEW)
    with closing(build_catalog(settings)) as catalog:
        assert [(one.active, one.previous) for one in catalog.versions()] == [
            (False, True),
            (True, False),
        ]


def test_what_a_killed_run_with_other_models_left_is_dropped(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An orphan is recognized although the run died without telling anybody its name."""
    log = tmp_path / "work.log"
    process = start(settings, log, NEW)
    kill_after(process, log, 1, 0.0)
    check(settings, OLD)
    monkeypatch.setenv(WANTED, str(NEW + 8))
    with redirect_stdout(io.StringIO()):
        assert run_reindex(settings, {}, nice=0, models=sized_models) == 0
    with closing(build_catalog(settings)) as catalog:
        lengths = [one.description.embedder.dimension for one in catalog.versions()]
    assert lengths == [OLD, NEW + 8]
