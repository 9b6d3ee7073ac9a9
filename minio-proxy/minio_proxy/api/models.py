"""The forms of the proxy's JSON answers; fields may be added later, never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from minio_proxy.access import Scope


class Stored(BaseModel):
    """An upload that is durable."""

    key: str = Field(description="SHA-256 of the file's bytes, 64 hex digits.")
    duplicate: bool = Field(description="Whether these bytes were here before.")
    size_bytes: int
    media_type: str
    url: str = Field(description="Address of the original, signed where keys are required.")


class ObjectSummary(BaseModel):
    """One original of a page."""

    key: str
    url: str


class ObjectPage(BaseModel):
    """Originals in key order."""

    objects: list[ObjectSummary]
    next_cursor: str | None = Field(description="Cursor of the next page; null at the end.")


class Source(BaseModel):
    """Where a picture came from."""

    source: str
    path: str | None


class ObjectMetadata(BaseModel):
    """What is known of a picture beside its bytes."""

    key: str
    size_bytes: int
    media_type: str
    modified_at: datetime
    collections: list[str]
    sources: list[Source]
    metadata: dict[str, Any]
    taken_at: datetime | None
    added_at: datetime | None
    url: str


class Login(BaseModel):
    """A key to exchange for a token."""

    key: str = Field(max_length=200, description="The API key, `bsk_...`.")


class Token(BaseModel):
    """A login; the same token is in an HttpOnly cookie for the page."""

    token: str
    expires_at: int = Field(description="Seconds since the epoch.")
    scope: Scope


class SessionInfo(BaseModel):
    """Who the caller is."""

    keys_required: bool = Field(description="Whether this service has keys at all.")
    scope: Scope | None = Field(description="What the caller may do; null: nothing yet.")


class Health(BaseModel):
    """The service is alive, or ready."""

    status: str = "ok"
