"""Pictures from web addresses, without becoming a way into the network this runs in."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable, Iterable
from urllib.parse import urljoin, urlsplit

import httpcore

from embedding_pipeline.errors import AddressRefused, AddressUnreachable

MAX_REDIRECTS = 5
MAX_ADDRESS_LENGTH = 2000
REDIRECTS = frozenset({301, 302, 303, 307, 308})
OK = 200
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

Resolve = Callable[[str, int], list[str]]


def resolve(host: str, port: int) -> list[str]:
    """IP addresses of a host name, as the system knows them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(item[4][0]) for item in found]


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet.

    IPv6 addresses that carry an IPv4 address (mapped, 6to4, NAT64) are judged by that one;
    Teredo and anything unreadable is refused.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour
        if parsed in NAT64:
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if parsed.teredo is not None:
            return False
    return parsed.is_global and not parsed.is_multicast


class PictureFetcher:
    """Fetches the bytes behind an address; use it as a function.

    Every connection, also those of redirects, goes to an IP address that was just looked up
    and found public, so that neither a name nor a redirect can point inside.

    Args:
        max_bytes: more is not read.
        timeout_s: for everything together.
        resolver: host and port to IP addresses.
        allowed: which IP addresses may be connected to.
    """

    def __init__(
        self,
        *,
        max_bytes: int,
        timeout_s: float = 20.0,
        resolver: Resolve = resolve,
        allowed: Callable[[str], bool] = is_public,
    ) -> None:
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._backend = _CheckedBackend(resolver, allowed)

    def __call__(self, url: str) -> bytes:
        """Fetch one address.

        Raises:
            AddressRefused: not http(s), with credentials, or not on the public internet.
            AddressUnreachable: no answer in time, not 200, too large, too many redirects.
        """
        deadline = time.monotonic() + self._timeout_s
        try:
            # A pool of its own per fetch: a kept connection would outlive its check.
            with httpcore.ConnectionPool(network_backend=self._backend, retries=0) as pool:
                return self._follow(pool, url, deadline)
        except (
            httpcore.NetworkError,
            httpcore.TimeoutException,
            httpcore.ProtocolError,
            httpcore.UnsupportedProtocol,
            OSError,
            UnicodeError,
        ) as exc:
            raise _unreachable("The address cannot be reached", url) from exc

    def _follow(self, pool: httpcore.ConnectionPool, url: str, deadline: float) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            _check_address(url)
            timeouts = dict.fromkeys(("connect", "read", "write", "pool"), _left(deadline, url))
            with pool.stream(
                "GET",
                url,
                headers={
                    "Accept": "image/*",
                    "Accept-Encoding": "identity",
                    "User-Agent": "boxseek",
                },
                extensions={"timeout": timeouts},
            ) as response:
                if response.status not in REDIRECTS:
                    return self._body(response, url, deadline)
                headers = {name.lower(): value for name, value in response.headers}
                url = urljoin(url, headers.get(b"location", b"").decode("latin-1"))
        raise _unreachable("The address redirects too often", url)

    def _body(self, response: httpcore.Response, url: str, deadline: float) -> bytes:
        if response.status != OK:
            raise _unreachable(f"The address answered {response.status}", url)
        body = bytearray()
        for chunk in response.iter_stream():
            body += chunk
            _left(deadline, url)
            if len(body) > self._max_bytes:
                raise _unreachable(f"The file is larger than {self._max_bytes} bytes", url)
        return bytes(body)


class _CheckedBackend(httpcore.NetworkBackend):
    """Connects to checked IP addresses only; the name stays that of TLS and Host."""

    def __init__(self, resolver: Resolve, allowed: Callable[[str], bool]) -> None:
        self._resolve = resolver
        self._allowed = allowed
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Look the name up, check every address, connect to the first that answers."""
        addresses = self._resolve(host, port)
        if not addresses or not all(self._allowed(address) for address in addresses):
            raise AddressRefused(
                "Pictures are fetched from the public internet only.", parameter="url", host=host
            )
        failures: list[Exception] = []
        for address in dict.fromkeys(addresses):
            try:
                return self._sockets.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                failures.append(exc)
        raise failures[-1]


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        wrong = parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0
    except ValueError:
        wrong = True
    if wrong or len(url) > MAX_ADDRESS_LENGTH or any(ord(char) <= ord(" ") for char in url):
        raise AddressRefused("This is no http or https address.", parameter="url", actual=url[:200])
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("Addresses with credentials are not fetched.", parameter="url")


def _left(deadline: float, url: str) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise _unreachable("The address took too long", url)
    return left


def _unreachable(problem: str, url: str) -> AddressUnreachable:
    return AddressUnreachable(f"{problem}.", parameter="url", actual=url[:200])
