"""Pictures from addresses: what is refused, what is cut, against a server on loopback."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from embedding_pipeline.errors import AddressRefused, AddressUnreachable
from embedding_pipeline.pipeline.fetch import PictureFetcher, is_public


class Pictures(BaseHTTPRequestHandler):
    """Answers by path."""

    def do_GET(self) -> None:
        """See each path."""
        answers = {"/ok": b"picture", "/large": bytes(5000)}
        if self.path in answers:
            self._answer(200, answers[self.path])
        elif self.path == "/slow":
            self._trickle()
        elif self.path == "/loop":
            self._answer(302, b"", "/loop")
        elif self.path == "/moved":
            self._answer(301, b"", "/ok")
        elif self.path == "/inside":
            self._answer(302, b"", "http://inside.test/secret")
        elif self.path == "/file":
            self._answer(302, b"", "file:///etc/passwd")
        else:
            self._answer(404, b"no")

    def _answer(self, status: int, body: bytes, location: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def _trickle(self) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(100):
            try:
                self.wfile.write(b"x")
            except OSError:
                return
            time.sleep(0.05)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Port of the server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def fetcher(**options: float) -> PictureFetcher:
    """Knows pictures.test at loopback, which it allows, and inside.test, which it does not."""
    names = {"pictures.test": ["127.0.0.1"], "inside.test": ["10.0.0.7"]}
    return PictureFetcher(
        max_bytes=1000,
        timeout_s=options.get("timeout_s", 5.0),
        resolver=lambda host, _: names[host],
        allowed=lambda address: address == "127.0.0.1",
    )


def test_a_picture_is_fetched_also_behind_a_redirect(port: int) -> None:
    """The bytes come as they are."""
    assert fetcher()(f"http://pictures.test:{port}/ok") == b"picture"
    assert fetcher()(f"http://pictures.test:{port}/moved") == b"picture"


@pytest.mark.parametrize(
    "path", ["missing", "large", "loop"], ids=["not 200", "too large", "endless redirects"]
)
def test_what_gives_no_picture_is_unreachable(port: int, path: str) -> None:
    """The error names the address."""
    with pytest.raises(AddressUnreachable) as caught:
        fetcher()(f"http://pictures.test:{port}/{path}")
    assert caught.value.details["parameter"] == "url"


def test_a_trickling_server_is_cut_off(port: int) -> None:
    """The time limit is for everything together, not for a piece."""
    started = time.monotonic()
    with pytest.raises(AddressUnreachable):
        fetcher(timeout_s=0.4)(f"http://pictures.test:{port}/slow")
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("path", ["inside", "file"])
def test_a_redirect_cannot_lead_inside(port: int, path: str) -> None:
    """Every hop is checked like the first."""
    with pytest.raises(AddressRefused):
        fetcher()(f"http://pictures.test:{port}/{path}")


def test_a_name_with_one_private_address_is_refused() -> None:
    """Else a name with several addresses could reach inside by chance."""
    both = PictureFetcher(max_bytes=1000, resolver=lambda *_: ["93.184.216.34", "192.168.0.1"])
    with pytest.raises(AddressRefused):
        both("http://mixed.test/a.jpg")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "photo.jpg",
        "//pictures.test/ok",
        "file:///etc/passwd",
        "ftp://pictures.test/a",
        "http://",
        "http://user:secret@pictures.test/ok",
        "http://pictures.test:99999/ok",
        "http://pictures.test/a b",
        "http://pictures.test/\r\nHost: x",
        "http://[::1",
        "http://pictures.test/" + "x" * 3000,
    ],
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    """Before anything is looked up."""
    with pytest.raises(AddressRefused):
        fetcher()(url)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "[::1]", "0.0.0.0"])  # noqa: S104 - refused, not bound
def test_private_hosts_are_refused_by_default(host: str) -> None:
    """Without any exception for tests."""
    with pytest.raises(AddressRefused):
        PictureFetcher(max_bytes=1000)(f"http://{host}/a.jpg")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("64:ff9b::5db8:d822", True),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - judged, not bound
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("::ffff:127.0.0.1", False),
        ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
        ("not an address", False),
        ("fe80::1%eth0", False),
    ],
)
def test_public_addresses_are_told_from_private_ones(address: str, public: bool) -> None:
    """IPv4 inside IPv6 is judged as the IPv4 it is."""
    assert is_public(address) is public
