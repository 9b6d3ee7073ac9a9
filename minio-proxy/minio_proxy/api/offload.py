"""Leaves the bytes of originals to the store itself or to nginx in front."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable
from urllib.parse import quote

from fastapi import Response
from fastapi.responses import RedirectResponse

from minio_proxy.api.state import Known
from minio_proxy.bootstrap import ProxyServices
from minio_proxy.errors import SettingsError
from minio_proxy.originals.addresses import original_address

ADDRESS_S = 15 * 60  # life of a presigned address
REUSED_S = 5 * 60  # given out again that long, and kept by clients that long


NOT_SNIFFED = (b"x-content-type-options", b"nosniff")  # what RequestMiddleware adds to others


@runtime_checkable
class Presigner(Protocol):
    """A store that can give out addresses of its own."""

    def presigned_url(self, key: str, expires_s: int) -> str:
        """Make an address under which anyone can GET an object for a while."""
        ...


class _Redirect:
    """A redirect to one address, made ready once."""

    def __init__(self, url: str) -> None:
        self._url = url
        headers = self.response().raw_headers
        self.head = b"".join(b"%b: %b\r\n" % item for item in (*headers, NOT_SNIFFED))

    def response(self) -> Response:
        """Make the answer of a route."""
        kept = f"private, max-age={REUSED_S}"
        return RedirectResponse(self._url, headers={"Cache-Control": kept})


class Offload:
    """What BOXSEEK_OFFLOAD asks for.

    A redirect asks the store nothing, so that it costs as little as can be: for a picture
    that is not there, the store itself answers 404.

    Args:
        services: the store and settings.
        clock: seconds that only grow.

    Raises:
        SettingsError: ``redirect`` with a store that has no addresses.
    """

    def __init__(
        self, services: ProxyServices, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._addresses: Known[tuple[_Redirect, float]] = Known()
        mode = services.settings.offload
        self.redirects = mode == "redirect"
        self.accelerates = mode == "accel"
        self._prefix = "/" + services.settings.accel_prefix.strip("/") + "/"
        store = services.store
        self._presigner = store if isinstance(store, Presigner) else None
        if self.redirects and self._presigner is None:
            raise SettingsError(
                "BOXSEEK_OFFLOAD=redirect needs BOXSEEK_STORE=s3.", setting="BOXSEEK_OFFLOAD"
            )

    def redirect(self, image_key: str) -> Response:
        """Send the client to the store; signing is arithmetic and asks the store nothing."""
        return self._redirect(image_key).response()

    def redirect_head(self, image_key: str) -> bytes:
        """Give the head of the same answer, without its status line."""
        return self._redirect(image_key).head

    def _redirect(self, image_key: str) -> _Redirect:
        presigner = self._presigner
        if presigner is None:
            raise SettingsError("The store has no addresses.", setting="BOXSEEK_OFFLOAD")
        now = self._clock()
        known = self._addresses.get(image_key)
        if known is not None and now - known[1] <= REUSED_S:
            return known[0]
        made = _Redirect(presigner.presigned_url(original_address(image_key), ADDRESS_S))
        self._addresses.remember(image_key, (made, now))
        return made

    def accelerate(self, image_key: str, headers: Mapping[str, str]) -> Response:
        """Let nginx send the file; it also does the ranges."""
        kept = {name: value for name, value in headers.items() if name != "Accept-Ranges"}
        internal = self._prefix + quote(original_address(image_key))
        return Response(headers={**kept, "X-Accel-Redirect": internal})
