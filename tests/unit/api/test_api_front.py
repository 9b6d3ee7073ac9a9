"""The web page: files, routes, policy, caching."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from support.api_app import opened, refused


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A service with a built page, and a secret beside it."""
    folder = tmp_path_factory.mktemp("front")
    page = folder / "dist"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html><title>Boxseek</title>")
    (page / "icon.svg").write_text("<svg/>")
    (page / "assets" / "index-abc123.js").write_text("1")
    (folder / "secret.txt").write_text("secret")
    (page / "link.txt").symlink_to(folder / "secret.txt")
    with opened(folder, front_dir=page) as (_, client):
        yield client


@pytest.mark.parametrize("path", ["/", "/search", "/images/abc", "/a/b/c"])
def test_page_routes_give_the_page(client: TestClient, path: str) -> None:
    """Every search has an address that can be shared and loaded."""
    answer = client.get(path)
    assert answer.status_code == 200
    assert "<title>Boxseek</title>" in answer.text
    assert answer.headers["cache-control"] == "no-cache"


def test_the_policy_allows_nothing_inline(client: TestClient) -> None:
    """No inline script or style, no framing, nothing from elsewhere."""
    headers = client.get("/").headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_hashed_files_are_cached_for_ever_and_others_checked(client: TestClient) -> None:
    """A changed page names other files."""
    hashed = client.get("/assets/index-abc123.js")
    assert "immutable" in hashed.headers["cache-control"]
    assert "javascript" in hashed.headers["content-type"]
    icon = client.get("/icon.svg")
    assert icon.headers["cache-control"] == "no-cache"
    again = client.get("/icon.svg", headers={"If-None-Match": icon.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("accept", "encoding"),
    [
        ("gzip, deflate, br", "gzip"),
        ("br;q=1, GZIP;q=0.5", "gzip"),
        ("gzip;q=0", None),
        ("br", None),
        ("", None),
    ],
)
def test_texts_are_compressed_for_those_who_take_it(
    client: TestClient, accept: str, encoding: str | None
) -> None:
    """Script and style leave as gzip where it is accepted; each form has its own tag."""
    plain = client.get("/assets/index-abc123.js", headers={"Accept-Encoding": "identity"})
    answer = client.get("/assets/index-abc123.js", headers={"Accept-Encoding": accept})
    assert answer.headers.get("content-encoding") == encoding
    assert answer.content == plain.content
    assert answer.headers["content-type"].split(";")[0] == "text/javascript"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert (answer.headers["etag"] == plain.headers["etag"]) == (encoding is None)
    asked = {"Accept-Encoding": accept, "If-None-Match": answer.headers["etag"]}
    assert client.get("/assets/index-abc123.js", headers=asked).status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "/missing.js",
        "/assets/missing.js",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/assets/..%5c..%5csecret.txt",
        "/link.txt",
        "/%00.txt",
        "//etc/passwd.txt",
    ],
)
def test_missing_files_and_what_lies_elsewhere_are_404(client: TestClient, path: str) -> None:
    """A missing file is not the page, and no path leads out of the folder."""
    answer = client.get(path)
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_paths_of_the_services_are_never_the_page(client: TestClient) -> None:
    """An unknown address of the API is an error in its shape."""
    for path in ("/v1/unknown", "/v1", "/objects/x/y", "/thumbnails/1", "/crops"):
        answer = client.get(path)
        assert "<title>" not in answer.text
        assert set(answer.json()) >= {"code", "message", "details"}, path
    refused(client.post("/search"), 404, "not_found")


def test_a_page_that_is_not_built_says_how(tmp_path: Path) -> None:
    """The API works all the same."""
    with opened(tmp_path) as (_, client):
        answer = client.get("/")
        assert answer.status_code == 503
        assert "make front" in answer.text
        refused(client.get("/search"), 404, "not_found")
        assert client.get("/openapi.json").status_code == 200
