from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from support.proxy_services import RunningProxy, picture, running_proxy, settings
from support.servers import TestServers
from support.stores_cutting_proxy import CuttingProxy
from support.stores_s3 import random_bucket, remove_bucket, s3_settings

pytestmark = pytest.mark.s3
BIG = 24 * 1024 * 1024
BIG_KEY = "ab" * 32


@dataclass(frozen=True, slots=True)
class OverS3:
    """A proxy whose store can be cut off.

    Args:
        proxy: the proxy.
        way: what lies between it and the S3 server.
        client: of the proxy.
    """

    proxy: RunningProxy
    way: CuttingProxy
    client: httpx.Client


@pytest.fixture
def s3_fields(s3_server: TestServers) -> Iterator[dict[str, object]]:
    """Settings of a store in a bucket of this test, removed afterwards."""
    bucket = random_bucket()
    yield s3_settings(s3_server, bucket).model_dump(exclude={"data_dir"})
    remove_bucket(s3_server, bucket)


@pytest.fixture
def read_timeout_s() -> float:
    """How long the store may be silent; tests may ask for another time."""
    return 2.0


@pytest.fixture
def over(s3_fields: dict[str, object], tmp_path: Path, read_timeout_s: float) -> Iterator[OverS3]:
    """A proxy before a real S3 server that a test may cut off."""
    url = urlsplit(str(s3_fields["s3_endpoint"]))
    with CuttingProxy(url.hostname or "", url.port or 80) as way:
        fields = s3_fields | {
            "s3_endpoint": way.url, "s3_connect_timeout_s": 1.0, "s3_read_timeout_s": read_timeout_s
        }  # fmt: skip
        with (
            running_proxy(settings(tmp_path, **fields)) as proxy,
            httpx.Client(base_url=proxy.url, timeout=30) as client,
        ):
            yield OverS3(proxy, way, client)


@pytest.fixture
def key(over: OverS3) -> str:
    """A picture that is there."""
    answer = over.client.post("/objects", content=picture())
    assert answer.status_code == 201, answer.text
    return str(answer.json()["key"])


@pytest.fixture
def big(over: OverS3, tmp_path: Path) -> bytes:
    """A large object beside it, at BIG_KEY."""
    content = hashlib.shake_256(b"big").digest(BIG)
    path = tmp_path / "big"
    path.write_bytes(content)
    with path.open("rb") as file:
        over.proxy.services.store.put(f"originals/ab/{BIG_KEY}", file, size_bytes=BIG)
    return content


def test_every_route_over_s3(over: OverS3, key: str) -> None:
    """Upload, look, range, thumbnail, crop, list, describe and delete are as over a folder."""
    client = over.client
    assert client.post("/objects", content=picture()).status_code == 200
    for _ in range(2):  # unknown, then known
        answer = client.get(f"/objects/{key}")
        assert (answer.content, answer.headers["content-type"]) == (picture(), "image/jpeg")
    part = client.get(f"/objects/{key}", headers={"range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, picture()[5:10])
    assert client.head(f"/objects/{key}").headers["content-length"] == str(len(picture()))
    tag = {"if-none-match": f'"{key}"'}
    assert client.get(f"/objects/{key}", headers=tag).status_code == 304
    for path in (f"/thumbnails/64/{key}", f"/crops/64/{key}?box=1,2,50,40"):
        made, cached = client.get(path), client.get(path)
        assert made.status_code == cached.status_code == 200
        assert made.content == cached.content
    assert [item["key"] for item in client.get("/objects").json()["objects"]] == [key]
    assert client.get(f"/objects/{key}/metadata").json()["size_bytes"] == len(picture())
    assert client.delete(f"/objects/{key}").status_code == 204
    for path in (f"/objects/{key}", f"/thumbnails/64/{key}", f"/objects/{key}/metadata"):
        assert client.get(path).status_code == 404
    assert client.get("/objects").json()["objects"] == []
    assert client.get("/readyz").status_code == 200


def test_large_originals_come_whole_over_kept_connections(
    over: OverS3, key: str, big: bytes
) -> None:
    """Whole and in ranges, again and again, beside small ones, byte for byte."""
    for _ in range(3):
        assert over.client.get(f"/objects/{BIG_KEY}").content == big
        assert over.client.get(f"/objects/{key}").content == picture()
    first, last = 1_000_003, BIG - 7
    part = over.client.get(f"/objects/{BIG_KEY}", headers={"range": f"bytes={first}-{last}"})
    assert part.content == big[first : last + 1]


def test_more_connections_than_are_kept_make_no_noise(
    over: OverS3, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Sixty-four requests at once are answered, and the pool has nothing to complain of."""
    many = httpx.Limits(max_connections=64)
    with (
        caplog.at_level(logging.WARNING),
        httpx.Client(base_url=over.proxy.url, limits=many) as client,
        ThreadPoolExecutor(64) as pool,
    ):
        answers = list(pool.map(lambda _: client.get(f"/objects/{key}"), range(64)))
    assert {answer.status_code for answer in answers} == {200}
    assert [record for record in caplog.records if "pool" in record.getMessage()] == []


def test_a_store_that_dies_in_mid_transfer(over: OverS3, key: str, big: bytes) -> None:
    """That client's answer breaks off; others get 503, health says so; then all is well again."""
    over.way.cut_download_after = 3_000_000
    over.way.drop_all()
    with pytest.raises(httpx.RemoteProtocolError):
        over.client.get(f"/objects/{BIG_KEY}")
    assert over.client.get(f"/objects/{key}").content == picture()
    over.way.down = True
    over.way.drop_all()
    for path in (f"/objects/{key}", f"/objects/{BIG_KEY}", f"/thumbnails/64/{key}", "/readyz"):
        answer = over.client.get(path)
        assert answer.status_code == 503, path
        assert answer.json()["code"] == "store_unavailable"
        assert answer.headers["retry-after"]
    assert over.client.post("/objects", content=picture(1)).status_code == 503
    assert over.client.get("/healthz").status_code == 200
    over.way.down, over.way.cut_download_after = False, None
    assert over.client.get("/readyz").status_code == 200
    assert over.client.get(f"/objects/{BIG_KEY}").content == big
    assert over.client.get(f"/thumbnails/64/{key}").status_code == 200
    assert over.client.post("/objects", content=picture(1)).status_code == 201


def test_a_client_that_leaves_gives_the_connection_back(over: OverS3, big: bytes) -> None:
    """Downloads that are left in the middle harm no later one."""
    for _ in range(5):
        with over.proxy.connect() as connection:
            head = f"GET /objects/{BIG_KEY} HTTP/1.1\r\nHost: localhost\r\n\r\n"
            connection.sendall(head.encode())
            connection.recv(1000)
    assert over.client.get(f"/objects/{BIG_KEY}").content == big


def test_a_redirect_leads_to_the_store(s3_fields: dict[str, object], tmp_path: Path) -> None:
    """Off-load names a presigned address, the same for a while; the store has the bytes."""
    chosen = settings(tmp_path, **(s3_fields | {"offload": "redirect"}))
    with running_proxy(chosen) as proxy, httpx.Client(base_url=proxy.url) as client:
        stored = client.post("/objects", content=picture()).json()["key"]
        answer = client.get(f"/objects/{stored}")
        assert answer.status_code == 307
        address = answer.headers["location"]
        assert address.startswith(f"{s3_fields['s3_endpoint']}/{s3_fields['s3_bucket']}/originals/")
        assert client.get(f"/objects/{stored}").headers["location"] == address
        assert httpx.get(address).content == picture()
        absent = client.get(f"/objects/{'0' * 64}", follow_redirects=True)
        assert absent.status_code == 404
        download = client.get(f"/objects/{stored}?download=true")
        assert (download.status_code, download.content) == (200, picture())
        assert download.headers["content-disposition"].startswith("attachment")


def test_accel_names_the_file_to_nginx(tmp_path: Path) -> None:
    """Off-load by nginx: an internal address, the headers of the picture, no body."""
    chosen = settings(tmp_path, offload="accel", accel_prefix="/inside/")
    with running_proxy(chosen) as proxy, httpx.Client(base_url=proxy.url) as client:
        stored = client.post("/objects", content=picture()).json()["key"]
        answer = client.get(f"/objects/{stored}")
        internal = answer.headers["x-accel-redirect"]
        assert internal == f"/inside/originals/{stored[:2]}/{stored}"
        assert (answer.content, answer.headers["content-type"]) == (b"", "image/jpeg")
        file = tmp_path / "store" / internal.removeprefix("/inside/")
        assert file.read_bytes() == picture()
        assert client.get(f"/objects/{'0' * 64}").status_code == 404


@pytest.mark.parametrize("slow", [200])
def test_two_hundred_that_trickle(over: OverS3, key: str, slow: int) -> None:
    """Others get every answer while 200 heads and bodies come a byte at a time."""
    head = b"POST /objects HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n"
    with contextlib.ExitStack() as open_ones:
        connections = [open_ones.enter_context(over.proxy.connect()) for _ in range(slow)]
        for number, connection in enumerate(connections):
            connection.sendall(head + (b"\r\nx" if number % 2 else b"X-Slow: "))
        for _ in range(5):
            for connection in connections:
                connection.sendall(b"x")
            assert over.client.get(f"/objects/{key}").content == picture()
            assert over.client.get(f"/thumbnails/64/{key}").status_code == 200


@pytest.mark.parametrize("read_timeout_s", [1.0])
def test_a_store_that_falls_silent_in_mid_transfer(over: OverS3, big: bytes) -> None:
    """After BOXSEEK_S3_READ_TIMEOUT_S without a byte the answer is broken off."""
    over.way.answer_delay_s = 2.5
    over.way.drop_all()
    with pytest.raises(httpx.HTTPError):
        over.client.get(f"/objects/{BIG_KEY}", timeout=20).raise_for_status()
    over.way.answer_delay_s = 0.0
    over.way.drop_all()
    assert over.client.get(f"/objects/{BIG_KEY}").content == big
