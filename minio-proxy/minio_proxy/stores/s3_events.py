"""What changes in a bucket, as MinIO tells it; no other server does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote_plus

import urllib3
from minio.error import S3Error
from urllib3.exceptions import ReadTimeoutError

from minio_proxy.errors import NotOffered, ProxyError
from minio_proxy.settings import ProxySettings
from minio_proxy.stores.s3_client import build_client, build_pool
from minio_proxy.stores.s3_errors import VENDOR_ERRORS, from_vendor

EVENTS: Final = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*")
STREAM: Final = "text/event-stream"
SILENT_S: Final = 10.0
"""A server that tells changes sends a sign of life twice a second."""
_NOT_KNOWN: Final = frozenset({"NotImplemented", "MethodNotAllowed", "InvalidArgument"})


class _ListeningPool(urllib3.PoolManager):
    """Connections that notice each answer: the client reconnects without a word."""

    connected: Callable[[], None] = staticmethod(lambda: None)

    def urlopen(  # type: ignore[override]  # the class above has an overload that nobody uses here
        self,
        method: str,
        url: str,
        redirect: bool = True,  # noqa: FBT001, FBT002 - as the class above has it
        **more: Any,
    ) -> urllib3.BaseHTTPResponse:
        """Refuse what is no stream of events, which the client would ask for for ever."""
        try:
            answer = super().urlopen(method, url, redirect, **{**more, "retries": False})
        except ReadTimeoutError as error:
            raise NotOffered(
                f"This S3 server sent nothing for {SILENT_S:g} s when asked what changes in a "
                "bucket (builds of MinIO after September 2025 hold such answers back)."
            ) from error
        if answer.status == HTTPStatus.OK:
            if not answer.headers.get("content-type", "").startswith(STREAM):
                answer.close()
                raise NotOffered("This S3 server does not tell what changes in a bucket.")
            self.connected()
        return answer


@contextmanager
def listening(
    settings: ProxySettings, bucket: str, prefix: str, connected: Callable[[], None]
) -> Iterator[Iterator[str]]:
    """Keys that change, until the block ends (see BucketSource.listen).

    Args:
        settings: endpoint, credentials, TLS and timeouts.
        bucket: its name.
        prefix: that keys begin with.
        connected: called at each connection.
    """
    quick = settings.model_copy(update={"s3_read_timeout_s": SILENT_S})
    pool = build_pool(quick, _ListeningPool)
    if isinstance(pool, _ListeningPool):
        pool.connected = connected
    client = build_client(settings, pool, settings.s3_endpoint)
    try:
        stream = client.listen_bucket_notification(bucket, prefix=prefix, events=EVENTS)
    except ValueError as error:
        pool.clear()
        raise NotOffered("This S3 server does not tell what changes in a bucket.") from error
    try:
        with stream as events:
            yield _keys(events, bucket)
    finally:
        pool.clear()


def _keys(events: Iterator[dict[str, Any]], bucket: str) -> Iterator[str]:
    while True:
        try:
            told = next(events)
        except StopIteration:
            return
        except VENDOR_ERRORS as error:
            raise _meaning(error, bucket) from error
        for record in told.get("Records", ()):
            yield unquote_plus(record["s3"]["object"]["key"])


def _meaning(error: BaseException, bucket: str) -> ProxyError:
    if isinstance(error, S3Error) and error.code in _NOT_KNOWN:
        return NotOffered("This S3 server does not tell what changes in a bucket.")
    return from_vendor(error, bucket)
