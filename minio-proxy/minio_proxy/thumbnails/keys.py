"""Where thumbnails and crops lie in the store."""

from __future__ import annotations

import re
from typing import Final

from minio_proxy.errors import InvalidKey
from minio_proxy.picture.render import RenderedType

WIDTHS: Final = (64, 128, 256, 320, 512, 640, 1024, 1600)
ENDINGS: Final[dict[RenderedType, str]] = {"image/webp": "webp", "image/jpeg": "jpg"}

_IMAGE_KEY = re.compile(r"[0-9a-f]{64}")


def thumbnail_key(image_key: str, width: int, media_type: RenderedType) -> str:
    """Name a thumbnail: ``thumbnails/<width>/<k2>/<key>.<webp|jpg>``."""
    return f"thumbnails/{width}/{image_key[:2]}/{image_key}.{ENDINGS[media_type]}"


def crops_prefix(image_key: str) -> str:
    """Name the place of all crops of one picture."""
    return f"crops/{image_key[:2]}/{image_key}/"


def crop_key(
    image_key: str, box: tuple[int, int, int, int], width: int, media_type: RenderedType
) -> str:
    """Name a crop by its box in whole pixels and its width."""
    edges = "-".join(str(edge) for edge in box)
    return f"{crops_prefix(image_key)}{edges}-{width}.{ENDINGS[media_type]}"


def check_image_key(image_key: str) -> None:
    """Raise InvalidKey unless it is a SHA-256 in 64 lower-case hex digits."""
    if not _IMAGE_KEY.fullmatch(image_key):
        raise InvalidKey(
            "An image key is 64 hex digits of a SHA-256, in lower case.", key=image_key[:80]
        )
