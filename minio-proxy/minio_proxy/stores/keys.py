"""Which keys a store takes, and what it keeps for itself."""

from __future__ import annotations

import re
from typing import Final

from minio_proxy.errors import InvalidKey

MAX_KEY_LENGTH: Final = 512
MAX_SEGMENT_LENGTH: Final = 255
FORMAT_KEY: Final = "boxseek-store.json"
CHECK_KEY: Final = "boxseek-check"
TEMP_FOLDER: Final = ".tmp"
RESERVED: Final = frozenset({FORMAT_KEY, CHECK_KEY, TEMP_FOLDER})

_CHARACTERS = re.compile(r"[A-Za-z0-9._/-]*", re.ASCII)


def validate_key(key: str) -> str:
    """Give the key back if every store can hold it.

    Args:
        key: 1 to 512 characters of ``[A-Za-z0-9._/-]`` in segments of 1 to 255 characters.

    Returns:
        The same key.

    Raises:
        InvalidKey: another character, an empty, ``.``, ``..`` or too long segment, or a
            name that the store keeps for itself.
    """
    reason = _fault(key)
    if reason:
        raise InvalidKey(f"The key {key[:100]!r} {reason}.", key=key[:100])
    return key


def validate_prefix(prefix: str) -> str:
    """Give the prefix back if a valid key could start with it; empty is every key.

    Raises:
        InvalidKey: no valid key starts like this.
    """
    whole, _, rest = prefix.rpartition("/")
    reason = _fault(whole) if whole else ("begins with a slash" if prefix[:1] == "/" else "")
    if not reason and not _CHARACTERS.fullmatch(rest):
        reason = "has characters other than A-Z a-z 0-9 . _ / -"
    if reason:
        raise InvalidKey(f"The prefix {prefix[:100]!r} {reason}.", key=prefix[:100])
    return prefix


def is_valid_key(key: str) -> bool:
    """Whether validate_key would take it."""
    return not _fault(key)


def _fault(key: str) -> str:
    """What is wrong with a key, as the end of a sentence; empty if nothing is."""
    if not 1 <= len(key) <= MAX_KEY_LENGTH:
        return f"has {len(key)} characters, allowed are 1 to {MAX_KEY_LENGTH}"
    if not _CHARACTERS.fullmatch(key):
        return "has characters other than A-Z a-z 0-9 . _ / -"
    segments = key.split("/")
    if any(segment in {"", ".", ".."} for segment in segments):
        return "has an empty, '.' or '..' segment"
    if max(map(len, segments)) > MAX_SEGMENT_LENGTH:
        return f"has a segment of more than {MAX_SEGMENT_LENGTH} characters"
    if segments[0] in RESERVED:
        return "is one that the store keeps for itself"
    return ""
