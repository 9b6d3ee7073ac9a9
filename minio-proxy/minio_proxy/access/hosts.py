"""Which Host and Origin headers are ours, and where the service may listen at all."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from minio_proxy.access.keys import KeyFile
from minio_proxy.errors import ForeignOrigin, SettingsError
from minio_proxy.settings import ProxySettings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
KNOWN_HOSTS = 256  # Host headers of which the answer is remembered
_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>\d{1,5}))?")


def split_list(text: str) -> tuple[str, ...]:
    """Split a comma separated setting."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def is_loopback(address: str) -> bool:
    """Tell whether an IP address (no name) is loopback."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)


def check_listen(settings: ProxySettings, keys: KeyFile) -> None:
    """Refuse to listen where others could reach a service without keys.

    Raises:
        SettingsError: the host is, or resolves to, anything but loopback, and no key exists.
    """
    if keys.ring().keys:
        return
    addresses = _addresses(settings.host)
    open_ones = sorted(address for address in addresses if not is_loopback(address))
    if open_ones or not addresses:
        raise SettingsError(
            f"BOXSEEK_HOST={settings.host} can be reached from other machines, and there are no "
            "API keys. Listen on 127.0.0.1, or add a key first: boxseek keys add NAME",
            setting="BOXSEEK_HOST",
            actual=settings.host,
        )


def _addresses(host: str) -> set[str]:
    if not host:
        return set()  # asyncio would listen on every interface
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as exc:
        raise SettingsError(
            f"BOXSEEK_HOST={host} is no address of this machine.",
            setting="BOXSEEK_HOST",
            actual=host,
        ) from exc
    return {str(item[4][0]) for item in found}


class HostRules:
    """Which names this service answers to, and which pages may write to it.

    Args:
        host: the setting BOXSEEK_HOST.
        allowed_hosts: further names, without ports.
        cors_origins: web origins (``https://pages.example``) that may call.
    """

    def __init__(
        self, host: str, allowed_hosts: Iterable[str] = (), cors_origins: Iterable[str] = ()
    ) -> None:
        self._wildcard = host in {"0.0.0.0", "::", ""}  # noqa: S104 - recognised, not bound
        own = () if self._wildcard else (host,)
        self._names = frozenset(_bare(name) for name in (*own, *allowed_hosts))
        self._is_ours = lru_cache(KNOWN_HOSTS)(self._look_at)  # it never changes its mind
        self._origins = frozenset(origin.rstrip("/").lower() for origin in cors_origins)

    def check_host(self, host_header: str | None, server_address: str | None) -> None:
        """Refuse names that are not ours: another name may be a rebound DNS entry.

        Args:
            host_header: as sent.
            server_address: address on which the connection came in; it is one of our names
                where the service listens on every interface.

        Raises:
            ForeignOrigin: the name is unknown or missing.
        """
        if not self._is_ours(host_header or "", server_address):
            raise ForeignOrigin(
                "The Host header names no host of this service; BOXSEEK_ALLOWED_HOSTS adds one."
            )

    def _look_at(self, host_header: str, server_address: str | None) -> bool:
        match = _HOST.fullmatch(host_header)
        name = _bare(match["name"]) if match else ""
        if name == "localhost" or name.endswith(".localhost") or is_loopback(name):
            return True
        return bool(name) and (name in self._names or (self._wildcard and name == server_address))

    def check_origin(
        self, method: str, *, origin: str | None, fetch_site: str | None, host_header: str
    ) -> None:
        """Refuse a write that a foreign web page makes its visitor's browser send.

        Programs that are no browsers send neither header and pass.

        Raises:
            ForeignOrigin: the page's origin is neither ours nor in BOXSEEK_CORS_ORIGINS.
        """
        if method in SAFE_METHODS:
            return
        if origin is not None and origin.lower() in self._origins:
            return
        foreign = origin is not None and not _same_host(origin, host_header)
        if foreign or (fetch_site or "").lower() == "cross-site":
            raise ForeignOrigin("A page of another origin may not write here.")


def _bare(name: str) -> str:
    return name.strip().lower().strip("[]").rstrip(".")


def _same_host(origin: str, host_header: str) -> bool:
    """Compare host and port; a proxy in front may have ended TLS, so the scheme may differ."""
    try:
        parts = urlsplit(origin)
        origin_port = parts.port
    except ValueError:
        return False
    match = _HOST.fullmatch(host_header)
    if parts.scheme not in {"http", "https"} or match is None or not parts.hostname:
        return False
    default = 443 if parts.scheme == "https" else 80
    port = int(match["port"]) if match["port"] else default
    return _bare(parts.hostname) == _bare(match["name"]) and (origin_port or default) == port
