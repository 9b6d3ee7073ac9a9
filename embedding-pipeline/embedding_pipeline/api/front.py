"""The web page: static files with a strict policy, and its routes."""

from __future__ import annotations

import gzip
import mimetypes
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import NotModifiedResponse
from starlette.types import ASGIApp, Receive, Scope, Send

HASHED = "/assets/"
TEXTS = frozenset({".css", ".html", ".js", ".json", ".svg"})
COMPRESSED_FILES = 32
"""Kept in memory; a built page has about ten files of a few kilobytes."""
NOT_BUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Boxseek</title></head>
<body><h1>The page is not built</h1>
<p>The search service runs, but the web page was not built yet. Build it with
<code>make front</code> and reload, or use the API: its description is at
<a href="/openapi.json">/openapi.json</a>.</p></body></html>
"""


class FrontMiddleware:
    """Answers GET and HEAD below paths that no service claims with files of the built page.

    Args:
        app: the services.
        folder: of the built page; where it has no index.html, a page says how to build it.
        claimed: first path segments that belong to the services.
        picture_base: base of picture addresses elsewhere, or empty.
    """

    def __init__(
        self, app: ASGIApp, *, folder: Path, claimed: Collection[str], picture_base: str = ""
    ) -> None:
        self.app = app
        self._folder = folder.absolute()
        self._claimed = frozenset(claimed)
        self._policy = content_policy(picture_base)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer for the page, or pass on."""
        path = scope.get("path", "")
        ours = scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}
        if not ours or (path.split("/")[1:2] == [""] and path != "/"):
            await self.app(scope, receive, send)
            return
        response = None
        if path.split("/")[1] not in self._claimed:
            response = self._page(path, Headers(scope=scope))
        await (response or self.app)(scope, receive, send)

    def _page(self, path: str, request: Headers) -> Response | None:
        if not (self._folder / "index.html").is_file():
            return HTMLResponse(NOT_BUILT, 503, self._headers("/")) if path == "/" else None
        file = self._file(path)
        if file is None and PurePosixPath(path).suffix:
            return None
        found = file or self._folder / "index.html"
        stat = found.stat()
        response: Response
        plain = response = FileResponse(found)
        plain.set_stat_headers(stat)
        etag = plain.headers["etag"]
        if found.suffix in TEXTS and _takes_gzip(request):
            media_type = mimetypes.guess_type(found.name)[0]
            response = Response(_compressed(found, stat.st_mtime_ns), media_type=media_type)
            etag = f'{etag[:-1]}-gzip"'
            response.headers.update({"Content-Encoding": "gzip", "ETag": etag})
        response.headers.update(self._headers(path if file else "/"))
        response.headers["Vary"] = "Accept-Encoding"
        if request.get("if-none-match") == response.headers["etag"]:
            return NotModifiedResponse(response.headers)
        return response

    def _file(self, path: str) -> Path | None:
        """The file of a path; None for what is none or lies elsewhere."""
        parts = PurePosixPath(path.lstrip("/")).parts
        if any(part in {"..", "."} or "\0" in part or "\\" in part for part in parts):
            return None
        file = self._folder.joinpath(*parts)
        inside = file.resolve().is_relative_to(self._folder.resolve())
        return file if parts and inside and file.is_file() else None

    def _headers(self, path: str) -> dict[str, str]:
        lasting = path.startswith(HASHED)
        return {
            "Cache-Control": "public, max-age=31536000, immutable" if lasting else "no-cache",
            "Content-Security-Policy": self._policy,
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Cross-Origin-Opener-Policy": "same-origin",
        }


def _takes_gzip(request: Headers) -> bool:
    """Whether Accept-Encoding names gzip without refusing it."""
    for item in request.get("accept-encoding", "").lower().split(",")[:32]:
        name, _, parameter = (part.strip() for part in item.partition(";"))
        if name == "gzip":
            return parameter.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


@lru_cache(COMPRESSED_FILES)
def _compressed(path: Path, changed_ns: int) -> bytes:  # noqa: ARG001 - part of the cache's key
    return gzip.compress(path.read_bytes(), mtime=0)


def content_policy(picture_base: str) -> str:
    """Content-Security-Policy of the page: own scripts and styles only, nothing inline.

    Args:
        picture_base: base of picture addresses elsewhere, or empty.
    """
    parts = urlsplit(picture_base)
    elsewhere = f" {parts.scheme}://{parts.netloc}" if parts.netloc else ""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"img-src 'self' blob: data:{elsewhere}",
            "font-src 'self'",
            f"connect-src 'self'{elsewhere}",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )
