"""The vendor's client, built from the settings; it makes no network call."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.datatypes import Object

from minio_proxy.errors import SettingsError, StoreUnavailable
from minio_proxy.ports import ObjectStat
from minio_proxy.settings import ProxySettings

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)


def build_client(settings: ProxySettings, http: urllib3.PoolManager, endpoint: str) -> Minio:
    """Build a client for one endpoint.

    Args:
        settings: credentials, region and addressing style.
        http: the connections that it uses.
        endpoint: URL of the store, without a path.

    Raises:
        SettingsError: an endpoint, region or pair of keys that cannot work.
    """
    access_key = settings.s3_access_key.get_secret_value()
    secret_key = settings.s3_secret_key.get_secret_value()
    if bool(access_key) != bool(secret_key):
        raise SettingsError(
            "BOXSEEK_S3_ACCESS_KEY and BOXSEEK_S3_SECRET_KEY must be set together (or neither)."
        )
    host, secure = _split_endpoint(endpoint)
    try:
        client = Minio(
            host,
            access_key=access_key or None,
            secret_key=secret_key or None,
            session_token=settings.s3_session_token.get_secret_value() or None,
            secure=secure,
            region=settings.s3_region or None,
            http_client=http,
        )
    except ValueError as error:
        raise SettingsError(f"The S3 endpoint {endpoint!r} cannot work: {error}.") from error
    if settings.s3_path_style:
        client.disable_virtual_style_endpoint()  # type: ignore[no-untyped-call]
    else:
        client.enable_virtual_style_endpoint()  # type: ignore[no-untyped-call]
    return client


def build_pool(
    settings: ProxySettings, kind: type[urllib3.PoolManager] = urllib3.PoolManager
) -> urllib3.PoolManager:
    """Build the connections: own CA, timeouts, few retries of what may be repeated.

    Args:
        settings: CA, timeouts, number of connections.
        kind: what to build.

    Raises:
        SettingsError: the CA file cannot be read.
    """
    ca_file = settings.s3_ca_file
    if ca_file and not Path(ca_file).is_file():
        raise SettingsError(f"BOXSEEK_S3_CA_FILE names {ca_file!r}, which is no file.")
    return kind(
        timeout=urllib3.Timeout(
            connect=settings.s3_connect_timeout_s, read=settings.s3_read_timeout_s
        ),
        maxsize=settings.s3_connections,
        cert_reqs="CERT_REQUIRED",
        ca_certs=ca_file or None,
        retries=urllib3.Retry(
            total=2,
            backoff_factor=0.2,
            backoff_jitter=0.2,
            status_forcelist=[502, 503, 504],
            raise_on_status=False,
            # A store that asks for a minute must not hold a person's request that long.
            respect_retry_after_header=False,
        ),
    )


def check_bucket(bucket: str, where: str = "BOXSEEK_S3_BUCKET ") -> str:
    """Give the bucket's name back if S3 allows it.

    Args:
        bucket: the name.
        where: what stands before it where a person wrote it.

    Raises:
        SettingsError: it is no bucket name.
    """
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise SettingsError(
            f"{where}{bucket!r} is no bucket name "
            "(3 to 63 lowercase letters, digits, dots and hyphens)."
        )
    return bucket


def to_stat(key: str, found: Object) -> ObjectStat:
    """Describe an object as the port does.

    Raises:
        StoreUnavailable: the answer lacks what every S3 store says.
    """
    if found.size is None or found.last_modified is None:
        raise StoreUnavailable(f"The S3 store's answer on {key!r} lacks size or time.", key=key)
    etag = (found.etag or "").strip('"')
    return ObjectStat(key, found.size, etag, found.last_modified)


def _split_endpoint(endpoint: str) -> tuple[str, bool]:
    """Host with port, and whether TLS is used."""
    url = urlsplit(endpoint)
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise SettingsError(
            f"The S3 endpoint {endpoint!r} is no URL like http://127.0.0.1:9000 "
            "(BOXSEEK_S3_ENDPOINT, BOXSEEK_S3_PUBLIC_ENDPOINT)."
        )
    if url.path not in {"", "/"} or url.query or url.fragment or url.username:
        raise SettingsError(
            f"The S3 endpoint {url.scheme}://{url.hostname} must have no path, query or user."
        )
    return url.netloc, url.scheme == "https"
