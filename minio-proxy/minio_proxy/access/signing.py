"""Short-lived login tokens and signed picture links, both HMAC-SHA256."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from minio_proxy.access.keys import KeyRing, SigningSecret
from minio_proxy.access.scopes import SCOPES, Scope
from minio_proxy.errors import NotAuthenticated

TOKEN_PREFIX = "bst_"  # noqa: S105 - what every token begins with, no secret
MAX_TOKEN_LENGTH = 1024
LINK_STEPS = 4  # a link's expiry moves in quarters of its life, so that browsers can cache it

Box: TypeAlias = tuple[float, float, float, float]
"""``x1, y1, x2, y2`` in pixels of the upright original."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a login token says.

    Args:
        key_id: the API key that was exchanged for it.
        scope: the widest scope it holds.
        expires_at: seconds since the epoch.
    """

    key_id: str
    scope: Scope
    expires_at: int


def box_text(box: Sequence[float]) -> str:
    """Write a box as addresses carry it: pixels with at most two decimals."""
    return ",".join(f"{value:.2f}".rstrip("0").rstrip(".") for value in box)


def parse_box(text: str) -> Box | None:
    """Read ``x1,y1,x2,y2``; None unless it is four finite numbers that span an area."""
    parts = text.split(",")
    if len(text) > 128 or len(parts) != 4:  # noqa: PLR2004 - four sides
        return None
    try:
        x1, y1, x2, y2 = (float(part) for part in parts)
    except ValueError:
        return None
    finite = all(math.isfinite(value) for value in (x1, y1, x2, y2))
    return (x1, y1, x2, y2) if finite and x1 < x2 and y1 < y2 else None


def make_token(ring: KeyRing, session: Session) -> str:
    """Sign a session with the current secret."""
    secret = _current(ring)
    claims = [secret.secret_id, session.key_id, session.scope, session.expires_at]
    body = _encode(json.dumps(claims, separators=(",", ":")).encode())
    return f"{TOKEN_PREFIX}{body}.{_sign(secret, 'token', body)}"


def read_token(ring: KeyRing, token: str, now: float) -> Session:
    """Check a token's signature, age and key.

    Raises:
        NotAuthenticated: altered, expired, or its key was revoked.
    """
    refused = NotAuthenticated("The login token is not valid; log in again.")
    body, _, signature = token.removeprefix(TOKEN_PREFIX).partition(".")
    try:
        if len(token) > MAX_TOKEN_LENGTH:
            raise refused
        secret_id, key_id, scope, expires_at = json.loads(_decode(body))
    except (ValueError, TypeError, RecursionError) as exc:
        raise refused from exc
    secret = ring.secret(secret_id) if isinstance(secret_id, str) else None
    if secret is None or not _equal(_sign(secret, "token", body), signature):
        raise refused
    key = ring.key(key_id)
    if key is None or key.scope not in SCOPES:
        raise NotAuthenticated("The key of this login was revoked.")
    if expires_at <= now:
        raise NotAuthenticated("The login has expired; log in again.")
    return Session(key_id, scope, expires_at)


def sign_link(ring: KeyRing, path: str, box: str, ttl_s: int, now: float) -> dict[str, str]:
    """Give the query parameters that let anyone GET ``path`` (with ``box``) for a while.

    The expiry moves in steps, so the same link is given for a quarter of ``ttl_s`` and
    browsers can cache it; a link lives between three quarters of ``ttl_s`` and all of it.
    """
    secret = _current(ring)
    step = max(1, ttl_s // LINK_STEPS)
    expires = int(now) // step * step + ttl_s
    signature = _sign(secret, "link", path, box, str(expires))
    return {"expires": str(expires), "signature": f"{secret.secret_id}.{signature}"}


def check_link(
    ring: KeyRing, path: str, box: str, *, expires: str, signature: str, now: float
) -> None:
    """Accept a link that was signed for exactly this path and box and has not expired.

    Raises:
        NotAuthenticated: unsigned, altered, expired, or signed before the last two rotations.
    """
    secret_id, _, given = signature.partition(".")
    secret = ring.secret(secret_id)
    if secret is None or not _equal(_sign(secret, "link", path, box, expires), given):
        raise NotAuthenticated("The link's signature is not valid for this address.")
    if int(expires) <= now:
        raise NotAuthenticated("The link has expired; ask for a new one.")


def _current(ring: KeyRing) -> SigningSecret:
    if not ring.secrets:
        raise NotAuthenticated("No signing secret exists; add a key first.")
    return ring.secrets[0]


def _sign(secret: SigningSecret, purpose: str, *parts: str) -> str:
    """HMAC over the purpose, the secret's id and length-prefixed parts (nothing can shift)."""
    message = "".join(
        f"{len(part)}:{part}" for part in ("boxseek-1", purpose, secret.secret_id, *parts)
    )
    digest = hmac.new(secret.secret, message.encode("utf-8", "surrogatepass"), hashlib.sha256)
    return _encode(digest.digest())


def _equal(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogatepass"))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as exc:
        raise ValueError("not base64") from exc
