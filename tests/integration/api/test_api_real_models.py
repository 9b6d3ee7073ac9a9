"""The loop with the packaged models: upload, search by picture, by box, by object."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from embedding_pipeline.bootstrap import Boxseek, real_models
from support.api_app import opened, refused, search
from support.api_demo_app import sample_pictures

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Boxseek, TestClient]]:
    """The two photographs of Ultralytics, indexed by the packaged models."""
    folder = tmp_path_factory.mktemp("real")
    with opened(folder, models=real_models, ready=False, packaged=True) as (boxseek, client):
        boxseek.wait_ready(300)
        files = [("files", (path.name, path.read_bytes())) for path in sample_pictures()]
        rows = client.post("/v1/images", files=files).json()["images"]
        assert [row["status"] for row in rows] == ["indexed", "indexed"]
        assert all(row["objects"] >= 2 for row in rows)
        yield boxseek, client


def test_a_picture_finds_itself_first(app: tuple[Boxseek, TestClient]) -> None:
    """By its most prominent object, and as a whole."""
    _, client = app
    for path in sample_pictures():
        for scope in ("auto", "image"):
            answer = search(client, path.read_bytes(), scope=scope)
            best = answer["hits"][0]
            assert best["score"] >= 0.99
            assert best["matches"][0]["label"] == answer["query"]["searched"]["label"]
            shown = client.get(f"/v1/images/{best['image_key']}").json()
            objects = [entry for entry in shown["objects"] if entry["kind"] == "object"]
            assert [entry["box"] for entry in objects] == [
                pytest.approx(found["box"], abs=0.01) for found in answer["query"]["objects"]
            ]


def test_every_indexed_object_finds_itself_first(app: tuple[Boxseek, TestClient]) -> None:
    """By its id, and by its box drawn on the uploaded picture."""
    _, client = app
    for path in sample_pictures():
        upload = search(client, path.read_bytes())
        key = upload["hits"][0]["image_key"]
        for entry in client.get(f"/v1/images/{key}").json()["objects"]:
            found = search(client, object_id=entry["object_id"])["hits"][0]["matches"][0]
            assert found["object_id"] == entry["object_id"]
            assert found["score"] >= 0.99
            box = ",".join(str(side) for side in entry["box"])
            drawn = search(client, query_id=upload["query_id"], box=box)["hits"][0]["matches"][0]
            assert drawn["object_id"] == entry["object_id"]
            assert drawn["score"] >= 0.99


def test_persons_are_found_in_the_other_picture(app: tuple[Boxseek, TestClient]) -> None:
    """The bus has people, and so has the other photograph: labels filter real detections."""
    _, client = app
    bus = next(path for path in sample_pictures() if path.stem == "bus")
    answer = search(client, bus.read_bytes(), labels="person")
    assert len(answer["hits"]) == 2
    assert answer["facets"] == {"person": 2}
    refused(
        client.post(
            "/v1/search",
            files={"image": ("bus.jpg", bus.read_bytes())},
            data={"labels": "persn"},
        ),
        422,
        "unknown_label",
    )
    assert search(client, bus.read_bytes(), labels="zebra")["hits"] == []


def test_the_status_names_the_models(app: tuple[Boxseek, TestClient]) -> None:
    """And says that packaged ones run."""
    _, client = app
    status = client.get("/v1/status").json()
    assert status["models"]["detector"]["name"] == "yolo11n"
    assert status["models"]["embedder"]["origin"] == "packaged"
    assert status["models"]["dimension"] == 1280
    assert status["counts"]["images"] == 2


def test_the_python_way_gives_the_same(app: tuple[Boxseek, TestClient]) -> None:
    """Boxseek.search answers what the API does."""
    boxseek, client = app
    path = sample_pictures()[0]
    page = boxseek.search(path, limit=1)
    answer = search(client, path.read_bytes(), limit=1)
    assert page.hits[0].image_key == answer["hits"][0]["image_key"]
    assert page.hits[0].matches[0].score == answer["hits"][0]["score"]
