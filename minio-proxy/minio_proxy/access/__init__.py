"""Who may: keys, tokens, signed links, hosts, origins, limits; used by both services."""

from minio_proxy.access.guard import Guard
from minio_proxy.access.hosts import check_listen
from minio_proxy.access.http import (
    SESSION_COOKIE,
    GuardMiddleware,
    client_address,
    cookie_of,
    credential_of,
    require,
    require_or_link,
)
from minio_proxy.access.keys import ApiKey, KeyFile
from minio_proxy.access.limits import DecodeLimiter, TokenBuckets
from minio_proxy.access.scopes import SCOPES, Caller, Scope
from minio_proxy.access.signing import Box, box_text, parse_box

__all__ = [
    "SCOPES",
    "SESSION_COOKIE",
    "ApiKey",
    "Box",
    "Caller",
    "DecodeLimiter",
    "Guard",
    "GuardMiddleware",
    "KeyFile",
    "Scope",
    "TokenBuckets",
    "box_text",
    "check_listen",
    "client_address",
    "cookie_of",
    "credential_of",
    "parse_box",
    "require",
    "require_or_link",
]
