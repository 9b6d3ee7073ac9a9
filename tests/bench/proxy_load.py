"""A lean HTTP client: many kept connections in one thread, one buffer, no library's overhead.

It leaves as much of the machine as can be to what is measured. It follows redirects, as a
browser does, over a connection of its own to the other host.
"""

from __future__ import annotations

import re
import select
import socket
import time
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

READ = 1024 * 1024
_HEAD = re.compile(
    rb"HTTP/1\.1 (?P<status>\d{3}) .*?\r\ncontent-length: *(?P<length>\d+)",
    re.IGNORECASE | re.DOTALL,
)
_LOCATION = re.compile(rb"\r\nlocation: *(\S+)", re.IGNORECASE)


@lru_cache(64)
def _request(url: str) -> tuple[str, bytes]:
    """Give host with port, and what is sent."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return parts.netloc, f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()


@dataclass
class _Visitor:
    """One user: asks for the address again and again, one request at a time."""

    url: str
    end: float
    poll: select.epoll
    waiting: dict[int, _Visitor]
    buffer: memoryview
    bytes_read: int = 0
    seconds: list[float] = field(default_factory=list)
    sockets: dict[str, socket.socket] = field(default_factory=dict)

    def begin(self) -> None:
        """Ask once more, unless the time is over."""
        self._started = time.perf_counter()
        if self._started < self.end:
            self._ask(self.url)
        else:
            self.leave()

    def leave(self) -> None:
        """Close the connections."""
        for connection in self.sockets.values():
            del self.waiting[connection.fileno()]
            connection.close()

    def _ask(self, url: str) -> None:
        place, request = _request(url)
        self._head = b""
        self._missing = self._length = 0
        self._current = self._connected(place)
        self._current.sendall(request)

    def readable(self) -> None:
        """Take what came."""
        count = self._current.recv_into(self.buffer)
        if not count:
            raise SystemExit(f"{self.url}: the connection ended, {self._missing} bytes are missing")
        if not self._missing:
            count = self._begin_body(count)
        self._missing -= count
        if self._length and not self._missing:
            self.bytes_read += self._length
            self.seconds.append(time.perf_counter() - self._started)
            self.begin()

    def _begin_body(self, count: int) -> int:
        """Read the head; gives how many bytes of the body came with it."""
        self._head += self.buffer[:count].tobytes()
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            return 0
        head = _HEAD.match(self._head, 0, end)
        if head is None:
            raise SystemExit(f"{self.url}: {self._head!r}")
        status, length = int(head["status"]), int(head["length"])
        location = _LOCATION.search(self._head, 0, end)
        if location and status in {302, 307} and not length:
            self._ask(location[1].decode())
            return 0
        if status != 200 or not length:
            raise SystemExit(f"{self.url}: {self._head!r}")
        self._missing = self._length = length
        return len(self._head) - end - 4

    def _connected(self, place: str) -> socket.socket:
        found = self.sockets.get(place)
        if found is None:
            host, _, port = place.partition(":")
            found = self.sockets[place] = socket.create_connection((host, int(port)))
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.waiting[found.fileno()] = self
            self.poll.register(found, select.EPOLLIN)
        return found


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
    waiting: dict[int, _Visitor] = {}
    with select.epoll() as poll:
        visitors = [
            _Visitor(url, started + seconds, poll, waiting, buffer) for _ in range(connections)
        ]
        for visitor in visitors:
            visitor.begin()
        while waiting:
            for descriptor, _ in poll.poll():
                waiting[descriptor].readable()
    took = time.perf_counter() - started
    return Load(
        sum(visitor.bytes_read for visitor in visitors) / took,
        [each for visitor in visitors for each in visitor.seconds],
    )
