"""Settings and cleaning up for tests on a real S3 server."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit

from minio import Minio
from minio.deleteobjects import DeleteObject

from minio_proxy.settings import ProxySettings
from support.servers import TestServers


def random_bucket() -> str:
    """Name of a bucket that is only this test run's."""
    return f"boxseek-test-{secrets.token_hex(8)}"


def s3_settings(server: TestServers, bucket: str, **more: Any) -> ProxySettings:
    """Settings of a store in a bucket of the test server."""
    fields = {
        "store": "s3",
        "s3_endpoint": server.s3_endpoint,
        "s3_access_key": server.s3_access_key,
        "s3_secret_key": server.s3_secret_key,
        "s3_bucket": bucket,
        **more,
    }
    return ProxySettings(_env_file=None, **fields)


def raw_client(server: TestServers) -> Minio:
    """The vendor's client, to look at the server behind the store's back."""
    url = urlsplit(server.s3_endpoint)
    return Minio(
        url.netloc,
        access_key=server.s3_access_key,
        secret_key=server.s3_secret_key,
        secure=url.scheme == "https",
        region="us-east-1",
    )


def remove_bucket(server: TestServers, bucket: str) -> None:
    """Remove a test's bucket with all that is in it."""
    client = raw_client(server)
    if not client.bucket_exists(bucket):
        return
    # MinIO's listing hides "a" beside "a/b" until the latter is gone, so ask again.
    while names := [item.object_name or "" for item in client.list_objects(bucket, recursive=True)]:
        errors = list(client.remove_objects(bucket, [DeleteObject(name) for name in names]))
        assert not errors, errors
    client.remove_bucket(bucket)
