"""The mark that says which format version of Boxseek wrote a store."""

from __future__ import annotations

import json
from typing import Final

from minio_proxy.errors import StoreCorrupt, StoreFormatMismatch
from minio_proxy.stores.keys import FORMAT_KEY

STORE_FORMAT: Final = 1
MARK: Final = json.dumps({"format": STORE_FORMAT}).encode()
MAX_MARK_BYTES: Final = 4096


def check_mark(mark: bytes, place: str) -> None:
    """Refuse a store of another format version.

    Args:
        mark: content of the store's ``boxseek-store.json``.
        place: folder or address of the store, for the message.

    Raises:
        StoreFormatMismatch: another version; both are named.
        StoreCorrupt: the mark is unreadable.
    """
    try:
        actual = json.loads(mark)["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise StoreCorrupt(
            f"{FORMAT_KEY} of the store at {place} is unreadable; restore it from a backup."
        ) from error
    if actual != STORE_FORMAT:
        raise StoreFormatMismatch(
            f"The store at {place} has format {actual!r}, this Boxseek reads {STORE_FORMAT}; "
            "use the version that wrote it, or upgrade the store.",
            expected=STORE_FORMAT,
            actual=actual,
        )
