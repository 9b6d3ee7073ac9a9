"""A picture's record in the store: one small object for each fact."""

from __future__ import annotations

import io
from collections.abc import Iterator

from minio_proxy.errors import ObjectNotFound, StoreCorrupt, StoreFormatMismatch
from minio_proxy.originals.addresses import is_part_address, part_address, parts_prefix
from minio_proxy.ports import ObjectStore
from minio_proxy.records import RecordFormatError, RecordPart, part_from_json


class Parts:
    """Reads and writes the parts of records.

    Args:
        store: where they lie.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def put(self, image_key: str, part: RecordPart) -> None:
        """Write a part durably; one of the same name is replaced."""
        body = part.to_json()
        address = part_address(image_key, part.part_id)
        self._store.put(address, io.BytesIO(body), size_bytes=len(body))

    def read(self, image_key: str) -> list[RecordPart]:
        """Read all parts of a picture; none is an empty list.

        Raises:
            StoreFormatMismatch: a part was written by another version of Boxseek.
            StoreCorrupt: a part is unreadable; names it.
        """
        found = (self._read_one(address) for address in self._addresses(image_key))
        return [part for part in found if part is not None]

    def remove(self, image_key: str, part: RecordPart) -> bool:
        """Remove a part; True if it was there."""
        return self._store.delete(part_address(image_key, part.part_id))

    def remove_all(self, image_key: str) -> bool:
        """Remove every part of a picture, unreadable ones too; True if there was one."""
        addresses = list(self._addresses(image_key))
        for address in addresses:
            self._store.delete(address)
        return bool(addresses)

    def _addresses(self, image_key: str) -> Iterator[str]:
        prefix = parts_prefix(image_key)
        after = ""
        while page := self._store.list(prefix, after=after):
            yield from (found.key for found in page if is_part_address(found.key))
            after = page[-1].key

    def _read_one(self, address: str) -> RecordPart | None:
        """Read a part; None when it was removed since it was listed."""
        try:
            body = b"".join(self._store.open(address))
        except ObjectNotFound:
            return None
        try:
            return part_from_json(body)
        except RecordFormatError as error:
            raise StoreFormatMismatch(
                f"{address} has record format {error.actual!r}, this Boxseek reads "
                f"{error.expected}; use the version that wrote it, or upgrade the store.",
                key=address,
                expected=error.expected,
                actual=error.actual,
            ) from error
        except ValueError as error:
            raise StoreCorrupt(
                f"The record {address} is unreadable ({error}); restore or delete it.", key=address
            ) from error
