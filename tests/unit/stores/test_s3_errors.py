from __future__ import annotations

import inspect
from types import ModuleType
from xml.etree.ElementTree import ParseError

import minio.error
import pytest
import urllib3.exceptions
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError

from minio_proxy.errors import (
    InvalidKey,
    ObjectNotFound,
    ProxyError,
    RangeNotSatisfiable,
    StoreCorrupt,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from minio_proxy.stores.s3_errors import VENDOR_ERRORS, from_vendor, s3_errors


def exceptions_of(module: ModuleType) -> set[str]:
    """Names of the exceptions that a module defines."""
    return {
        name
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Exception) and kind.__module__ == module.__name__
    }


def s3_error(code: str, status: int = 400) -> S3Error:
    """What the client raises for an answer with this code."""
    response = urllib3.HTTPResponse(status=status)
    return S3Error(response, code, "told by the server", "/r", "id", "host")


def test_the_vendor_has_no_new_exception() -> None:
    """When the client gains an exception, someone must decide what it means."""
    assert exceptions_of(minio.error) == {
        "InvalidResponseError",
        "MinioAdminException",  # the admin client's, which is not used
        "MinioException",
        "S3Error",
        "ServerError",
    }


def test_every_exception_of_the_connections_is_caught() -> None:
    """Whatever urllib3 raises is an HTTPError, but for warnings."""
    for name in exceptions_of(urllib3.exceptions):
        if name == "ProxySchemeUnsupported":
            continue  # Raised for HTTP proxies, which the store does not use.
        kind = getattr(urllib3.exceptions, name)
        assert issubclass(kind, (*VENDOR_ERRORS, Warning)), name


def test_a_disk_that_fills_up_while_it_is_written_is_full() -> None:
    """MinIO answers InternalError then, and only its message names the cause."""
    message = "We encountered an internal error: cause(no space left on device)"
    response = urllib3.HTTPResponse(status=500)
    found = from_vendor(S3Error(response, "InternalError", message, "/r", "id", "host"), "a/b")
    assert type(found) is StoreFull


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("NoSuchKey", 404, ObjectNotFound),
        ("NoSuchBucket", 404, ObjectNotFound),
        ("AccessDenied", 403, StoreDenied),
        ("SignatureDoesNotMatch", 403, StoreDenied),
        ("InvalidAccessKeyId", 403, StoreDenied),
        ("ExpiredToken", 400, StoreDenied),
        ("XMinioStorageFull", 507, StoreFull),
        ("SlowDown", 503, StoreUnavailable),
        ("ServiceUnavailable", 503, StoreUnavailable),
        ("InternalError", 500, StoreUnavailable),
        ("RequestTimeout", 400, StoreUnavailable),
        ("BadDigest", 400, StoreCorrupt),
        ("KeyTooLongError", 400, InvalidKey),
        ("InvalidRange", 416, RangeNotSatisfiable),
        ("SomethingNew", 507, StoreFull),
        ("SomethingNew", 401, StoreDenied),
        ("SomethingNew", 429, StoreUnavailable),
        ("SomethingNew", 599, StoreUnavailable),
        ("SomethingNew", 400, StoreError),
    ],
)
def test_codes_have_their_meaning(code: str, status: int, expected: type[ProxyError]) -> None:
    """A code decides, an unknown one by its status; the message names the object."""
    told = from_vendor(s3_error(code, status), "a/b")
    assert type(told) is expected
    assert told.details["key"] == "a/b"
    assert "'a/b'" in told.message


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ServerError("server failed", 507), StoreFull),
        (ServerError("server failed", 503), StoreUnavailable),
        (ServerError("server failed", 304), StoreError),
        (InvalidResponseError(200, "text/html", "<html>"), StoreUnavailable),
        (ParseError("no element found"), StoreUnavailable),
        (MinioException("new"), StoreError),
        (ConnectionResetError(104, "reset"), StoreUnavailable),
        (TimeoutError(), StoreUnavailable),
        (urllib3.exceptions.IncompleteRead(3, 4), StoreUnavailable),
        (urllib3.exceptions.SSLError("record too long"), StoreUnavailable),
        (urllib3.exceptions.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] x"), StoreDenied),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else type(value).__name__,
)
def test_other_failures_have_their_meaning(error: Exception, expected: type[ProxyError]) -> None:
    """What is no S3 answer is told, too, and the vendor's error stays the cause only."""
    with pytest.raises(ProxyError) as caught, s3_errors("a/b"):
        raise error
    assert type(caught.value) is expected
    assert caught.value.__cause__ is error
