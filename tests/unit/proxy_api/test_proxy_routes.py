from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from starlette.testclient import TestClient

from minio_proxy.api.app import create_app
from minio_proxy.bootstrap import ProxyServices, build_services
from support.proxy_services import picture, settings

BASE = "http://localhost:8001"
ABSENT = "0" * 64


@pytest.fixture
def services(tmp_path: Path) -> Iterator[ProxyServices]:
    """What a proxy over a folder runs on, without keys."""
    with build_services(settings(tmp_path)) as built:
        yield built


@pytest.fixture
def client(services: ProxyServices) -> Iterator[TestClient]:
    """A client of that proxy, in this process."""
    with TestClient(create_app(services), base_url=BASE) as client:
        yield client


@pytest.fixture
def stored(client: TestClient) -> str:
    """The key of a picture that is there."""
    return str(client.post("/objects", content=picture()).json()["key"])


def test_an_upload_is_named_by_its_bytes(client: TestClient) -> None:
    """201 the first time, 200 and duplicate the second, by either way of sending."""
    data = picture(kind="PNG")
    first = client.post("/objects", files={"file": ("a.png", data)}, data={"collection": "c"})
    assert first.status_code == 201
    assert first.json() == {
        "key": hashlib.sha256(data).hexdigest(),
        "duplicate": False,
        "size_bytes": len(data),
        "media_type": "image/png",
        "url": f"/objects/{first.json()['key']}",
    }
    again = client.post("/objects?collection=d&filename=b.png", content=data)
    assert (again.status_code, again.json()["duplicate"]) == (200, True)
    about = client.get(f"/objects/{first.json()['key']}/metadata").json()
    assert about["collections"] == ["c", "d"]
    assert [source["path"] for source in about["sources"]] == ["a.png", "b.png"]


def test_an_original_comes_back_as_it_was(client: TestClient, stored: str) -> None:
    """Bytes, type, name, and headers that make it inert and cacheable."""
    answer = client.get(f"/objects/{stored}")
    assert answer.content == picture()
    headers = answer.headers
    assert headers["content-type"] == "image/jpeg"
    assert headers["content-length"] == str(len(picture()))
    assert headers["etag"] == f'"{stored}"'
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["content-disposition"] == f'inline; filename="{stored[:16]}.jpg"'
    head = client.head(f"/objects/{stored}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == headers["content-length"]


@pytest.mark.parametrize(
    ("headers", "status", "part"),
    [
        ({"range": "bytes=5-9"}, 206, slice(5, 10)),
        ({"range": "bytes=-7"}, 206, slice(-7, None)),
        ({"range": "bytes=10-"}, 206, slice(10, None)),
        ({"range": "bytes=0-1,5-6"}, 200, slice(None)),
        ({"range": "bytes=9-5"}, 416, None),
        ({"range": "bytes=99999999-"}, 416, None),
        ({"range": "bytes=5-9", "if-range": '"other"'}, 200, slice(None)),
        ({"if-none-match": "*"}, 304, slice(0)),
        ({"if-match": '"other"'}, 412, None),
    ],
    ids=str,
)
def test_ranges_and_conditions(
    client: TestClient, stored: str, headers: dict[str, str], status: int, part: slice | None
) -> None:
    """Each gets the bytes it asked for, or the reason why not."""
    answer = client.get(f"/objects/{stored}", headers=headers)
    assert answer.status_code == status
    if part is not None:
        assert answer.content == picture()[part]
    if status == 206:
        assert answer.headers["content-range"].endswith(f"/{len(picture())}")
        assert answer.headers["content-length"] == str(len(answer.content))
    if status == 416:
        assert answer.headers["content-range"] == f"bytes */{len(picture())}"
        assert answer.json()["code"] == "range_not_satisfiable"


def test_a_download_has_the_name_that_was_given(client: TestClient) -> None:
    """The name of the first upload, with the ending of the bytes."""
    key = client.post("/objects", files={"file": ("beach.exe", picture())}).json()["key"]
    answer = client.get(f"/objects/{key}", params={"download": True})
    assert answer.headers["content-disposition"].startswith('attachment; filename="beach.jpg"')


def test_thumbnails_and_crops_follow_accept(client: TestClient, stored: str) -> None:
    """WebP where it is named, JPEG elsewhere, with Vary, ETag and 304."""
    for path in (f"/thumbnails/64/{stored}", f"/crops/64/{stored}?box=1,2,50,40"):
        jpeg = client.get(path, headers={"accept": "*/*"})
        webp = client.get(path, headers={"accept": "image/webp"})
        assert jpeg.content.startswith(b"\xff\xd8")
        assert webp.content[8:12] == b"WEBP"
        assert (jpeg.headers["vary"], webp.headers["content-type"]) == ("Accept", "image/webp")
        again = client.get(path, headers={"accept": "*/*", "if-none-match": jpeg.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        head = client.head(path, headers={"accept": "*/*"})
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(jpeg.content))


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/thumbnails/100000/{key}", 422, "unsupported_width"),
        ("/thumbnails/-1/{key}", 422, "unsupported_width"),
        ("/thumbnails/99999999999999999999999/{key}", 422, "unsupported_width"),
        ("/thumbnails/x/{key}", 422, "invalid_request"),
        ("/crops/64/{key}", 422, "invalid_request"),
        ("/crops/64/{key}?box=5,5,1,1", 422, "invalid_box"),
        ("/crops/64/{key}?box=5000,5000,6000,6000", 422, "invalid_box"),
        ("/crops/64/{key}?box=nan,0,1,1", 422, "invalid_box"),
        ("/crops/64/{key}?box=0,0,1e308,1e308", 422, "invalid_box"),
        ("/thumbnails/64/" + ABSENT, 404, "object_not_found"),
        ("/objects/" + ABSENT, 404, "object_not_found"),
        ("/objects/" + ABSENT + "/metadata", 404, "object_not_found"),
        ("/objects/{key}/nothing", 404, "not_found"),
        ("/objects/ABC", 422, "invalid_request"),
        ("/objects?limit=0", 422, "invalid_request"),
        ("/objects?limit=100000", 422, "invalid_request"),
        ("/objects?cursor=x", 422, "invalid_request"),
        ("/", 404, "not_found"),
    ],
)
def test_what_is_not_there_or_not_offered(
    client: TestClient, stored: str, path: str, status: int, code: str
) -> None:
    """A clear error in the one shape."""
    answer = client.get(path.format(key=stored))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert set(answer.json()) == {"code", "message", "details"}


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"collection": "x" * 201}, 422),
        ({"collection": "a\x00b"}, 422),
        ({"metadata": "{"}, 422),
        ({"metadata": "[1]"}, 422),
        ({"metadata": '{"a": NaN}'}, 422),
        ({"metadata": '{"a": "\\ud800"}'}, 422),
        ({"metadata": "[" * 60_000}, 422),
        ({"metadata": "x" * 70_000}, 400),
        ({f"f{n}": "x" for n in range(9)}, 400),
    ],
    ids=lambda value: str(value)[:30],
)
def test_fields_that_make_no_sense(client: TestClient, fields: dict[str, str], status: int) -> None:
    """Nothing is stored."""
    answer = client.post("/objects", files={"file": ("a.jpg", picture())}, data=fields)
    assert answer.status_code == status
    assert client.get("/objects").json()["objects"] == []


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"content-type": "multipart/form-data"}, b"x", 400),
        ({"content-type": "multipart/form-data; boundary=b"}, b"nonsense", 400),
        ({"content-type": "multipart/form-data; boundary=b"}, b"--b\r\n\r\n", 400),
        ({"content-type": "multipart/form-data; boundary=b"}, b"--b--\r\n", 422),
        ({"content-type": "multipart/form-data; boundary="}, b"--\r\n", 422),
        ({}, b"", 415),
        ({"content-type": "image/jpeg"}, b"no picture", 415),
        ({}, picture()[:500], 422),
    ],
)
def test_bodies_that_are_no_picture(
    client: TestClient, headers: dict[str, str], body: bytes, status: int
) -> None:
    """Refused by their bytes, whatever they say they are."""
    answer = client.post("/objects", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert client.get("/objects").json()["objects"] == []


def test_objects_are_listed_in_pages(client: TestClient) -> None:
    """Every key once, in order, with a cursor until the end."""
    keys = {client.post("/objects", content=picture(n)).json()["key"] for n in range(5)}
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = client.get("/objects", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
        found += [item["key"] for item in page.json()["objects"]]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            break
    assert found == sorted(keys)


def left_of(key: str, services: ProxyServices) -> list[str]:
    """What the store has of a picture beside the notes that wait for the index."""
    found = [stat.key for stat in services.store.list("") if key in stat.key]
    return [name for name in found if not name.startswith("unsettled/")]


def test_delete_takes_the_thumbnails_along(
    client: TestClient, services: ProxyServices, stored: str
) -> None:
    """Nothing of the picture is left but a note for the index; a second delete is 404."""
    client.get(f"/thumbnails/64/{stored}")
    client.get(f"/crops/64/{stored}?box=1,2,50,40")
    assert client.delete(f"/objects/{stored}").status_code == 204
    assert left_of(stored, services) == []
    assert client.delete(f"/objects/{stored}").status_code == 404
    assert client.get(f"/thumbnails/64/{stored}").status_code == 404


def test_thumbnails_of_what_is_gone_are_not_given(
    client: TestClient, services: ProxyServices, stored: str, tmp_path: Path
) -> None:
    """A crash in the midst of a delete leaves thumbnails; the next delete removes them."""
    addresses = [f"/thumbnails/64/{stored}", f"/crops/64/{stored}?box=1,2,50,40"]
    assert [client.get(address).status_code for address in addresses] == [200, 200]
    services.originals.delete(stored)
    with build_services(settings(tmp_path)) as later:
        after = TestClient(create_app(later), base_url=BASE)
        assert [after.get(address).status_code for address in addresses] == [404, 404]
        assert after.delete(f"/objects/{stored}").status_code == 404
    assert left_of(stored, services) == []


def test_an_original_that_changed_its_length_is_looked_up_anew(
    client: TestClient, services: ProxyServices, stored: str
) -> None:
    """What is remembered of it leads to one clear error, never to a wrong length."""
    assert client.get(f"/objects/{stored}").status_code == 200
    address = f"originals/{stored[:2]}/{stored}"
    services.store.put(address, io.BytesIO(b"other"), size_bytes=5)
    assert client.get(f"/objects/{stored}").json()["code"] == "store_corrupt"
    assert client.get(f"/objects/{stored}").content == b"other"
    services.store.delete(address)
    assert client.get(f"/objects/{stored}").status_code == 404


def test_the_document_names_the_ways_to_be_known(client: TestClient) -> None:
    """Every operation that may answer 401 says how to be let in; health needs nothing."""
    document = client.get("/openapi.json").json()
    assert set(document["components"]["securitySchemes"]) >= {"bearer", "apiKey", "signedLink"}
    assert {"signedLink": []} in document["paths"]["/objects/{key}"]["get"]["security"]
    assert {"signedLink": []} not in document["paths"]["/objects/{key}"]["delete"]["security"]
    assert "security" not in document["paths"]["/healthz"]["get"]


def test_watching_does_not_flood_the_log(client: TestClient) -> None:
    """Health and metrics are told at debug level, everything else at info."""
    with structlog.testing.capture_logs() as lines:
        for path in ("/healthz", "/readyz", "/metrics", "/objects"):
            client.get(path)
    levels = {line["path"]: line["log_level"] for line in lines if line["event"] == "request"}
    assert levels == {
        "/healthz": "debug",
        "/readyz": "debug",
        "/metrics": "debug",
        "/objects": "info",
    }


def test_health_and_metrics(client: TestClient, stored: str) -> None:
    """Both are answered, and requests are counted by route and status."""
    assert client.get("/healthz").json() == client.get("/readyz").json() == {"status": "ok"}
    client.get(f"/objects/{stored}")
    text = client.get("/metrics").text
    assert 'boxseek_requests_total{method="GET",route="/objects/{key}",status="200"} 1.0' in text
    assert "boxseek_thumbnails_in_flight 0.0" in text
    assert stored not in text


def test_request_ids_go_in_and_out(client: TestClient) -> None:
    """A sensible id is kept; another is replaced."""
    assert client.get("/healthz", headers={"x-request-id": "a-1"}).headers["x-request-id"] == "a-1"
    for odd in ("", "x" * 65, "a b", 'a"'):
        given = client.get("/nothing", headers={"x-request-id": odd}).headers["x-request-id"]
        assert given != odd
        assert len(given) == 16


def test_methods_that_do_not_exist_name_those_that_do(client: TestClient) -> None:
    """405 lists every method of the address."""
    answer = client.put("/objects")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"


def test_giant_addresses_are_refused(client: TestClient) -> None:
    """A head beyond 16 KiB is 431 in the one shape."""
    answer = client.get("/objects", headers={"x": "y" * 20_000})
    assert (answer.status_code, answer.json()["code"]) == (431, "headers_too_large")


def test_an_unexpected_failure_says_nothing_of_the_inside(
    services: ProxyServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours is a 500 in the one shape, with the id to look for in the log."""

    def broken() -> None:
        raise RuntimeError("/srv/secret")

    monkeypatch.setattr(services.store, "check", broken)
    client = TestClient(create_app(services), base_url=BASE)
    answer = client.get("/readyz")
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal_error"
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example"])
def test_foreign_hosts_are_refused_everywhere(client: TestClient, host: str) -> None:
    """Also for addresses that do not exist and for health."""
    for path in ("/objects", "/healthz", "/nothing"):
        answer = client.get(path, headers={"host": host})
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")


def test_foreign_pages_can_neither_write_nor_read(client: TestClient, stored: str) -> None:
    """A write with a foreign Origin is 403, and no answer carries CORS headers."""
    origin = {"origin": "http://evil.example"}
    assert client.delete(f"/objects/{stored}", headers=origin).status_code == 403
    assert client.post("/objects", content=picture(9), headers=origin).status_code == 403
    looked = client.get(f"/objects/{stored}", headers=origin)
    assert "access-control-allow-origin" not in looked.headers
    preflight = {**origin, "access-control-request-method": "DELETE"}
    answer = client.options(f"/objects/{stored}", headers=preflight)
    assert answer.status_code == 405
    assert "access-control-allow-origin" not in answer.headers


def test_cors_opens_for_the_origins_that_are_named(tmp_path: Path) -> None:
    """A page in BOXSEEK_CORS_ORIGINS may read and write, its errors are readable too."""
    with build_services(settings(tmp_path, cors_origins="https://pages.example")) as services:
        client = TestClient(create_app(services), base_url=BASE)
        origin = {"origin": "https://pages.example"}
        for answer in (
            client.post("/objects", content=picture(), headers=origin),
            client.get("/nothing", headers=origin),
            client.options("/objects", headers={**origin, "access-control-request-method": "POST"}),
        ):
            assert answer.headers["access-control-allow-origin"] == origin["origin"]


def test_log_lines_are_json_with_the_request_id(
    client: TestClient, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every request leaves one line that programs can read."""
    with structlog.testing.capture_logs() as lines:
        client.get("/healthz", headers={"x-request-id": "abc"})
    entry = next(line for line in lines if line["event"] == "request")
    assert (entry["method"], entry["path"], entry["status"]) == ("GET", "/healthz", 200)
    json.dumps(entry)
