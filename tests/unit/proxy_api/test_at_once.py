from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from fastapi import FastAPI

from minio_proxy.api.app import create_app
from minio_proxy.api.at_once import AtOnce
from minio_proxy.bootstrap import ProxyServices, build_services, root_file
from support.proxy_services import HOST, RunningProxy, running, settings

KEY = "ab" * 32
PATH = f"/objects/{KEY}"
HOSTS = [(b"host", b"localhost")]
OWN = {b"date", b"x-request-id"}


@pytest.fixture
def services(tmp_path: Path) -> Iterator[ProxyServices]:
    """Of a proxy that redirects to a store of which nothing is asked."""
    chosen = settings(
        tmp_path,
        store="s3",
        s3_endpoint="http://127.0.0.1:9",
        s3_access_key="access",
        s3_secret_key="secret",
        offload="redirect",
        rate_limit_per_minute=60,
    )
    with build_services(chosen) as built:
        yield built


@pytest.fixture
def app(services: ProxyServices) -> FastAPI:
    """The proxy's application."""
    return create_app(services)


@pytest.fixture
def at_once(app: FastAPI) -> AtOnce:
    """What answers before the application is asked."""
    found: AtOnce = app.state.at_once
    return found


def answered(at_once: AtOnce, target: str, *headers: tuple[bytes, bytes]) -> bytes | None:
    """Ask as the server does."""
    return at_once.answer(target.encode(), [*HOSTS, *headers], client=HOST, server=HOST)


def exchange(proxy: RunningProxy, *requests: bytes) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Send requests in one go; gives status line and headers of each answer."""
    with proxy.connect() as connection:
        connection.sendall(b"".join(requests))
        received = b""
        while received.count(b"HTTP/1.1 ") < len(requests) or not received.endswith(b"\r\n"):
            piece = connection.recv(65536)
            if not piece:
                break
            received += piece
    found = []
    for text in re.split(rb"(?=HTTP/1\.1 )", received)[1:]:
        lines = text.partition(b"\r\n\r\n")[0].split(b"\r\n")
        found.append((lines[0], dict(line.split(b": ", 1) for line in lines[1:])))
    return found


def get(path: str, *lines: bytes, version: bytes = b"1.1") -> bytes:
    """A request as it goes over the wire."""
    head = b"\r\n".join((b"GET %b HTTP/%b" % (path.encode(), version), b"Host: localhost", *lines))
    return head + b"\r\n\r\n"


def test_it_says_what_the_routes_say(app: FastAPI, services: ProxyServices) -> None:
    """Status and headers are the same whether or not a request reaches the application."""
    with running(app) as port:
        proxy = RunningProxy(services, port)
        here, routed = exchange(proxy, get(PATH)), exchange(proxy, get(PATH, b"Origin: http://x"))
    assert here[0][0] == routed[0][0] == b"HTTP/1.1 307 Temporary Redirect"
    assert here[0][1].keys() == routed[0][1].keys() >= OWN
    different = {name for name, value in here[0][1].items() if routed[0][1][name] != value}
    assert different <= OWN | {b"location"}  # the routes sign for themselves, perhaps later
    target = here[0][1][b"location"]
    assert target.startswith(b"http://127.0.0.1:9/boxseek/originals/ab/" + KEY.encode())


def test_answers_keep_their_order(app: FastAPI, services: ProxyServices) -> None:
    """Requests that come in one go are answered in turn, at once or not."""
    health = get("/healthz")
    with running(app) as port:
        proxy = RunningProxy(services, port)
        mixed = exchange(proxy, get(PATH), health, get(PATH), get(PATH), health, get(PATH))
        last = exchange(proxy, get(PATH), get(PATH, b"Connection: close"))
        old = exchange(proxy, get(PATH, version=b"1.0"))
        giant = exchange(proxy, get(PATH, b"Connection: close", b"X-Giant: " + b"x" * 20_000))
        head = exchange(proxy, get(PATH, b"Connection: close").replace(b"GET", b"HEAD", 1))
    codes = [int(line.split()[1]) for line, _ in mixed]
    assert codes == [307, 200, 307, 307, 200, 307]
    assert [headers.get(b"connection") for _, headers in last] == [None, b"close"]
    assert b" 307 " in old[0][0]
    assert b" 431 " in giant[0][0]
    assert b" 503 " in head[0][0]  # looked up in the store, which is not there


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        (f"/objects/{KEY[:-1]}", ()),
        (f"/objects/{KEY.upper()}", ()),
        (f"/objects/%61{KEY[1:]}", ()),
        (f"{PATH}/metadata", ()),
        (f"{PATH}?download=true", ()),
        (f"{PATH}?expires=1&expires=2", ()),
        (f"/thumbnails/64/{KEY}", ()),
        (PATH, ((b"host", b"localhost"),)),
        (PATH, ((b"origin", b"http://pages.example"),)),
        (PATH, ((b"x-forwarded-for", b"192.0.2.1"),)),
        (PATH, ((b"content-length", b"4"),)),
        (PATH, ((b"transfer-encoding", b"chunked"),)),
    ],
)
def test_all_else_is_left_to_the_routes(
    at_once: AtOnce, target: str, headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    """Another address or parameter, a body, and what middlewares look at."""
    assert answered(at_once, target, *headers) is None


def test_a_foreign_host_is_left_to_the_routes(at_once: AtOnce) -> None:
    """They refuse it."""
    foreign = [(b"host", b"evil.example")]
    assert at_once.answer(PATH.encode(), foreign, client=HOST, server=HOST) is None
    assert at_once.answer(PATH.encode(), [], client=HOST, server=HOST) is None


def test_the_same_guard_lets_in(at_once: AtOnce, services: ProxyServices) -> None:
    """A key, a login, a cookie and a signed link let in; nothing, a wrong or revoked one do not."""
    assert answered(at_once, PATH)
    key, text = services.guard.keys.add("reader", "read")
    token = services.guard.login(text, HOST)[0].encode()
    link = services.guard.sign(PATH)
    assert answered(at_once, PATH) is None
    for header in (
        (b"authorization", b"Bearer " + text.encode()),
        (b"x-api-key", text.encode()),
        (b"authorization", b"Bearer " + token),
        (b"cookie", b"boxseek_session=" + token),
    ):
        assert answered(at_once, PATH, header), header
    assert answered(at_once, link)
    assert answered(at_once, link.replace(KEY, "cd" * 32)) is None
    assert answered(at_once, link.replace("expires=", "expires=9")) is None
    assert answered(at_once, link + "&box=1,2,3,4") is None
    assert answered(at_once, PATH, (b"x-api-key", b"bsk_wrong")) is None
    services.guard.keys.add("other", "admin")
    services.guard.keys.revoke(key.key_id)
    assert answered(at_once, PATH, (b"x-api-key", text.encode())) is None
    assert answered(at_once, PATH, (b"cookie", b"boxseek_session=" + token)) is None


def test_a_request_is_counted_once(at_once: AtOnce, services: ProxyServices) -> None:
    """The limit of a key ends redirects too, and wrong keys cost no tokens here."""
    _, text = services.guard.keys.add("reader", "read")
    header = (b"x-api-key", text.encode())
    for _ in range(100):
        assert answered(at_once, PATH, (b"x-api-key", b"bsk_wrong")) is None
    given = [answered(at_once, PATH, header) is not None for _ in range(70)]
    assert given[:60] == [True] * 60
    assert not all(given[60:])


def test_originals_left_in_place_are_left_to_the_routes(at_once: AtOnce, tmp_path: Path) -> None:
    """The store may not have them."""
    assert answered(at_once, PATH)
    root_file(settings(tmp_path)).add(str(tmp_path))
    assert answered(at_once, PATH) is None


def test_it_is_counted_and_logged(app: FastAPI, at_once: AtOnce, services: ProxyServices) -> None:
    """As every other request: an id, a line, a count."""
    with structlog.testing.capture_logs() as lines:
        given = answered(at_once, PATH, (b"x-request-id", b"mine"))
    assert given is not None
    assert b"x-request-id: mine\r\n" in given
    (line,) = lines
    assert (line["event"], line["request_id"]) == ("request", "mine")
    assert (line["path"], line["status"]) == (PATH, 307)
    with running(app) as port, RunningProxy(services, port).connect() as connection:
        connection.sendall(get("/metrics", b"Connection: close"))
        text = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b'method="GET",route="/objects/{key}",status="307"} 1.0' in text


def test_a_failure_is_told_and_left_to_the_routes(
    at_once: AtOnce, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody foresaw is no malformed request."""
    monkeypatch.setattr(at_once, "_admit", lambda *_: 1 / 0)
    with structlog.testing.capture_logs() as lines:
        assert answered(at_once, PATH) is None
    assert [line["event"] for line in lines] == ["unexpected_error"]


def test_nothing_is_answered_at_once_without_redirects(tmp_path: Path) -> None:
    """It is there where BOXSEEK_OFFLOAD=redirect asks for it."""
    with build_services(settings(tmp_path)) as services:
        assert not hasattr(create_app(services).state, "at_once")
