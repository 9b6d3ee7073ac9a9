"""Thumbnails and crops, made once, kept in store and memory, guarded against too many at once."""

from __future__ import annotations

from minio_proxy.thumbnails.keys import WIDTHS
from minio_proxy.thumbnails.memory import Rendered
from minio_proxy.thumbnails.service import OriginalReader, ThumbnailService

__all__ = ["WIDTHS", "OriginalReader", "Rendered", "ThumbnailService"]
