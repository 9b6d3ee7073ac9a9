"""What belongs to an index beside its weights: quantized networks, projections."""

from __future__ import annotations

import hashlib
import io
import re

from embedding_pipeline.errors import WeightsChanged, WeightsNotFound
from minio_proxy.errors import ObjectNotFound
from minio_proxy.ports import ObjectStore

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Artifacts:
    """Files in the store of originals, named by their SHA-256: ``artifacts/<sha256>``.

    They lie there so that every machine that shares the store computes the same vectors.

    Args:
        store: where the originals lie too.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def save(self, data: bytes) -> str:
        """Keep a file; returns its SHA-256, hex. A second save of the same bytes is harmless."""
        sha256 = hashlib.sha256(data).hexdigest()
        self._store.put(_key(sha256), io.BytesIO(data), size_bytes=len(data))
        return sha256

    def load(self, sha256: str) -> bytes:
        """The file with this SHA-256.

        Raises:
            WeightsNotFound: it is not in the store.
            WeightsChanged: what lies there is something else.
        """
        if not _SHA256.fullmatch(sha256):
            raise WeightsNotFound(f"{sha256!r} is no SHA-256 of an artifact", model=sha256)
        try:
            data = b"".join(self._store.open(_key(sha256)))
        except ObjectNotFound as error:
            raise WeightsNotFound(
                f"the index needs artifact {sha256}, which is not in the store; restore the "
                "store's folder artifacts/ from a backup, or run `boxseek rebuild`",
                model=sha256,
            ) from error
        actual = hashlib.sha256(data).hexdigest()
        if actual != sha256:
            raise WeightsChanged(
                f"artifact {sha256} in the store has changed; restore it from a backup",
                model=sha256,
                expected=sha256,
                actual=actual,
            )
        return data


def _key(sha256: str) -> str:
    return f"artifacts/{sha256}"
