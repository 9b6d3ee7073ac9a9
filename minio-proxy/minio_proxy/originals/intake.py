"""Receiving a picture of unknown length: hashed as it comes, in bounded memory."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

from minio_proxy.errors import PictureTooLarge

SPOOL_BYTES: Final = 1024 * 1024
_CHUNK_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Received:
    """A whole picture at hand.

    Args:
        file: its bytes; in memory up to 1 MiB, above that in a temp file.
        image_key: SHA-256 of its bytes, 64 hex digits.
        size_bytes: how many there are.
    """

    file: BinaryIO
    image_key: str
    size_bytes: int

    def head(self, most: int) -> bytes:
        """Give the first ``most`` bytes, or all if there are fewer."""
        self.file.seek(0)
        return self.file.read(most)

    def rewound(self) -> BinaryIO:
        """Give the file at its first byte."""
        self.file.seek(0)
        return self.file


@contextmanager
def received(stream: BinaryIO, max_bytes: int) -> Iterator[Received]:
    """Read a stream to its end and keep it for the block.

    Args:
        stream: read in pieces of at most 256 KiB; what it raises passes through.
        max_bytes: most bytes taken; needs no announced length.

    Raises:
        PictureTooLarge: the stream goes on beyond ``max_bytes``; details carry limit.
    """
    digest = hashlib.sha256()
    size_bytes = 0
    with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
        while chunk := stream.read(_CHUNK_BYTES):
            size_bytes += len(chunk)
            if size_bytes > max_bytes:
                raise PictureTooLarge(
                    f"The file has more than {max_bytes} bytes, the most that is allowed.",
                    limit=max_bytes,
                    unit="bytes",
                )
            digest.update(chunk)
            spool.write(chunk)
        yield Received(cast("BinaryIO", spool), digest.hexdigest(), size_bytes)
