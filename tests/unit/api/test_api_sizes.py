"""Pictures in the sizes a page needs, and query pictures in a form that every browser shows."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from support.api_app import add, opened, png, refused, search


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """An empty index of its own."""
    with opened(tmp_path) as (_, client):
        yield client


def width_of(client: TestClient, url: str) -> int:
    """Width in pixels of the picture behind an address."""
    answer = client.get(url)
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.content)).width


def check_sizes(client: TestClient, sized: list[dict[str, Any]], widths: list[int]) -> None:
    """Each address gives a picture of exactly the width that it names."""
    assert [one["width"] for one in sized] == widths
    assert [width_of(client, one["url"]) for one in sized] == widths


@pytest.mark.parametrize(
    ("size_wh", "widths"),
    [
        ((64, 48), [64]),
        ((700, 500), [256, 512, 700]),
        ((1700, 40), [256, 512, 1024, 1600]),
        ((60, 900), [60]),
    ],
    ids=["tiny", "ordinary", "wide", "high"],
)
def test_thumbnails_come_in_every_width_that_differs(
    client: TestClient, size_wh: tuple[int, int], widths: list[int]
) -> None:
    """List, picture and hit name the same widths, and no width that would be enlarged."""
    key = add(client, png(1, size_wh))[0]["image_key"]
    listed = client.get("/v1/images").json()["images"][0]
    check_sizes(client, listed["thumbnails"], widths)
    assert client.get(f"/v1/images/{key}").json()["thumbnails"] == listed["thumbnails"]
    assert search(client, image_key=key)["hits"][0]["thumbnails"] == listed["thumbnails"]


def test_crops_of_a_picture_come_in_two_widths(client: TestClient) -> None:
    """A comparison on a large screen asks for more pixels than a grid."""
    key = add(client, png(1, (1400, 900)))[0]["image_key"]
    whole = client.get(f"/v1/images/{key}").json()["objects"][0]
    check_sizes(client, whole["crops"], [320, 1024])
    assert whole["crops"][0]["url"] == whole["crop_url"]


@pytest.mark.parametrize(("kind", "size_wh"), [("TIFF", (90, 60)), ("PNG", (2000, 100))])
def test_query_picture_has_a_form_that_every_browser_shows(
    client: TestClient, kind: str, size_wh: tuple[int, int]
) -> None:
    """A preview is JPEG, or WebP where that is accepted, upright and at most 1600 pixels wide."""
    file = io.BytesIO()
    Image.open(io.BytesIO(png(1, size_wh))).save(file, kind)
    asked = client.get(f"/v1/queries/{search(client, file.getvalue())['query_id']}").json()
    plain = client.get(asked["preview_url"], headers={"Accept": "*/*"})
    modern = client.get(asked["preview_url"], headers={"Accept": "image/avif,image/webp,*/*"})
    for answer, media_type in ((plain, "image/jpeg"), (modern, "image/webp")):
        assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["vary"] == "Accept"
        assert Image.open(io.BytesIO(answer.content)).width == min(1600, size_wh[0])


def test_preview_of_no_query(client: TestClient) -> None:
    """An id that names nothing is told as such."""
    refused(client.get("/v1/queries/" + "A" * 22 + "/preview"), 404, "query_not_found")
