"""Login: a key for a short-lived token, so that the page need not keep the key."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from minio_proxy.access import SESSION_COOKIE, Caller, Guard, client_address
from minio_proxy.api.errors import error_responses
from minio_proxy.api.models import Login, SessionInfo, Token


def session_router(guard: Guard) -> APIRouter:
    """Make the routes of login and logout."""
    router = APIRouter(prefix="/v1", tags=["access"])

    @router.post("/login", responses=error_responses(400, 401, 403, 408, 413, 422, 429))
    async def login(body: Login, request: Request, response: Response) -> Token:
        """Exchange an API key for a token, given in the answer and as a cookie."""
        token, session = guard.login(body.key, client_address(request.scope))
        _set_cookie(response, request, token, guard.token_ttl_s)
        return Token(token=token, expires_at=session.expires_at, scope=session.scope)

    @router.post("/logout", status_code=204, responses=error_responses(401, 403, 429))
    async def logout(request: Request, response: Response) -> None:
        """Remove the login cookie from this browser."""
        _set_cookie(response, request, "", 0)

    @router.get("/session", responses=error_responses(401, 403, 429))
    async def session(request: Request) -> SessionInfo:
        """Tell whether a login is needed and what this caller may do."""
        caller: Caller | None = request.state.caller
        return SessionInfo(
            keys_required=guard.keys_required, scope=caller.scope if caller else None
        )

    return router


def _set_cookie(response: Response, request: Request, token: str, max_age_s: int) -> None:
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=max_age_s,
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
