"""Keys that MinIO refuses and other S3 stores have: sent and read as they are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote_plus

import pytest

from minio_proxy.settings import ProxySettings
from minio_proxy.stores.s3_source import S3Source

KEYS = ("/a.jpg", "a//b.jpg", "a/b/", "a\nb.jpg", "a\x01.jpg", "end//")


class OtherStore(BaseHTTPRequestHandler):
    """Lists KEYS and answers any object with its own path."""

    def do_GET(self) -> None:
        """A listing for a query, else an object."""
        body = _listing() if "list-type" in self.path else self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"tag"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def _listing() -> bytes:
    contents = "".join(
        f"<Contents><Key>{quote_plus(key, safe='/')}</Key><Size>1</Size>"
        "<ETag>&quot;tag&quot;</ETag><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
        for key in KEYS
    )
    return (
        "<ListBucketResult><Name>other</Name><EncodingType>url</EncodingType>"
        f"<IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
    ).encode()


@pytest.fixture
def source() -> Iterator[S3Source]:
    """A bucket of the other store."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), OtherStore)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    with closing(S3Source(ProxySettings(_env_file=None, s3_endpoint=endpoint), "other")) as made:
        yield made
    server.shutdown()
    server.server_close()


def test_empty_segments_and_control_characters_survive(source: S3Source) -> None:
    """Neither the listing nor the address of an object is tidied up."""
    assert tuple(found.key for found in source.list("")) == KEYS
    asked = [b"".join(source.open(key).chunks).decode() for key in KEYS]
    assert asked == [
        "/other//a.jpg", "/other/a//b.jpg", "/other/a/b/", "/other/a%0Ab.jpg",
        "/other/a%01.jpg", "/other/end//",
    ]  # fmt: skip


def test_an_open_object_says_what_it_is(source: S3Source) -> None:
    """ETag without quotes and size are those of the bytes."""
    opened = source.open("a//b.jpg")
    assert (opened.etag, opened.size_bytes) == ("tag", len("/other/a//b.jpg"))
    opened.chunks.close()
