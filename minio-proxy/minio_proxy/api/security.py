"""Tells the OpenAPI document by what a caller may be known."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from minio_proxy.access import SESSION_COOKIE

SCHEMES: dict[str, dict[str, str]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "API key or login token."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "login": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE},
    "signedLink": {
        "type": "apiKey",
        "in": "query",
        "name": "signature",
        "description": "With `expires`; both come with the addresses that answers contain.",
    },
}
LINKED = ("/objects/{key}", "/thumbnails/", "/crops/")


def declare_security(app: FastAPI) -> None:
    """Name the schemes at every operation that may answer 401.

    One of them is needed once keys exist, hence the empty alternative.
    """
    plain = app.openapi

    def document() -> dict[str, Any]:
        found = plain()
        found["components"]["securitySchemes"] = SCHEMES
        for path, operations in found["paths"].items():
            for method, operation in operations.items():
                if "401" in operation["responses"]:
                    names = [name for name in SCHEMES if name != "signedLink"]
                    if method in {"get", "head"} and _is_linked(path):
                        names.append("signedLink")
                    operation["security"] = [{}, *({name: []} for name in names)]
        return found

    app.openapi = document  # type: ignore[method-assign] # FastAPI's documented way


def _is_linked(path: str) -> bool:
    return path == LINKED[0] or path.startswith(LINKED[1:])
