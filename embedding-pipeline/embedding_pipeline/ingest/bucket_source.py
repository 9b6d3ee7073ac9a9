"""Pictures of a bucket, whatever its keys look like."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing

from embedding_pipeline.errors import IngestError
from embedding_pipeline.ingest.bucket_watcher import BucketWatcher
from embedding_pipeline.ingest.source_items import (
    Loaded,
    Problem,
    SourceItem,
    SourceProblem,
    check_head,
    path_bytes,
)
from minio_proxy.errors import (
    ObjectNotFound,
    PictureError,
    StoreDenied,
    StoreError,
    StoreUnavailable,
)
from minio_proxy.picture.formats import HEAD_BYTES
from minio_proxy.picture.header import Limits
from minio_proxy.ports import BucketSource as Bucket
from minio_proxy.ports import Chunks
from minio_proxy.records import object_stamp

READ_TRIES = 4
WAIT_S = 0.5


class BucketSource:
    """Every object of a bucket whose key begins with a prefix, in the order of the key's bytes.

    An item's path is the whole key, as it is; its version is size and ETag. Empty objects
    whose key ends in a slash, which consoles make as folders, are left out.

    Args:
        bucket: reads it.
        name: of the bucket.
        prefix: text that keys begin with; empty for all.
        limits: of size and pixels.
        wait: sleeps so many seconds before asking again.
    """

    def __init__(
        self,
        bucket: Bucket,
        name: str,
        prefix: str,
        *,
        limits: Limits,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._bucket = bucket
        self._bucket_name = name
        self._prefix = prefix
        self._limits = limits
        self._wait = wait

    @property
    def name(self) -> str:
        """``s3://``, the bucket and the prefix."""
        return f"s3://{self._bucket_name}/{self._prefix}"

    @property
    def root(self) -> str:
        """The name; originals may be left in any bucket."""
        return self.name

    def items(self) -> Iterator[SourceItem]:
        """List the bucket; memory does not grow with it."""
        before = b""
        try:
            for found in self._bucket.list(self._prefix):
                key = path_bytes(found.key)
                if key <= before:
                    raise IngestError(
                        f"{self.name} is not listed in the order of its keys, which S3 promises; "
                        f"{found.key!r} came too late. Such a bucket cannot be reconciled: copy "
                        "it to a folder, or give a list of files.",
                    )
                before = key
                if found.size_bytes or not found.key.endswith("/"):
                    version = _version(found.size_bytes, found.etag)
                    yield SourceItem(found.key, version, found.size_bytes)
        except StoreError as exc:
            raise IngestError(f"cannot list {self.name}: {exc.message}", code=exc.code) from exc

    def items_below(self, path: str) -> Iterator[SourceItem]:
        """The object with this key, if it is there and below the prefix."""
        if not path.startswith(self._prefix) or path.endswith("/"):
            return
        try:
            found = next(iter(self._bucket.list(path)), None)
        except StoreError as exc:
            raise IngestError(f"cannot list {self.name}: {exc.message}", code=exc.code) from exc
        if found is not None and found.key == path:
            yield SourceItem(path, _version(found.size_bytes, found.etag), found.size_bytes)

    def watcher(self) -> BucketWatcher:
        """Listens to the server."""
        return BucketWatcher(self._bucket, self._prefix, self.name)

    def load(self, item: SourceItem) -> Loaded:
        """Read an object; a server that is away is asked again a few times.

        Raises:
            SourceProblem: this object is gone, refused or no picture.
            IngestError: the server stays away, or refuses everything; the run had better end.
        """
        for attempt in range(READ_TRIES):
            if attempt:
                self._wait(WAIT_S * 2 ** (attempt - 1))
            try:
                return self._read(item.path)
            except PictureError as exc:
                problem = Problem("rejected", "read", exc.message, exc.code, retryable=False)
                raise SourceProblem(problem) from exc
            except StoreUnavailable as exc:
                away = exc
            except StoreError as exc:
                self._check_denied(exc)
                retryable = isinstance(exc, StoreDenied | ObjectNotFound)
                reason = f"cannot be read: {exc.message}"
                problem = Problem("failed", "read", reason, exc.code, retryable=retryable)
                raise SourceProblem(problem) from exc
        raise self._stopping(away) from away

    def _read(self, key: str) -> Loaded:
        opened = self._bucket.open(key)
        with closing(opened.chunks) as chunks:
            head, rest = _split(chunks)
            check_head(head, opened.size_bytes, self._limits)
            data = rest + b"".join(chunks)
        version = _version(opened.size_bytes, opened.etag)
        return Loaded(data, version, object_stamp(opened.size_bytes, opened.etag))

    def _check_denied(self, refused: StoreError) -> None:
        """Tell one forbidden object from credentials that ended: the latter ends the run."""
        if not isinstance(refused, StoreDenied):
            return
        try:
            next(self._bucket.list(self._prefix), None)
        except StoreError as exc:
            raise self._stopping(exc) from exc

    def _stopping(self, why: StoreError) -> IngestError:
        return IngestError(
            f"{self.name} cannot be read any more: {why.message} The run stops here; everything "
            "acknowledged before is kept. Mend it and run the same command again, it goes on "
            "where it stopped.",
            code=why.code,
        )


def _split(chunks: Chunks) -> tuple[bytes, bytes]:
    """The first HEAD_BYTES (fewer of a shorter object), and all that was read for them."""
    read = bytearray()
    for chunk in chunks:
        read += chunk
        if len(read) >= HEAD_BYTES:
            break
    return bytes(read[:HEAD_BYTES]), bytes(read)


def _version(size_bytes: int, etag: str) -> str:
    return f"{size_bytes}-{etag}"
