"""Reading any bucket of the S3 store, whatever its keys look like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Final, cast

from minio.error import S3Error

from minio_proxy.errors import InvalidKey, ObjectNotFound, SettingsError
from minio_proxy.ports import ObjectStat, OpenObject
from minio_proxy.settings import ProxySettings
from minio_proxy.stores.ranges import check_range, range_length
from minio_proxy.stores.s3_chunks import Answer, AnswerChunks
from minio_proxy.stores.s3_client import build_client, build_pool, check_bucket, to_stat
from minio_proxy.stores.s3_errors import NO_SUCH_BUCKET, VENDOR_ERRORS, from_vendor, s3_errors
from minio_proxy.stores.s3_events import listening

OTHER_VERSION: Final = "PreconditionFailed"


class S3Source:
    """A bucket that someone else fills (see minio_proxy.ports.BucketSource).

    Endpoint and credentials are those of the settings. Nothing is asked of the server
    before the first call. May be used from many threads at once.

    Args:
        settings: endpoint, region, credentials, TLS and timeouts.
        bucket: any bucket that these credentials may read.

    Raises:
        SettingsError: no endpoint is set, or a setting or name that cannot work.
    """

    def __init__(self, settings: ProxySettings, bucket: str) -> None:
        if not settings.s3_endpoint:
            raise SettingsError(f"Reading s3://{bucket} needs BOXSEEK_S3_ENDPOINT.")
        self._bucket = check_bucket(bucket, "s3://")
        self._settings = settings
        self._http = build_pool(settings)
        self._client = build_client(settings, self._http, settings.s3_endpoint)

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """Every object whose key begins with ``prefix`` (see the port)."""
        try:
            for item in self._client.list_objects(self._bucket, prefix=prefix, recursive=True):
                yield to_stat(item.object_name or "", item)
        except VENDOR_ERRORS as error:
            if isinstance(error, S3Error) and error.code == NO_SUCH_BUCKET:
                raise ObjectNotFound(
                    f"There is no bucket {self._bucket}.", key=self._bucket
                ) from error
            raise from_vendor(error, f"{self._bucket}/{prefix}") from error

    def open(self, key: str) -> OpenObject:
        """Open an object (see the port)."""
        try:
            with s3_errors(key):
                answer = self._client.get_object(self._bucket, key)
        except ValueError as error:
            raise InvalidKey(
                "Keys of blanks alone, or with a segment . or .., cannot be asked for over HTTP; "
                "rename the object.",
                key=key,
            ) from error
        size_bytes = int(answer.headers["content-length"])
        etag = answer.headers.get("etag", "").strip('"')
        chunks = AnswerChunks(cast("Answer", answer), key, size_bytes)
        return OpenObject(etag, size_bytes, chunks)

    def stat(self, key: str) -> ObjectStat:
        """Describe an object; a missing one or its bucket raises ObjectNotFound."""
        with s3_errors(key):
            return to_stat(key, self._client.stat_object(self._bucket, key))

    def open_version(
        self, key: str, etag: str, *, offset: int = 0, length: int | None = None
    ) -> OpenObject | None:
        """Open a part of an object; None when it has another ETag now.

        The size is that of the part. Raises as ``open`` does, and RangeNotSatisfiable.
        """
        check_range(key, offset, length)
        if length == 0:
            range_length(key, self.stat(key).size_bytes, offset, length)
            return OpenObject(etag, 0, AnswerChunks(None, key, 0))
        try:
            answer = self._client.get_object(
                self._bucket,
                key,
                offset=offset,
                length=length or 0,
                request_headers={"If-Match": f'"{etag}"'},
            )
        except VENDOR_ERRORS as error:
            if isinstance(error, S3Error) and error.code == OTHER_VERSION:
                return None
            raise from_vendor(error, key) from error
        size_bytes = int(answer.headers["content-length"])
        chunks = AnswerChunks(cast("Answer", answer), key, size_bytes)
        if answer.headers.get("etag", "").strip('"') != etag:
            chunks.close()  # a server that does not know If-Match
            return None
        return OpenObject(etag, size_bytes, chunks)

    def listen(
        self, prefix: str, connected: Callable[[], None]
    ) -> AbstractContextManager[Iterator[str]]:
        """Keys that change, as MinIO tells them (see the port)."""
        return listening(self._settings, self._bucket, prefix, connected)

    def close(self) -> None:
        """Close the connections."""
        self._http.clear()
