"""Faults around a search: a full disk, pictures from the web, a crowd of requests."""

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from embedding_pipeline.search.queries import QueryStore
from support.api_app import add, opened, png, refused, search


def test_a_full_disk_costs_the_query_id_and_not_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hits are there; there is just nothing to come back to."""

    def full(*_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(QueryStore, "put", full)
    with opened(tmp_path) as (_, client):
        add(client, png(1))
        answer = search(client, png(1))
        assert answer["query_id"] is None
        assert answer["hits"][0]["score"] > 0.99


def test_a_picture_from_the_web_is_searched_where_allowed(tmp_path: Path) -> None:
    """What the fetcher brings is treated like an upload; private addresses stay refused."""
    with opened(tmp_path, allow_urls=True) as (boxseek, client):
        add(client, png(1))
        refused(
            client.post("/v1/search", data={"url": "http://127.0.0.1:1/a.jpg"}),
            422,
            "address_refused",
        )
        asked: list[str] = []

        def fetch(url: str) -> bytes:
            asked.append(url)
            return png(1)

        boxseek.search_service._reader._fetch = fetch
        answer = search(client, url="http://pictures.example/a.png")
        assert asked == ["http://pictures.example/a.png"]
        assert answer["hits"][0]["score"] > 0.99
        assert client.get(f"/v1/queries/{answer['query_id']}/image").content == png(1)


def test_many_searches_at_once_all_get_their_own_answer(tmp_path: Path) -> None:
    """Batches are shared, answers are not."""
    with opened(tmp_path) as (_, client):
        keys = [row["image_key"] for row in add(client, *(png(n) for n in range(8)))]

        def best(number: int) -> str:
            hit = search(client, png(number % 8))["hits"][0]
            return str(hit["image_key"])

        with ThreadPoolExecutor(12) as pool:
            found = list(pool.map(best, range(40)))
        assert found == [keys[number % 8] for number in range(40)]


@pytest.mark.data
def test_hostile_files_get_a_clear_answer_and_the_service_lives(
    tmp_path: Path, test_data: Path
) -> None:
    """Refused ones by search, detect and upload alike; accepted ones are indexed."""
    hostile = test_data / "hostile"
    with opened(tmp_path) as (_, client):
        for file in sorted(path for path in (hostile / "refuse").rglob("*") if path.is_file()):
            data = file.read_bytes()
            for path in ("/v1/search", "/v1/detect"):
                answer = client.post(path, files={"image": (file.name, data)})
                assert answer.status_code in {413, 415, 422}, (file, answer.text)
                assert set(answer.json()) == {"code", "message", "details"}
            assert [row["status"] for row in add(client, data)] == ["rejected"], file
        for file in sorted(path for path in (hostile / "accept").rglob("*") if path.is_file()):
            assert add(client, file.read_bytes())[0]["status"] in {"indexed", "duplicate"}, file
        for file in sorted(path for path in (hostile / "truncated").rglob("*") if path.is_file()):
            answer = client.post("/v1/detect", files={"image": (file.name, file.read_bytes())})
            uploaded = add(client, file.read_bytes())[0]["status"]
            assert (answer.status_code == 200) == (uploaded != "rejected"), file
            assert answer.status_code < 500
        assert client.get("/readyz").status_code == 200
