"""The vendor's errors, told as errors of the store; the only place that knows them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final
from xml.etree.ElementTree import ParseError

from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError, MaxRetryError, SSLError

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

NO_SUCH_BUCKET: Final = "NoSuchBucket"
NO_SPACE: Final = "no space left on device"
"""MinIO tells a disk that fills up while it writes as InternalError with this cause."""

# All that the client, its connections and its reading of answers are known to raise.
VENDOR_ERRORS: Final = (MinioException, HTTPError, OSError, ParseError)

_MEANING: Final[dict[type[ProxyError], frozenset[str]]] = {
    ObjectNotFound: frozenset({"NoSuchKey", "NoSuchVersion", NO_SUCH_BUCKET, "ResourceNotFound"}),
    StoreDenied: frozenset({
        "AccessDenied", "AccountProblem", "AllAccessDisabled", "AuthorizationHeaderMalformed",
        "BucketAlreadyExists", "ExpiredToken", "InvalidAccessKeyId", "InvalidSecurity",
        "InvalidToken", "InvalidTokenId", "NotSignedUp", "PermanentRedirect",
        "RequestTimeTooSkewed", "SignatureDoesNotMatch", "TokenRefreshRequired",
        "XMinioAdminNoSuchUser",
    }),
    StoreFull: frozenset({
        "EntityTooLarge", "QuotaExceeded", "ServiceQuotaExceeded", "XMinioAdminBucketQuotaExceeded",
        "XMinioStorageFull",
    }),
    StoreUnavailable: frozenset({
        "Busy", "InternalError", "OperationAborted", "Redirect", "RequestTimeout", "RetryHead",
        "ServerBusy", "ServiceUnavailable", "SlowDown", "SlowDownRead", "SlowDownWrite",
        "XMinioBackendDown", "XMinioServerNotInitialized", "XMinioServerNotReady",
    }),
    StoreCorrupt: frozenset({"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch"}),
    InvalidKey: frozenset({
        "KeyTooLongError", "XMinioInvalidObjectName", "XMinioObjectExistsAsDirectory",
        "XMinioParentIsObject",
    }),
    RangeNotSatisfiable: frozenset({"InvalidRange"}),
}  # fmt: skip
_BY_CODE: Final = {code: error for error, codes in _MEANING.items() for code in codes}

_ADVICE: Final[dict[type[ProxyError], str]] = {
    StoreDenied: "check BOXSEEK_S3_ACCESS_KEY, BOXSEEK_S3_SECRET_KEY and what they may do",
    StoreFull: "free or add space in the S3 store",
    StoreUnavailable: "try again; if it lasts, look at the S3 server",
}


@contextmanager
def s3_errors(key: str) -> Iterator[None]:
    """Raise the package's own error in place of every vendor's error of the block."""
    try:
        yield
    except VENDOR_ERRORS as error:
        raise from_vendor(error, key) from error


def from_vendor(error: BaseException, key: str) -> ProxyError:
    """Name what one of VENDOR_ERRORS means for the object ``key``."""
    if isinstance(error, S3Error):
        return _from_code(error, key)
    if isinstance(error, ServerError):
        return _from_status(error, key)
    if isinstance(error, InvalidResponseError | ParseError):
        return StoreUnavailable(
            f"What answers at the S3 endpoint is no S3 store ({_first_line(error)}); "
            "check BOXSEEK_S3_ENDPOINT.",
            key=key,
        )
    if isinstance(error, MinioException):
        return StoreError(f"The S3 store failed on {key!r}: {_first_line(error)}.", key=key)
    if _is_untrusted(error):
        return StoreDenied(
            "The S3 store's certificate is not trusted; name its CA in BOXSEEK_S3_CA_FILE.",
            key=key,
        )
    return StoreUnavailable(
        f"The S3 store does not answer ({type(error).__name__}); is it running and reachable?",
        key=key,
    )


def _from_code(error: S3Error, key: str) -> ProxyError:
    code = error.code or ""
    kind = _BY_CODE.get(code) or _by_status(error.response.status)
    if NO_SPACE in (error.message or ""):
        kind = StoreFull
    if kind is ObjectNotFound:
        return ObjectNotFound(f"No object {key!r} is in the store.", key=key)
    advice = f"; {_ADVICE[kind]}" if kind in _ADVICE else ""
    told = f"{code}, {error.message}" if error.message else code
    return kind(f"The S3 store answered on {key!r}: {told.rstrip('.')}{advice}.", key=key, s3=code)


def _from_status(error: ServerError, key: str) -> ProxyError:
    kind = _by_status(error.status_code)
    advice = f"; {_ADVICE[kind]}" if kind in _ADVICE else ""
    return kind(f"The S3 store answered {error.status_code} on {key!r}{advice}.", key=key)


def _by_status(status: int) -> type[ProxyError]:
    """Meaning of an answer whose code is unknown."""
    if status == HTTPStatus.INSUFFICIENT_STORAGE:
        return StoreFull
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return StoreDenied
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return StoreUnavailable
    return StoreError


def _is_untrusted(error: BaseException) -> bool:
    reason = error.reason if isinstance(error, MaxRetryError) else error
    return isinstance(reason, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(reason)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]
