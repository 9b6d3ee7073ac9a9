"""Another model without an outage: fill, catch up, flip, follow, roll back."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from embedding_pipeline.api.app import create_app
from embedding_pipeline.bootstrap import Boxseek, build_catalog
from embedding_pipeline.cli.index_commands import roll_back
from embedding_pipeline.cli.rebuilding import run_rebuild, run_reindex
from embedding_pipeline.errors import IngestError
from embedding_pipeline.ingest.failures import LEDGERS
from embedding_pipeline.ingest.key_locks import only_one
from embedding_pipeline.settings import Settings
from support.api_app import BASE, add, png, search, settings_of
from support.indexes_elasticsearch import elasticsearch_settings
from support.reindex_models import NEW, OLD, WANTED, sized_models

PICTURES = 24
BATCH = 4
FOLLOWED_S = 60.0
BACKENDS = [
    pytest.param("lancedb"),
    pytest.param("elasticsearch", marks=pytest.mark.elasticsearch),
]


@pytest.fixture(params=BACKENDS)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Settings of an empty place on each backend."""
    given: dict[str, Any] = {"data_dir": tmp_path / "data", "front_dir": tmp_path / "no-page"}
    given["batch_pictures"] = BATCH
    if request.param == "lancedb":
        yield settings_of(tmp_path, batch_pictures=BATCH)
        return
    servers = request.getfixturevalue("test_servers")
    with elasticsearch_settings(servers.elasticsearch_url, **given) as made:
        yield made


@pytest.fixture
def service(settings: Settings) -> Iterator[tuple[Boxseek, TestClient]]:
    """A service with the old models and some pictures."""
    with ExitStack() as stack:
        boxseek = stack.enter_context(Boxseek.open(settings, models=sized_models))
        boxseek.wait_ready(60)
        client = stack.enter_context(TestClient(create_app(boxseek), base_url=BASE))
        add(client, *(png(n) for n in range(PICTURES)), collection="first")
        yield boxseek, client


@pytest.fixture(autouse=True)
def wanted(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """New versions are made by the new models, once the old ones have made theirs."""
    if "service" in request.fixturenames:
        request.getfixturevalue("service")
    monkeypatch.setenv(WANTED, str(NEW))


class Visitors(threading.Thread):
    """Uploads, deletes, tags and searches until it is told to stop; keeps what was acknowledged."""

    def __init__(self, client: TestClient) -> None:
        super().__init__(name="visitors")
        self.client = client
        self.ended = threading.Event()
        self.added: dict[int, str] = {}
        self.deleted: set[int] = set()
        self.tagged: set[int] = set()
        self.searched = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        """One round after the other."""
        try:
            number = 1000
            while not self.ended.is_set():
                self._round(number)
                number += 1
        except BaseException as exc:  # noqa: BLE001 - shown by the test
            self.error = exc

    def _round(self, number: int) -> None:
        row = add(self.client, png(number), collection="late")[0]
        assert row["status"] == "indexed", row
        self.added[number] = row["image_key"]
        tagged = number % PICTURES
        if tagged not in self.deleted:
            assert add(self.client, png(tagged), collection="tagged")[0]["status"] == "duplicate"
            self.tagged.add(tagged)
        if number % 3 == 0 and number - 1 in self.added:
            key = self.added.pop(number - 1)
            assert self.client.delete(f"/v1/images/{key}").status_code == 204
        best = search(self.client, png(number), limit=1)["hits"][0]
        assert best["image_key"] == row["image_key"]
        assert best["score"] > 0.999
        self.searched += 1


def dimension(boxseek: Boxseek) -> int:
    """Vector length of the models that run."""
    assert boxseek.models is not None
    return boxseek.models.description.embedder.dimension


def wait_until_followed(boxseek: Boxseek, client: TestClient, length: int) -> None:
    """Ask until the service runs the models of the active version and nothing waits."""
    until = time.monotonic() + FOLLOWED_S
    while time.monotonic() < until:
        assert client.get("/readyz").status_code == 200
        if dimension(boxseek) == length and not boxseek.catch_up.noted():
            return
        time.sleep(0.05)
    raise AssertionError(f"still {dimension(boxseek)}, noted {boxseek.catch_up.noted()}")


def check_agreement(boxseek: Boxseek, length: int) -> None:
    """Check that the active version is a function of originals and records."""
    stored = boxseek.originals.keys(limit=10_000)
    with closing(boxseek.catalog.open()) as index:
        index.make_searchable()
        assert index.version.description.embedder.dimension == length
        assert [one.image_key for one in index.pictures(limit=10_000)] == stored
        for key in stored:
            found, record = index.picture(key), boxseek.originals.record(key)
            assert found is not None
            assert found.vectors.shape == (5, length)
            assert {one.collections for one in found.entries} == {record.collections}


def quietly(work: Any) -> tuple[int, str]:
    """Exit code and output of a command."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(out):
        code = work()
    return code, out.getvalue()


def test_another_model_without_an_outage(
    settings: Settings, service: tuple[Boxseek, TestClient]
) -> None:
    """Uploads, deletes, tags and searches go on through fill, flip and change of models."""
    boxseek, client = service
    visitors = Visitors(client)
    visitors.start()
    try:
        code, told = quietly(lambda: run_reindex(settings, {}, nice=0, models=sized_models))
        wait_until_followed(boxseek, client, NEW)
        time.sleep(0.3)
    finally:
        visitors.ended.set()
        visitors.join(60)
    assert visitors.error is None, visitors.error
    assert code == 0, told
    assert "find themselves first" in told
    assert "it is active now" in told
    assert visitors.searched > 3
    wait_until_followed(boxseek, client, NEW)
    check_agreement(boxseek, NEW)
    stored = boxseek.originals.keys(limit=10_000)
    assert set(visitors.added.values()) <= set(stored)
    assert len(stored) == PICTURES + len(visitors.added)


def test_a_rollback_switches_the_models_back_and_brings_what_came_since(
    settings: Settings, service: tuple[Boxseek, TestClient]
) -> None:
    """The version before is active again, with the pictures that it had missed."""
    boxseek, client = service
    assert quietly(lambda: run_reindex(settings, {}, nice=0, models=sized_models))[0] == 0
    wait_until_followed(boxseek, client, NEW)
    late = add(client, png(500))[0]["image_key"]
    gone = boxseek.originals.keys(limit=1)[0]
    assert client.delete(f"/v1/images/{gone}").status_code == 204
    code, told = quietly(lambda: roll_back(settings, sized_models))
    assert code == 0, told
    assert "is active again" in told
    wait_until_followed(boxseek, client, OLD)
    check_agreement(boxseek, OLD)
    assert search(client, png(500), limit=1)["hits"][0]["image_key"] == late


def test_the_same_models_again_only_bring_the_index_up_to_date(
    settings: Settings, service: tuple[Boxseek, TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No second version of the same models; what an interrupted flip left is mended."""
    boxseek, _ = service
    monkeypatch.setenv(WANTED, str(OLD))
    lost = boxseek.originals.keys(limit=2)
    boxseek.index().delete(lost)
    code, told = quietly(lambda: run_reindex(settings, {}, nice=0, models=sized_models))
    assert code == 0, told
    assert "boxseek rebuild" in told
    assert len(boxseek.catalog.versions()) == 1
    check_agreement(boxseek, OLD)


def test_a_rebuild_is_followed_and_catches_what_is_written_meanwhile(
    settings: Settings, service: tuple[Boxseek, TestClient]
) -> None:
    """The same promises with the same models; changes of collections are caught up with too."""
    boxseek, client = service
    visitors = Visitors(client)
    visitors.start()
    try:
        code, told = quietly(lambda: run_rebuild(settings, as_json=True, models=sized_models))
        time.sleep(1.5)
    finally:
        visitors.ended.set()
        visitors.join(60)
    assert visitors.error is None, visitors.error
    assert code == 0, told
    wait_until_followed(boxseek, client, OLD)
    assert len(boxseek.catalog.versions()) == 2
    check_agreement(boxseek, OLD)


def test_a_second_run_at_once_is_refused(tmp_path: Path) -> None:
    """It names the one that works."""
    settings = settings_of(tmp_path)
    with (
        only_one(settings.data_dir / LEDGERS / "reindex.lock", "reindex"),
        pytest.raises(IngestError, match="another run"),
    ):
        run_reindex(settings, {}, nice=0, models=sized_models)


def test_an_unknown_model_leaves_everything_as_it_was(
    settings: Settings, service: tuple[Boxseek, TestClient]
) -> None:
    """Models are loaded before a version is made."""

    def none(*_: object) -> Any:
        raise IngestError("no such model")

    with pytest.raises(IngestError, match="no such model"):
        run_reindex(settings, {"embedder": "nonsense"}, nice=0, models=none)
    with closing(build_catalog(settings)) as catalog:
        assert [one.active for one in catalog.versions()] == [True]
