"""A lean HTTP client: many kept connections in one thread, one buffer, no library's overhead.

It leaves as much of the machine as can be to what is measured. It follows redirects, as a
browser does, over a connection of its own to the other host.
"""

from __future__ import annotations

import re
import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

READ = 1024 * 1024
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LOCATION = re.compile(rb"\r\nlocation: *(\S+)", re.IGNORECASE)


@dataclass
class _Visitor:
    """One user: asks for the address again and again, one request at a time."""

    url: str
    selector: selectors.BaseSelector
    end: float
    buffer: memoryview
    bytes_read: int = 0
    seconds: list[float] = field(default_factory=list)
    sockets: dict[str, socket.socket] = field(default_factory=dict)

    def run(self) -> Iterator[None]:
        """Visit until the end; each pause waits for the socket that is registered."""
        while (started := time.perf_counter()) < self.end:
            yield from self._get(self.url)
            self.seconds.append(time.perf_counter() - started)

    def _get(self, url: str) -> Iterator[None]:
        parts = urlsplit(url)
        connection = self._connected(parts.netloc)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        self.selector.register(connection, selectors.EVENT_READ, self)
        received = b""
        while b"\r\n\r\n" not in received:
            yield
            piece = connection.recv(READ)
            if not piece:
                raise SystemExit(f"{target}: the connection ended")
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        length = _LENGTH.search(head)
        missing = int(length[1] if length else 0) - len(body)
        while missing:
            yield
            count = connection.recv_into(self.buffer)
            if not count:
                raise SystemExit(f"{target}: {missing} bytes are missing")
            missing -= count
        self.selector.unregister(connection)
        location = _LOCATION.search(head)
        if location and status in {302, 307}:
            yield from self._get(location[1].decode())
        elif status != 200 or length is None:
            raise SystemExit(f"{target}: {head.decode('latin-1')}")
        else:
            self.bytes_read += int(length[1])

    def _connected(self, place: str) -> socket.socket:
        if place not in self.sockets:
            host, _, port = place.partition(":")
            self.sockets[place] = socket.create_connection((host, int(port)))
        return self.sockets[place]


@dataclass(frozen=True, slots=True)
class Load:
    """What a measurement found.

    Args:
        bytes_per_s: of bodies, over all connections.
        seconds: of each request, redirects included.
    """

    bytes_per_s: float
    seconds: list[float]


def load(url: str, connections: int, seconds: float) -> Load:
    """Ask for one address over some connections for a while."""
    started = time.perf_counter()
    buffer = memoryview(bytearray(READ))
    with selectors.DefaultSelector() as selector:
        visitors = [_Visitor(url, selector, started + seconds, buffer) for _ in range(connections)]
        running = {id(visitor): visitor.run() for visitor in visitors}
        for visitor in visitors:
            next(running[id(visitor)], None)
        while selector.get_map():
            for key, _ in selector.select():
                next(running[id(key.data)], None)
    took = time.perf_counter() - started
    for visitor in visitors:
        for connection in visitor.sockets.values():
            connection.close()
    return Load(
        sum(visitor.bytes_read for visitor in visitors) / took,
        [each for visitor in visitors for each in visitor.seconds],
    )
