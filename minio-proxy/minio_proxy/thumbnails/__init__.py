"""Thumbnails and crops, made once, kept in the store, guarded against too many at once."""

from __future__ import annotations

from minio_proxy.thumbnails.keys import WIDTHS
from minio_proxy.thumbnails.service import OriginalReader, Rendered, ThumbnailService

__all__ = ["WIDTHS", "OriginalReader", "Rendered", "ThumbnailService"]
