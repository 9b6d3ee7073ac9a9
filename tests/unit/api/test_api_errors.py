"""The table of errors, readiness while models load or fail, and an index of other models."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from embedding_pipeline.api.errors import ERRORS, STATUS_BY_CODE
from embedding_pipeline.bootstrap import Boxseek
from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.errors import BoxseekError, DescriptionMismatch, NotReady, WeightsNotFound
from embedding_pipeline.models.loaded import LoadedModels
from embedding_pipeline.settings import Settings
from minio_proxy.errors import ProxyError
from support.api_app import add, opened, png, refused, search, settings_of
from support.api_demo_app import fake_models
from support.models_fakes import fake_description


def leaves(kind: type[Exception]) -> Iterator[type[Exception]]:
    """Every class below that has none below itself."""
    below = kind.__subclasses__()
    if not below:
        yield kind
    for one in below:
        yield from leaves(one)


@pytest.mark.parametrize("root", [BoxseekError, ProxyError])
def test_every_error_of_both_packages_is_in_the_table(root: type[Exception]) -> None:
    """Each has a status of its own, or one that its kind of error shares; never the root's."""
    unlisted = [
        kind.__name__
        for kind in leaves(root)
        if not any(base in ERRORS for base in kind.__mro__ if base is not root)
    ]
    assert unlisted == []


def test_codes_are_unique_but_for_what_means_the_same() -> None:
    """A program that reads a code knows what happened."""
    shared = {"object_not_found": {404}, "invalid_request": {400}}
    for code, status in STATUS_BY_CODE.items():
        kinds = [kind for kind in ERRORS if vars(kind).get("code") == code]
        assert len(kinds) == 1 or {ERRORS[kind] for kind in kinds} == shared[code], code
        assert 400 <= status <= 599


def test_unknown_paths_and_methods_have_the_one_shape(tmp_path: Path) -> None:
    """Whatever is asked below the paths of the services."""
    with opened(tmp_path) as (_, client):
        refused(client.get("/v1/nothing"), 404, "not_found")
        refused(client.put("/v1/search"), 405, "method_not_allowed")
        refused(client.get("/v1/search"), 405, "method_not_allowed")


def test_while_models_load_what_needs_them_is_503(tmp_path: Path) -> None:
    """Health is fine, readiness says why not, and later everything works."""
    go = threading.Event()

    def slow(settings: Settings, description: ModelDescription | None) -> LoadedModels:
        go.wait(30)
        return fake_models(settings, description)

    with opened(tmp_path, models=slow, ready=False) as (boxseek, client):
        assert client.get("/healthz").json() == {"status": "ok"}
        for answer in (
            client.get("/readyz"),
            client.post("/v1/search", files={"image": ("a.png", png(1))}),
            client.post("/v1/images", files={"files": ("a.png", png(1))}),
            client.get("/v1/labels"),
        ):
            assert refused(answer, 503, "not_ready")["retry_after_s"] == 2
            assert answer.headers["retry-after"] == "2"
        status = client.get("/v1/status").json()
        assert (status["models"]["state"], status["counts"]) == ("loading", None)
        with pytest.raises(NotReady):
            boxseek.wait_ready(0.01)
        go.set()
        boxseek.wait_ready(30)
        assert client.get("/readyz").status_code == 200
        status = client.get("/v1/status").json()
        assert status["models"]["state"] == "ready"
        assert status["models"]["notice"]
        assert status["indexing"].items() >= {"state": "idle", "done": 0, "total": 0}.items()


def test_models_that_cannot_be_loaded_are_named(tmp_path: Path) -> None:
    """Readiness and status carry the reason; the process lives on."""

    def missing(settings: Settings, description: ModelDescription | None) -> LoadedModels:
        raise WeightsNotFound("no weights of yolo11n: looked in models, hub and packages")

    with opened(tmp_path, models=missing, ready=False) as (boxseek, client):
        boxseek.runner.wait_ready(30)
        refused(client.get("/readyz"), 503, "weights_not_found")
        status = client.get("/v1/status").json()["models"]
        assert status["state"] == "failed"
        assert "yolo11n" in status["error"]


def test_settings_that_name_other_models_are_refused_at_start(tmp_path: Path) -> None:
    """Both are named; without the setting the index's own models are loaded."""
    with opened(tmp_path) as (_, client):
        add(client, png(1))
    with pytest.raises(DescriptionMismatch, match="resnet50") as caught:
        Boxseek.open(settings_of(tmp_path, embedder="resnet50"), models=fake_models)
    assert "fake-embedder" in caught.value.message
    with opened(tmp_path, embedder="fake-embedder") as (_, client):
        assert client.get("/v1/status").json()["counts"]["images"] == 1


def test_models_that_cannot_be_had_leave_the_version_before_answering(tmp_path: Path) -> None:
    """Another version becomes active and its models do not load: status says why."""
    with opened(tmp_path) as (boxseek, client):
        before = add(client, png(1))[0]["image_key"]
        other = fake_description()
        other = replace(other, embedder=replace(other.embedder, name="other", sha256="f" * 64))
        boxseek.catalog.activate(boxseek.catalog.create(other).name)
        boxseek.index._look_again = 0.0
        assert search(client, png(1))["hits"][0]["image_key"] == before
        boxseek.model_room.exchange.close()
        assert client.get("/readyz").status_code == 200
        notice = client.get("/v1/status").json()["models"]["notice"]
        assert "other 16-d" in notice
        assert "the version before goes on answering" in notice


def test_cursors_end_with_their_index(tmp_path: Path) -> None:
    """After a swap the ranking belongs to entries that no longer answer."""
    with opened(tmp_path) as (boxseek, client):
        add(client, png(1), png(2))
        cursor = client.post(
            "/v1/search", files={"image": ("a.png", png(1))}, data={"limit": "1"}
        ).json()["next_cursor"]
        boxseek.catalog.activate(boxseek.catalog.create(fake_description()).name)
        boxseek.index._look_again = 0.0
        refused(client.post("/v1/search", data={"cursor": cursor}), 410, "cursor_expired")


def test_a_lost_index_is_told_with_what_to_do(tmp_path: Path) -> None:
    """Originals without any entry: the status names the command that makes the index anew."""
    with opened(tmp_path) as (boxseek, client):
        (row,) = add(client, png(1))
        assert "rebuild" not in (client.get("/v1/status").json()["models"]["notice"] or "")
        boxseek.index().delete([row["image_key"]])
        boxseek.index().make_searchable()
        assert "boxseek rebuild" in client.get("/v1/status").json()["models"]["notice"]
