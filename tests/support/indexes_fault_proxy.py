"""An HTTP proxy in front of Elasticsearch that spoils the answers a test names."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Fault = Callable[["Exchange"], None]


@dataclass
class Exchange:
    """One request and what will be answered.

    Args:
        method: HTTP method.
        path: with the query.
        body: of the request; a fault may change it before it is sent on.
        headers: of the request, their names in small letters.
        status: of the answer.
        answer: body of the answer.
        cut: close the connection without an answer.
        forward: send the request on at all.
    """

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 0
    answer: bytes = b""
    cut: bool = False
    forward: bool = True

    @property
    def is_bulk(self) -> bool:
        """Whether the request is a bulk."""
        return "/_bulk" in self.path

    def refuse(self, status: int, kind: str) -> None:
        """Answer with an error of Elasticsearch's shape in the server's place."""
        self.forward, self.status = False, status
        error = {"type": kind, "reason": "made by a test"}
        self.answer = json.dumps({"error": error, "status": status}).encode()


@dataclass
class FaultProxy:
    """Address of the proxy, its faults, and what passed.

    Args:
        url: base URL.
        before: called before a request is sent on.
        after: called with the server's answer.
        seen: every exchange.
    """

    url: str = ""
    before: Fault = lambda exchange: None
    after: Fault = lambda exchange: None
    seen: list[Exchange] = field(default_factory=list)

    @property
    def bulks(self) -> list[Exchange]:
        """The bulk requests so far."""
        return [exchange for exchange in self.seen if exchange.is_bulk]


@contextmanager
def fault_proxy(target: str, tls: ssl.SSLContext | None = None) -> Iterator[FaultProxy]:
    """Run a proxy to a server on a free port of loopback, behind TLS if a context is given."""
    proxy = FaultProxy()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(proxy, urlsplit(target).netloc))
    server.daemon_threads = True
    if tls is not None:
        # The handshake is left to the handler's thread: a client that refuses it stops nobody.
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    proxy.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def bulk_items(exchange: Exchange) -> list[dict[str, Any]]:
    """Items of a bulk's answer."""
    return [next(iter(item.values())) for item in json.loads(exchange.answer)["items"]]


def bulk_ids(exchange: Exchange) -> list[str]:
    """Ids that a bulk names, in order."""
    found = []
    for line in exchange.body.splitlines():
        action = next(iter(json.loads(line).values()), None)
        if isinstance(action, dict) and "_id" in action:
            found.append(action["_id"])
    return found


def _handler(proxy: FaultProxy, netloc: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            exchange = Exchange(self.command, self.path, body, headers)
            proxy.seen.append(exchange)
            proxy.before(exchange)
            if exchange.forward:
                connection = HTTPConnection(netloc, timeout=60)
                passed = {name: headers[name] for name in _PASSED & headers.keys()}
                connection.request(self.command, self.path, exchange.body or None, passed)
                response = connection.getresponse()
                exchange.status, exchange.answer = response.status, response.read()
                connection.close()
                proxy.after(exchange)
            if exchange.cut:
                self.close_connection = True
                return
            self.send_response(exchange.status)
            self.send_header("Content-Type", "application/vnd.elasticsearch+json;compatible-with=8")
            self.send_header("X-Elastic-Product", "Elasticsearch")
            self.send_header("Content-Length", str(len(exchange.answer)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(exchange.answer)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass  # noqa: N815 - the server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the server's name
            pass

    return Handler


_PASSED = {"content-type", "accept", "content-encoding"}
