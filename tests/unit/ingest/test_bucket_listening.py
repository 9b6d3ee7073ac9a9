"""Listening to a bucket: a server that tells as MinIO does, and servers that do not."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from minio_proxy.errors import NotOffered, StoreUnavailable
from minio_proxy.settings import ProxySettings
from minio_proxy.stores import s3_events
from minio_proxy.stores.s3_source import S3Source

Answer = Callable[[BaseHTTPRequestHandler], None]
XML = b'<?xml version="1.0"?><ListBucketResult></ListBucketResult>'
DENIED = b"<Error><Code>NotImplemented</Code><Message>not here</Message></Error>"


@contextmanager
def server(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """A server whose every GET is answered so; gives its address and what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        """Answers and closes."""

        def do_GET(self) -> None:
            """Answer."""
            asked.append(self.path)
            answer(self)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        made.daemon_threads = True
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{made.server_address[1]}", asked
        finally:
            made.shutdown()
            thread.join()


def source(address: str) -> S3Source:
    """A bucket at this server."""
    fields = {"s3_endpoint": address, "s3_access_key": "k", "s3_secret_key": "s"}
    return S3Source(ProxySettings(_env_file=None, **fields), "bucket")  # type: ignore[arg-type]


def plain(status: int, kind: str, body: bytes) -> Answer:
    """A whole answer of one kind."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def streaming(keys: list[str]) -> Answer:
    """Blanks and one line a key, as MinIO sends them; then the connection ends."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", s3_events.STREAM)
        request.end_headers()
        for key in keys:
            event = {"Records": [{"s3": {"object": {"key": key}}}]}
            request.wfile.write(b"  " + json.dumps(event).encode() + b"\n")
            request.wfile.flush()
        time.sleep(0.2)

    return answer


def test_keys_are_told_as_they_are() -> None:
    """Escaped as MinIO escapes them; each connection is told, and the prefix is asked for."""
    connected: list[bool] = []
    with (
        server(streaming(["in/a+b%2Fc.jpg", "in/%C3%BC.jpg"])) as (address, asked),
        closing(source(address)) as bucket,
        bucket.listen("in/ü ", lambda: connected.append(True)) as keys,
    ):
        assert [next(keys), next(keys)] == ["in/a b/c.jpg", "in/ü.jpg"]
        assert next(keys) == "in/a b/c.jpg"  # the client connected again by itself
    assert len(connected) == 2
    query = parse_qs(urlsplit(asked[0]).query)
    assert query["prefix"] == ["in/ü "]
    assert query["events"] == list(s3_events.EVENTS)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(plain(200, "application/xml", XML), id="takes it for a listing"),
        pytest.param(plain(501, "application/xml", DENIED), id="says that it has it not"),
    ],
)
def test_a_server_that_does_not_tell(answer: Answer) -> None:
    """One clear refusal, and no request after request."""
    with (
        server(answer) as (address, asked),
        closing(source(address)) as bucket,
        bucket.listen("", lambda: None) as keys,
    ):
        with pytest.raises(NotOffered):
            next(keys)
        assert len(asked) == 1


def test_a_server_that_holds_its_answer_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is taken for not telling, as builds of MinIO do that."""
    monkeypatch.setattr(s3_events, "SILENT_S", 0.2)
    with (
        server(lambda _: time.sleep(1)) as (address, _),
        closing(source(address)) as bucket,
        bucket.listen("", lambda: None) as keys,
        pytest.raises(NotOffered, match="sent nothing"),
    ):
        next(keys)


def test_a_server_that_is_away() -> None:
    """That is another matter than not telling."""
    with (
        closing(source("http://127.0.0.1:1")) as bucket,
        bucket.listen("", lambda: None) as keys,
        pytest.raises(StoreUnavailable),
    ):
        next(keys)
