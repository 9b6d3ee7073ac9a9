"""The guard as pieces of an ASGI service: a middleware, and what routes depend on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from minio_proxy.access.guard import Guard
from minio_proxy.access.scopes import Caller, Scope
from minio_proxy.access.signing import box_text, parse_box
from minio_proxy.errors import NotAllowed, NotAuthenticated

SESSION_COOKIE = "boxseek_session"
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""Answered whatever key comes along: who starts and watches services holds none."""


class GuardMiddleware:
    """Checks Host, Origin, key and rate of every request; raises AccessError.

    The error becomes an answer in ``minio_proxy.api.middleware.RequestMiddleware``, which
    therefore stands outside this one. What a route needs beyond that it asks for with
    ``require`` or ``require_or_link``.
    """

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self.app = app
        self.guard = guard

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Let a request in, or raise; ``scope["state"]`` gets ``caller`` and ``guard``."""
        if scope["type"] == "http":
            self._admit(scope)
        await self.app(scope, receive, send)

    def _admit(self, scope: AsgiScope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host")
        self.guard.hosts.check_host(host, (scope.get("server") or (None,))[0])
        self.guard.hosts.check_origin(
            scope["method"],
            origin=headers.get("origin"),
            fetch_site=headers.get("sec-fetch-site"),
            host_header=host or "",
        )
        caller = None
        if scope["path"] not in OPEN_PATHS:
            client = client_address(scope)
            caller = self.guard.identify(credential_of(headers), client, cookie=cookie_of(headers))
            self.guard.count(caller, client)
        scope.setdefault("state", {}).update(caller=caller, guard=self.guard)


def require(needed: Scope) -> Callable[[Request], Awaitable[Caller]]:
    """Make the dependency of a route that needs a scope: ``Depends(require("write"))``."""

    async def check(request: Request) -> Caller:
        return _allowed(request, needed)

    return check


async def require_or_link(request: Request) -> None:
    """Let in who may read, or who has a signed link to exactly this address.

    Raises:
        NotAuthenticated: neither; or the link is altered or expired.
        NotAllowed: never for pictures, every key may read.
    """
    caller: Caller | None = request.state.caller
    signature = request.query_params.get("signature")
    if caller is not None or signature is None:
        _allowed(request, "read")
        return
    guard: Guard = request.state.guard
    box = parse_box(request.query_params.get("box", ""))
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    guard.check_link(
        path,
        box_text(box) if box else "",
        expires=request.query_params.get("expires", ""),
        signature=signature,
    )


def client_address(scope: AsgiScope) -> str:
    """Address of the peer; behind a trusted reverse proxy uvicorn puts the client's here."""
    return str((scope.get("client") or ("unknown",))[0])


def _allowed(request: Request, needed: Scope) -> Caller:
    caller: Caller | None = request.state.caller
    if caller is None:
        raise NotAuthenticated("An API key or login is needed.")
    if not caller.may(needed):
        raise NotAllowed(f"This needs a key with the scope {needed}.", needed=needed)
    return caller


def credential_of(headers: Headers) -> str | None:
    """Find the key or token in Authorization or X-API-Key; None where there is none."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    return headers.get("x-api-key", "").strip() or None


def cookie_of(headers: Headers) -> str | None:
    """Find the token of a login in its cookie; None where there is none."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(SESSION_COOKIE)
    except CookieError:
        return None
    return found.value if found else None
