"""Where a picture's original and record lie in the store."""

from __future__ import annotations

import re
from typing import Final

from minio_proxy.errors import InvalidKey

ORIGINALS: Final = "originals/"
RECORDS: Final = "records/"
IN_PLACE: Final = "in-place/"
UNSETTLED: Final = "unsettled/"

_IMAGE_KEY = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PART_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


def is_image_key(text: str) -> bool:
    """Whether this is an image key: 64 lowercase hex digits, the SHA-256 of the original."""
    return _IMAGE_KEY.fullmatch(text) is not None


def validate_image_key(image_key: str) -> str:
    """Give the image key back if it is one.

    Raises:
        InvalidKey: it is not 64 lowercase hex digits.
    """
    if not is_image_key(image_key):
        raise InvalidKey(
            f"{image_key[:80]!r} is no image key (64 lowercase hex digits).", key=image_key[:80]
        )
    return image_key


def original_address(image_key: str) -> str:
    """Store key of the original."""
    return f"{ORIGINALS}{validate_image_key(image_key)[:2]}/{image_key}"


def parts_prefix(image_key: str) -> str:
    """What the store keys of all parts of the record start with."""
    return f"{RECORDS}{validate_image_key(image_key)[:2]}/{image_key}/"


def part_address(image_key: str, part_id: str) -> str:
    """Store key of one part of the record."""
    return f"{parts_prefix(image_key)}{part_id}.json"


def in_place_address(image_key: str) -> str:
    """Store key of the mark of an original that was left in its source."""
    return f"{IN_PLACE}{validate_image_key(image_key)[:2]}/{image_key}"


def image_key_of(address: str) -> str | None:
    """Image key of the store key of an original or of such a mark; None for all else."""
    image_key = address.rpartition("/")[2]
    if not is_image_key(image_key):
        return None
    known = {original_address(image_key), in_place_address(image_key)}
    return image_key if address in known else None


def unsettled_address(image_key: str, name: str) -> str:
    """Store key of a note that a picture changed behind the index's back.

    Args:
        image_key: the picture's.
        name: hex digits, another for every note.
    """
    return f"{UNSETTLED}{validate_image_key(image_key)}.{name}"


def unsettled_key_of(address: str) -> str | None:
    """Image key that a note is about; None for what is no note."""
    image_key = address.removeprefix(UNSETTLED).partition(".")[0]
    return image_key if is_image_key(image_key) else None


def is_part_address(address: str) -> bool:
    """Whether a store key below a picture's parts prefix is that of a part."""
    stem, dot, ending = address.rpartition("/")[2].partition(".")
    return bool(dot) and ending == "json" and _PART_ID.fullmatch(stem) is not None
