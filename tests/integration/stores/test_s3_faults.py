from __future__ import annotations

import io
import secrets
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from minio_proxy.errors import (
    ObjectNotFound,
    StoreCorrupt,
    StoreDenied,
    StoreFormatMismatch,
    StoreUnavailable,
)
from minio_proxy.stores.s3 import S3Store
from support.servers import TestServers
from support.stores_certificates import loopback_tls
from support.stores_cutting_proxy import CuttingProxy
from support.stores_s3 import random_bucket, raw_client, remove_bucket, s3_settings
from support.stores_streams import get, keys_of, put

pytestmark = pytest.mark.s3
KEY = "originals/ab/abcd"
BIG = 9 * 1024 * 1024


@pytest.fixture
def bucket(s3_server: TestServers) -> Iterator[str]:
    """A bucket of this test, removed afterwards."""
    name = random_bucket()
    yield name
    remove_bucket(s3_server, name)


@pytest.fixture
def proxy(s3_server: TestServers) -> Iterator[CuttingProxy]:
    """A breakable way to the server."""
    url = urlsplit(s3_server.s3_endpoint)
    with CuttingProxy(url.hostname or "", url.port or 80) as found:
        yield found


@pytest.fixture
def store(s3_server: TestServers, bucket: str, proxy: CuttingProxy) -> Iterator[S3Store]:
    """A store that reaches its server through the proxy, with short timeouts."""
    found = S3Store(
        s3_settings(
            s3_server, bucket, s3_endpoint=proxy.url, s3_connect_timeout_s=1, s3_read_timeout_s=1
        )
    )
    put(found, "kept", b"acknowledged before the fault")
    yield found
    found.close()


@pytest.mark.parametrize("size_bytes", [1_000_000, BIG], ids=["single part", "multipart"])
def test_server_lost_in_mid_put(
    store: S3Store, proxy: CuttingProxy, s3_server: TestServers, bucket: str, size_bytes: int
) -> None:
    """A put that breaks is an error, leaves no partial object, and works again afterwards."""
    content = secrets.token_bytes(size_bytes)
    proxy.cut_upload_after = 400_000
    proxy.drop_all()
    with pytest.raises(StoreUnavailable, match="does not answer"):
        put(store, KEY, content)
    direct = S3Store(s3_settings(s3_server, bucket))
    assert keys_of(direct) == ["kept"]
    assert get(direct, "kept") == b"acknowledged before the fault"
    proxy.cut_upload_after = None
    put(store, KEY, content)
    assert get(store, KEY) == content
    direct.close()


def test_server_lost_in_mid_get(store: S3Store, proxy: CuttingProxy) -> None:
    """A get that breaks raises from the stream; it never ends short as if it were whole."""
    content = secrets.token_bytes(BIG)
    put(store, KEY, content)
    proxy.cut_download_after = 3_000_000
    proxy.drop_all()
    got = bytearray()
    with pytest.raises(StoreUnavailable):
        deque(map(got.extend, store.open(KEY)))
    assert 0 < len(got) < BIG
    assert content.startswith(got)
    proxy.cut_download_after = None
    assert get(store, KEY) == content


def test_server_down(store: S3Store, proxy: CuttingProxy) -> None:
    """While nothing answers every verb says so within seconds; then it recovers by itself."""
    proxy.down = True
    proxy.drop_all()
    started = time.monotonic()
    for verb in (
        lambda: store.stat("kept"),
        lambda: store.open("kept"),
        lambda: store.list(""),
        lambda: store.delete("kept"),
        lambda: put(store, KEY, b"x"),
        store.check,
    ):
        with pytest.raises(StoreUnavailable, match="is it running"):
            verb()
    assert time.monotonic() - started < 20
    proxy.down = False
    assert get(store, "kept") == b"acknowledged before the fault"
    store.check()


def test_nobody_listens(s3_server: TestServers) -> None:
    """A refused connection is told as such, by the first call and not by building the store."""
    store = S3Store(s3_settings(s3_server, "bucket", s3_endpoint="http://127.0.0.1:9"))
    with pytest.raises(StoreUnavailable):
        store.check()


def test_slow_answers_meet_the_time_limit(store: S3Store, proxy: CuttingProxy) -> None:
    """A server that keeps silent longer than the setting is unavailable, not waited for."""
    proxy.answer_delay_s = 2.5
    started = time.monotonic()
    with pytest.raises(StoreUnavailable):
        store.stat("kept")
    assert time.monotonic() - started < 15


@pytest.mark.parametrize("field", ["s3_access_key", "s3_secret_key"])
def test_wrong_credentials(s3_server: TestServers, bucket: str, field: str) -> None:
    """Wrong keys are denied with what to check, for reading and writing."""
    put(S3Store(s3_settings(s3_server, bucket)), KEY, b"x")
    store = S3Store(s3_settings(s3_server, bucket, **{field: "wrong-wrong"}))
    for verb in (lambda: store.stat(KEY), lambda: put(store, KEY, b"y"), store.check):
        with pytest.raises(StoreDenied, match="BOXSEEK_S3_ACCESS_KEY"):
            verb()


def test_bucket_removed_while_running(s3_server: TestServers, bucket: str) -> None:
    """A bucket that goes away is empty to readers and made anew by the next write."""
    store = S3Store(s3_settings(s3_server, bucket))
    put(store, KEY, b"x")
    remove_bucket(s3_server, bucket)
    assert store.list("") == []
    with pytest.raises(ObjectNotFound):
        store.stat(KEY)
    put(store, KEY, b"again")
    assert get(store, KEY) == b"again"
    assert get(S3Store(s3_settings(s3_server, bucket)), KEY) == b"again"


@pytest.mark.parametrize(
    ("mark", "error"),
    [
        (b'{"format": 2}', StoreFormatMismatch),
        (b"not json", StoreCorrupt),
        (b"[]", StoreCorrupt),
    ],
)
def test_another_format_is_refused(
    s3_server: TestServers, bucket: str, mark: bytes, error: type[Exception]
) -> None:
    """A bucket of another format version is neither read nor written."""
    client = raw_client(s3_server)
    client.make_bucket(bucket)
    client.put_object(bucket, "boxseek-store.json", io.BytesIO(mark), len(mark))
    store = S3Store(s3_settings(s3_server, bucket))
    for verb in (lambda: store.list(""), lambda: put(store, KEY, b"x"), lambda: store.stat(KEY)):
        with pytest.raises(error):
            verb()


def test_foreign_names_in_the_bucket_stay_out(s3_server: TestServers, bucket: str) -> None:
    """Objects of others with names that are no keys neither show nor break a listing."""
    store = S3Store(s3_settings(s3_server, bucket))
    put(store, KEY, b"x")
    for name in ("my photo.jpg", "a%2Fb", "ümlaut", "zz top"):
        raw_client(s3_server).put_object(bucket, name, io.BytesIO(b"y"), 1)
    assert keys_of(store) == [KEY]


def test_a_prefix_keeps_stores_apart(s3_server: TestServers, bucket: str) -> None:
    """Two stores in one bucket see only their own objects."""
    one = S3Store(s3_settings(s3_server, bucket, s3_prefix="team/one"))
    two = S3Store(s3_settings(s3_server, bucket, s3_prefix="/team/two/"))
    put(one, KEY, b"1")
    put(two, KEY, b"2")
    assert (get(one, KEY), get(two, KEY)) == (b"1", b"2")
    assert (keys_of(one), keys_of(two)) == ([KEY], [KEY])


def test_a_presigned_address_works_without_keys(
    s3_server: TestServers, bucket: str, proxy: CuttingProxy
) -> None:
    """It is signed for the public host, reads this object only, and another host breaks it."""
    store = S3Store(s3_settings(s3_server, bucket, s3_public_endpoint=proxy.url))
    put(store, KEY, b"public content")
    address = store.presigned_url(KEY, 60)
    assert address.startswith(f"{proxy.url}/{bucket}/{KEY}?")
    with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 - loopback
        assert answer.read() == b"public content"
    for broken in (
        address.replace(proxy.url, s3_server.s3_endpoint),
        address.replace("abcd?", "abce?"),
    ):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(broken, timeout=10)  # noqa: S310 - loopback
        assert caught.value.code == 403
        caught.value.close()


def test_tls_with_an_own_authority(s3_server: TestServers, bucket: str, tmp_path: Path) -> None:
    """A store behind TLS is trusted with its CA file; without, the setting is named."""
    context, ca_file = loopback_tls(tmp_path)
    url = urlsplit(s3_server.s3_endpoint)
    with CuttingProxy(url.hostname or "", url.port or 80, context) as proxy:
        store = S3Store(
            s3_settings(s3_server, bucket, s3_endpoint=proxy.url, s3_ca_file=str(ca_file))
        )
        content = secrets.token_bytes(BIG)
        put(store, KEY, content)
        assert get(store, KEY) == content
        store.close()
        stranger = S3Store(s3_settings(s3_server, bucket, s3_endpoint=proxy.url))
        with pytest.raises(StoreDenied, match="BOXSEEK_S3_CA_FILE"):
            stranger.stat(KEY)


def test_a_presigned_picture_has_its_type(s3_server: TestServers, bucket: str) -> None:
    """The store answers with the type that the bytes tell, for browsers sent to it."""
    store = S3Store(s3_settings(s3_server, bucket))
    types = {
        "a": (b"\x89PNG\r\n\x1a\n" + bytes(60), "image/png"),
        "b": (b"text", "application/octet-stream"),
    }
    for key, (content, media_type) in types.items():
        put(store, key, content)
        with urllib.request.urlopen(store.presigned_url(key, 60), timeout=10) as answer:  # noqa: S310 - loopback
            assert answer.headers["content-type"] == media_type
            assert answer.read() == content
