"""Answers redirects to the store where the request was parsed, with no framework in between.

The store needs half a millisecond for a small picture, and the way through tasks, middlewares
and routes as long again. Only what ends in a redirect is answered here, behind the same guard,
counted and logged as everything; all else, every refusal included, is left to the routes.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from functools import cached_property
from typing import Final, TypeAlias
from urllib.parse import parse_qsl

import structlog
from starlette.datastructures import Headers

from minio_proxy.access import cookie_of, credential_of
from minio_proxy.access.scopes import Caller
from minio_proxy.api.metrics import Metrics
from minio_proxy.api.middleware import given_id, line, log
from minio_proxy.api.offload import Offload
from minio_proxy.bootstrap import ProxyServices
from minio_proxy.errors import ProxyError

RawHeaders: TypeAlias = list[tuple[bytes, bytes]]
ROUTE: Final = "/objects/{key}"

_TARGET: Final = re.compile(rb"/objects/(?P<key>[0-9a-f]{64})(?:\?(?P<query>[!-~]*))?")
_ROUTES_ONLY: Final = frozenset(
    (
        *(b"content-length", b"transfer-encoding", b"expect", b"upgrade"),  # they have a body
        *(b"origin", b"forwarded", b"x-forwarded-for", b"x-forwarded-proto"),  # middlewares'
    )
)
_CREDENTIALS: Final = frozenset((b"authorization", b"x-api-key", b"cookie"))
_LINK: Final = frozenset(("expires", "signature"))


class AtOnce:
    """Gives the redirect to an original, or leaves the request to the routes.

    Args:
        services: guard, originals, store.
        metrics: where to count.
        offload: whose addresses to give.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        services: ProxyServices,
        metrics: Metrics,
        offload: Offload,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._guard = services.guard
        self._originals = services.originals
        self._metrics = metrics
        self._offload = offload
        self._clock = clock

    @cached_property
    def _log(self) -> structlog.typing.FilteringBoundLogger:
        """Made by the first request, when logging is set up; making it costs as much as a line."""
        bound: structlog.typing.FilteringBoundLogger = log.bind()
        return bound

    def answer(
        self, target: bytes, raw_headers: RawHeaders, *, client: str, server: str | None
    ) -> bytes | None:
        """Answer a GET, as lines of a head without its status line; None: not here.

        Args:
            target: path and query as sent.
            raw_headers: names in lower case.
            client: address of the peer.
            server: address on which the connection came in.
        """
        started = self._clock()
        match = _TARGET.fullmatch(target)
        headers = dict(raw_headers)
        if match is None or len(headers) != len(raw_headers):
            return None
        if not _ROUTES_ONLY.isdisjoint(headers):
            return None
        key = match["key"].decode()
        try:
            if self._originals.leaves_in_place:
                return None
            caller = self._admit(key, match["query"], headers, client, server)
            head = self._offload.redirect_head(key)
        except (ProxyError, _ElsewhereError):
            return None  # the routes find the same, and say it
        except Exception:  # noqa: BLE001 - a parser would take it for a malformed request
            self._log.exception("unexpected_error")
            return None
        request_id = given_id(headers.get(b"x-request-id", b"").decode("latin-1"))
        self._note(key, request_id, caller, started)
        return b"%bx-request-id: %b\r\n" % (head, request_id.encode())

    def _admit(
        self,
        key: str,
        query: bytes | None,
        headers: dict[bytes, bytes],
        client: str,
        server: str | None,
    ) -> Caller | None:
        """Do what GuardMiddleware and require_or_link do; count only what is let in."""
        guard = self._guard
        guard.hosts.check_host(headers.get(b"host", b"").decode("latin-1"), server)
        link = _link(query)
        caller = None
        if _CREDENTIALS.isdisjoint(headers):
            caller = guard.recognise(None)
        else:
            found = Headers(raw=list(headers.items()))
            caller = guard.recognise(credential_of(found), cookie=cookie_of(found))
        if caller is None:
            if link is None:
                raise _ElsewhereError
            guard.check_link(f"/objects/{key}", "", expires=link[0], signature=link[1])
        elif not caller.may("read"):
            raise _ElsewhereError
        guard.count(caller, client)
        return caller

    def _note(self, key: str, request_id: str, caller: Caller | None, started: float) -> None:
        seconds = self._clock() - started
        self._metrics.answered(route=ROUTE, method="GET", status=307, seconds=seconds, sent_bytes=0)
        if self._log.is_enabled_for(logging.INFO):
            fields = line("GET", f"/objects/{key}", 307, seconds, 0, caller)
            self._log.info("request", request_id=request_id, **fields)


class _ElsewhereError(Exception):
    """Not a request for here."""


def _link(query: bytes | None) -> tuple[str, str] | None:
    """Expiry and signature of a link; any other parameter is the routes' affair."""
    if not query:
        return None
    pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True)
    found = dict(pairs)
    if len(pairs) != len(_LINK) or found.keys() != _LINK:
        raise _ElsewhereError
    return found["expires"], found["signature"]
