"""Adding, listing, looking at, deleting and counting pictures; paging while they change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from embedding_pipeline.bootstrap import Boxseek
from minio_proxy.errors import StoreFull
from support.api_app import add, opened, png, refused, search


@pytest.fixture
def app(tmp_path: Path) -> Iterator[tuple[Boxseek, TestClient]]:
    """An empty index of its own, small limits."""
    with opened(tmp_path, max_bytes=20_000, max_upload_files=5, max_upload_bytes=90_000) as pair:
        yield pair


@pytest.fixture
def client(app: tuple[Boxseek, TestClient]) -> TestClient:
    """The client alone."""
    return app[1]


def test_every_file_gets_its_row_in_the_order_sent(client: TestClient) -> None:
    """Indexed, duplicate, rejected: one bad file stops no other, and its status is its row's."""
    rows = add(client, png(1), b"text", png(1), png(2), png(3, (200, 200)))
    assert [row["status"] for row in rows] == [
        "indexed", "rejected", "duplicate", "indexed", "rejected",
    ]  # fmt: skip
    assert [row["filename"] for row in rows] == [f"{n}.png" for n in range(5)]
    assert [row["objects"] for row in rows] == [4, 0, 4, 4, 0]
    assert rows[0]["image_key"] == rows[2]["image_key"]
    assert (rows[1]["image_key"], rows[1]["code"]) == (None, "unsupported_format")
    assert (rows[4]["image_key"], rows[4]["code"]) == (None, "picture_too_large")
    assert all(row["reason"] for row in (rows[1], rows[4]))
    assert search(client, png(2))["hits"][0]["score"] > 0.99


def test_all_rejected_is_still_an_answer(client: TestClient) -> None:
    """The request was fine; the rows say what was not."""
    assert [row["status"] for row in add(client, b"no picture")] == ["rejected"]
    assert client.get("/v1/status").json()["counts"] == {"images": 0, "objects": 0}


def test_a_picture_is_shown_with_its_entries(client: TestClient) -> None:
    """The whole picture first, then its objects, and what the user said of it."""
    row = add(client, png(1), collection="pets", metadata=json.dumps({"by": "me"}))[0]
    shown = client.get(f"/v1/images/{row['image_key']}").json()
    assert (shown["width"], shown["height"]) == (64, 48)
    assert (shown["collections"], shown["metadata"]) == (["pets"], {"by": "me"})
    assert [entry["kind"] for entry in shown["objects"]] == ["image"] + ["object"] * 4
    assert shown["objects"][0]["box"] == [0, 0, 64, 48]
    assert shown["objects"][1]["object_id"] == f"{row['image_key']}-001"
    assert client.get(shown["image_url"]).content == png(1)
    assert client.get(shown["thumbnail_url"]).headers["content-type"].startswith("image/")
    assert client.get(shown["objects"][1]["crop_url"]).status_code == 200


def test_a_duplicate_adds_its_collection_and_keeps_metadata(client: TestClient) -> None:
    """Metadata is replaced only when given."""
    add(client, png(1), collection="a", metadata='{"n": 1}')
    row = add(client, png(1), collection="b")[0]
    shown = client.get(f"/v1/images/{row['image_key']}").json()
    assert (shown["collections"], shown["metadata"]) == (["a", "b"], {"n": 1})
    assert client.get("/v1/collections").json() == {"collections": {"a": 1, "b": 1}}


def test_pictures_are_listed_in_key_order_in_pages(client: TestClient) -> None:
    """Joined pages are the whole list."""
    keys = sorted(row["image_key"] for row in add(client, *(png(n) for n in range(5))))
    seen, cursor = [], ""
    while True:
        page = client.get("/v1/images", params={"limit": 2, "cursor": cursor}).json()
        seen += [image["image_key"] for image in page["images"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == keys
    whole = client.get("/v1/images", params={"limit": 5}).json()
    assert (len(whole["images"]), whole["next_cursor"]) == (5, None)


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x"])
def test_list_limits_are_checked(client: TestClient, limit: str) -> None:
    """1 to 1000."""
    refused(client.get("/v1/images", params={"limit": limit}), 422, "invalid_request")


def test_a_list_cursor_is_checked(client: TestClient) -> None:
    """It is the key where the page before ended."""
    refused(client.get("/v1/images", params={"cursor": "zz"}), 422, "invalid_query")


def test_a_deleted_picture_is_gone_everywhere(client: TestClient) -> None:
    """From index, store and counts; a second time there is nothing to delete."""
    row = add(client, png(1), png(2))[0]
    path = f"/v1/images/{row['image_key']}"
    assert client.delete(path).status_code == 204
    refused(client.get(path), 404, "image_not_found")
    refused(client.delete(path), 404, "image_not_found")
    assert client.get(f"/objects/{row['image_key']}").status_code == 404
    assert client.get("/v1/status").json()["counts"] == {"images": 1, "objects": 4}
    assert client.get("/v1/labels").json()["labels"] == {"car": 1, "cat": 1, "dog": 1, "person": 1}


@pytest.mark.parametrize("key", ["x", "0" * 64, "..%2f..%2fetc", "A" * 64])
def test_unknown_pictures_are_404(client: TestClient, key: str) -> None:
    """Malformed keys are just unknown."""
    for ask in (client.get, client.delete):
        assert ask(f"/v1/images/{key}").status_code == 404


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"collection": "a,b"}, "collection"),
        ({"collection": " "}, "collection"),
        ({"collection": "x" * 201}, "collection"),
        ({"collection": "a\nb"}, "collection"),
        ({"metadata": "[]"}, "metadata"),
        ({"metadata": '{"a": "\\u0000"}'}, "metadata"),
        ({"tags": "x"}, "tags"),
    ],
)
def test_senseless_fields_are_422_and_keep_nothing(
    client: TestClient, fields: dict[str, str], parameter: str
) -> None:
    """The fields are checked before any file is stored."""
    answer = client.post("/v1/images", files={"files": ("a.png", png(1))}, data=fields)
    assert refused(answer, 422, "invalid_query")["parameter"] == parameter
    assert client.get("/v1/images").json()["images"] == []


def test_an_upload_without_files_is_422(client: TestClient) -> None:
    """Also when the file part has another name."""
    for files in (None, {"file": ("a.png", png(1))}):
        answer = client.post("/v1/images", files=files, data={"collection": "x"})
        refused(answer, 422, "invalid_query")


def test_too_many_files_are_refused_and_nothing_is_kept(client: TestClient) -> None:
    """The limit counts while the body is read."""
    files = [("files", (f"{n}.png", png(n))) for n in range(6)]
    assert refused(client.post("/v1/images", files=files), 400, "malformed_body") == {"limit": 5}
    assert client.get("/v1/images").json()["images"] == []


def test_a_body_beyond_the_limit_is_cut_and_nothing_is_kept(client: TestClient) -> None:
    """With and without Content-Length: what is announced is not trusted."""
    part = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    endless = (part + bytes(1_000_000) for _ in range(1000))
    refused(client.post("/v1/images", content=endless, headers=headers), 413, "body_too_large")
    huge = {**headers, "Content-Length": str(10**15)}
    refused(client.post("/v1/images", content=b"x", headers=huge), 413, "body_too_large")
    assert client.get("/v1/images").json()["images"] == []


@pytest.mark.parametrize(
    "body",
    [
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nabc',
        b'--b\r\nContent-Disposition: form-data; filename="a"\r\n\r\nabc\r\n--b--\r\n',
        b"nonsense",
        b"",
        b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n' + b"y" * 70_000 + b"\r\n--b--",
    ],
    ids=["cut off", "no name", "no multipart", "empty", "long field"],
)
def test_malformed_bodies_are_400(client: TestClient, body: bytes) -> None:
    """Nothing of them is kept."""
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    refused(client.post("/v1/images", content=body, headers=headers), 400, "malformed_body")


def test_1001_parts_are_refused(client: TestClient) -> None:
    """Fields count as well as files."""
    fields = {f"field{n}": (None, b"x") for n in range(1001)}
    refused(client.post("/v1/images", files=fields), 400, "malformed_body")


def test_a_full_disk_is_an_error_and_not_a_row(
    app: tuple[Boxseek, TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing could be stored for our reasons, the answer is no 200."""
    boxseek, client = app

    def full(*_: object, **__: object) -> None:
        raise StoreFull("no space left on device")

    monkeypatch.setattr(boxseek.services.store, "put", full)
    answer = client.post("/v1/images", files={"files": ("a.png", png(1))})
    details = refused(answer, 507, "store_full")
    assert details["images"][0]["status"] == "failed"


def test_paging_neither_repeats_nor_skips_while_pictures_come_and_go(tmp_path: Path) -> None:
    """What was added after the freeze stays out, what was deleted drops out, in place."""
    with opened(tmp_path) as (_, client):
        rows = add(client, *(png(n) for n in range(30)))
        first = search(client, png(0), limit=5)
        order = [hit["image_key"] for hit in search(client, png(0), limit=100)["hits"]]
        gone = {order[1], order[6], order[7], order[29]}
        for key in gone:
            client.delete(f"/v1/images/{key}")
        add(client, *(png(n) for n in range(100, 110)))
        seen, answer = [hit["image_key"] for hit in first["hits"]], first
        while answer["next_cursor"]:
            answer = search(client, cursor=answer["next_cursor"])
            seen += [hit["image_key"] for hit in answer["hits"]]
        assert len(rows) == len(order) == 30
        assert seen == [key for key in order if key not in gone or key in order[:5]]
