"""A sample of the stored pictures, for what has to be learned or measured on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

from minio_proxy.errors import ProxyError
from minio_proxy.originals import Originals

SAMPLE_PICTURES = 64


def stored_samples(
    originals: Originals, count: int = SAMPLE_PICTURES
) -> Callable[[], Iterator[bytes]]:
    """Gives a function that reads up to ``count`` originals spread over the key space.

    Keys are hashes, so this is a fair sample, and the same one as long as the store is the
    same. What cannot be read is left out.
    """

    def read() -> Iterator[bytes]:
        seen: set[str] = set()
        for number in range(count):
            start = f"{number * 2**32 // count:08x}"
            for key in originals.keys(start, 1) or originals.keys(limit=1):
                if key not in seen:
                    seen.add(key)
                    with suppress(ProxyError):
                        yield originals.read(key)

    return read
