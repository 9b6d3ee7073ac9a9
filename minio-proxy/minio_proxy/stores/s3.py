"""Objects in any S3 store, through the public minio client."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import BinaryIO, Final, cast

from minio import Minio
from minio.error import S3Error

from minio_proxy.errors import (
    ObjectNotFound,
    RangeNotSatisfiable,
    SettingsError,
    StoreCorrupt,
    StoreUnavailable,
)
from minio_proxy.picture.formats import HEAD_BYTES, sniff
from minio_proxy.ports import ObjectStat
from minio_proxy.settings import ProxySettings
from minio_proxy.stores.keys import (
    CHECK_KEY,
    FORMAT_KEY,
    is_valid_key,
    validate_key,
    validate_prefix,
)
from minio_proxy.stores.ranges import check_range, range_length
from minio_proxy.stores.s3_chunks import Answer, AnswerChunks
from minio_proxy.stores.s3_client import build_client, build_pool, check_bucket, to_stat
from minio_proxy.stores.s3_errors import NO_SUCH_BUCKET, VENDOR_ERRORS, from_vendor, s3_errors
from minio_proxy.stores.s3_upload import PART_BYTES, Upload
from minio_proxy.stores.store_format import MARK, check_mark

_MOST_EXPIRY_S: Final = 7 * 24 * 3600


class S3Store:
    """The store port over an S3 bucket (see minio_proxy.ports.ObjectStore).

    Nothing is asked of the server before the first call. The bucket is made by the first
    write. The server checks every part it receives against a checksum that the client
    sends; afterwards the ETag is compared, and where the store's ETags are no MD5
    (encryption with keys of its own) the object is read back once and compared.

    Args:
        settings: endpoint, bucket, prefix, region, credentials, TLS and timeouts.

    Raises:
        SettingsError: a setting that cannot work.
    """

    def __init__(self, settings: ProxySettings) -> None:
        if not settings.s3_endpoint:
            raise SettingsError("BOXSEEK_STORE=s3 needs BOXSEEK_S3_ENDPOINT.")
        prefix = settings.s3_prefix.strip("/")
        self._prefix = f"{validate_key(prefix)}/" if prefix else ""
        self._bucket = check_bucket(settings.s3_bucket)
        self._place = f"{settings.s3_endpoint}/{self._bucket}/{self._prefix}"
        self._region = settings.s3_region
        self._http = build_pool(settings)
        self._client = build_client(settings, self._http, settings.s3_endpoint)
        public = settings.s3_public_endpoint or settings.s3_endpoint
        self._public_client = build_client(settings, self._http, public)
        self._ready = False
        self._ready_lock = threading.Lock()

    def put(self, key: str, data: BinaryIO, *, size_bytes: int) -> ObjectStat:
        """Write an object durably (see the port); needs twice 8 MiB of memory at most."""
        validate_key(key)
        start = data.tell() if data.seekable() else None
        try:
            return self._put(key, data, size_bytes)
        except _BucketGone as gone:
            if start is None:
                raise StoreUnavailable(
                    f"The bucket {self._bucket} was removed; putting {key!r} again makes it anew.",
                    key=key,
                ) from gone
            data.seek(start)
            return self._put(key, data, size_bytes)

    def open(self, key: str, *, offset: int = 0, length: int | None = None) -> AnswerChunks:
        """Stream an object's bytes in chunks (see the port)."""
        check_range(validate_key(key), offset, length)
        self._check_mark()
        if length == 0:
            range_length(key, self._stat(key).size_bytes, offset, length)
            return AnswerChunks(None, key, 0)
        try:
            with s3_errors(key):
                answer = self._client.get_object(
                    self._bucket, self._name(key), offset=offset, length=length or 0
                )
        except RangeNotSatisfiable:
            # S3 has no range of an empty object; the port gives its no bytes.
            range_length(key, self._stat(key).size_bytes, offset, length)
            return AnswerChunks(None, key, 0)
        return AnswerChunks(cast("Answer", answer), key, int(answer.headers["content-length"]))

    def stat(self, key: str) -> ObjectStat:
        """Describe an object without reading it (see the port)."""
        validate_key(key)
        self._check_mark()
        return self._stat(key)

    def delete(self, key: str) -> bool:
        """Remove an object durably (see the port)."""
        try:
            self.stat(key)
            with s3_errors(key):
                self._client.remove_object(self._bucket, self._name(key))
        except ObjectNotFound:
            return False
        return True

    def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> list[ObjectStat]:
        """One page of objects in key order (see the port)."""
        validate_prefix(prefix)
        if limit <= 0 or (after > prefix and not after.startswith(prefix)):
            return []
        self._check_mark()
        try:
            with s3_errors(prefix):
                found = self._objects(prefix, after if after >= prefix else "")
                return list(islice(found, limit))
        except ObjectNotFound:
            return []  # The bucket is not there yet.

    def check(self) -> None:
        """Raise StoreError if reading or writing would not work now (see the port)."""
        self._make_ready()
        self._send(CHECK_KEY, Upload(io.BytesIO(), 0, CHECK_KEY), 0)

    def close(self) -> None:
        """Close the connections."""
        self._http.clear()

    def presigned_url(self, key: str, expires_s: int) -> str:
        """Give an address that reads an object without credentials, for a while.

        The host is part of the signature, so it is signed for the public endpoint. No
        network call is made, and a missing object is only found by who follows it.

        Args:
            key: the object's.
            expires_s: life of the address, seconds; at most 7 days.
        """
        expires = timedelta(seconds=max(1, min(expires_s, _MOST_EXPIRY_S)))
        name = self._name(validate_key(key))
        return self._public_client.presigned_get_object(self._bucket, name, expires=expires)

    def _name(self, key: str) -> str:
        return f"{self._prefix}{key}"

    def _put(self, key: str, data: BinaryIO, size_bytes: int) -> ObjectStat:
        self._make_ready()
        upload = Upload(data, size_bytes, key)
        etag = self._send(key, upload, size_bytes)
        try:
            found = self._stat(key)
            if found.etag == etag and etag != upload.etag:
                self._compare(key, upload.sha256)
        except ObjectNotFound:
            # Written, and deleted by someone else before it could be looked at.
            return ObjectStat(key, size_bytes, etag, datetime.now(UTC))
        if found.etag == etag and found.size_bytes != size_bytes:
            raise _corrupt(key)
        return found

    def _send(self, key: str, upload: Upload, size_bytes: int) -> str:
        """Upload; gives the new object's ETag.

        The type is told by the bytes, because a presigned address answers with it.
        """
        content_type = sniff(upload.head(HEAD_BYTES)) or "application/octet-stream"
        try:
            written = self._client.put_object(
                self._bucket,
                self._name(key),
                cast("BinaryIO", upload),
                size_bytes,
                content_type=content_type,
                part_size=PART_BYTES,
                num_parallel_uploads=1,
            )
        except VENDOR_ERRORS as error:
            if upload.failure is not None:
                raise upload.failure from None
            if isinstance(error, S3Error) and error.code == NO_SUCH_BUCKET:
                self._ready = False
                raise _BucketGone from error
            raise from_vendor(error, key) from error
        return (written.etag or "").strip('"')

    def _compare(self, key: str, sha256: str) -> None:
        """Read an object back and compare it with what was sent."""
        actual = hashlib.sha256()
        for chunk in self.open(key):
            actual.update(chunk)
        if actual.hexdigest() != sha256:
            raise _corrupt(key)

    def _stat(self, key: str) -> ObjectStat:
        with s3_errors(key):
            return to_stat(key, self._client.stat_object(self._bucket, self._name(key)))

    def _objects(self, prefix: str, after: str) -> Iterator[ObjectStat]:
        """Objects in key order; pages are asked for as they are needed."""
        found = self._client.list_objects(
            self._bucket,
            prefix=self._name(prefix) or None,
            recursive=True,
            start_after=self._name(after) if after else None,
        )
        for item in found:
            key = (item.object_name or "").removeprefix(self._prefix)
            if is_valid_key(key):
                yield to_stat(key, item)

    def _check_mark(self) -> bool:
        """Check the format version once; False while nothing was written yet."""
        if not self._ready:
            try:
                with s3_errors(FORMAT_KEY):
                    answer = self._client.get_object(self._bucket, self._name(FORMAT_KEY))
            except ObjectNotFound:
                return False
            length = int(answer.headers["content-length"])
            mark = b"".join(AnswerChunks(cast("Answer", answer), FORMAT_KEY, length))
            check_mark(mark, self._place)
            self._ready = True
        return True

    def _make_ready(self) -> None:
        """Make sure that there is a bucket with our format version."""
        with self._ready_lock:
            if self._check_mark():
                return
            try:
                self._put_mark()
            except _BucketGone:
                _make_bucket(self._client, self._bucket, self._region)
                self._put_mark()
            self._ready = True

    def _put_mark(self) -> None:
        self._send(FORMAT_KEY, Upload(io.BytesIO(MARK), len(MARK), FORMAT_KEY), len(MARK))


class _BucketGone(Exception):
    """The bucket is not there; it can be made."""


def _make_bucket(client: Minio, bucket: str, region: str) -> None:
    try:
        client.make_bucket(bucket, location=region or None)
    except VENDOR_ERRORS as error:
        # Another process may have made it at the same moment.
        if not (isinstance(error, S3Error) and error.code == "BucketAlreadyOwnedByYou"):
            raise from_vendor(error, bucket) from error


def _corrupt(key: str) -> StoreCorrupt:
    return StoreCorrupt(
        f"The S3 store does not hold what was sent as {key!r}; put it again.", key=key
    )
