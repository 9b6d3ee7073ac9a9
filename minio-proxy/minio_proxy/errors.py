"""Every error that minio_proxy raises.

ProxyError
├── PictureError              the bytes are no picture that Boxseek takes
│   ├── UnsupportedFormat     no known picture format (told by the bytes)
│   ├── PictureTooLarge       too many bytes or pixels, known before any is decoded
│   └── UndecodablePicture    a known format, but damaged or cut off
├── VariantError              a thumbnail or crop that is not offered
│   ├── UnsupportedWidth      not one of the fixed widths; names them
│   └── InvalidBox            a box that is inverted, empty or outside the picture
├── StoreError                the object store
│   ├── ObjectNotFound        no such key
│   ├── InvalidKey            a key that could escape the store or is malformed
│   ├── StoreFull             no space left
│   ├── StoreUnavailable      not reachable, timed out, refused; may be tried again
│   │   └── SourceAway        an original left in its source, which does not answer
│   ├── SourceGone            an original left in its source is no longer there
│   ├── SourceChanged         an original left in its source is another file now
│   ├── NotOffered            a server that does not have this part of S3
│   ├── StoreDenied           credentials or permissions are wrong
│   ├── StoreCorrupt          what was read is not what was written (checksum)
│   └── StoreFormatMismatch   written by another format version of Boxseek
├── RangeNotSatisfiable       a byte range outside the object
├── AccessError               who may
│   ├── NotAuthenticated      no or a wrong key, token or signature
│   ├── NotAllowed            a key without the needed scope
│   ├── ForeignOrigin         an unknown Host or a foreign Origin
│   └── TooManyRequests       rate or decode limit; says when to try again
└── SettingsError             a setting that cannot work, found at start
"""

from __future__ import annotations


class ProxyError(Exception):
    """Root of every error of this package.

    Args:
        message: one sentence that names what is wrong and, where it helps, what to do.
        details: fields a caller may need (key, limit, actual, ...), JSON values only.
    """

    code = "proxy_error"

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class PictureError(ProxyError):
    """The bytes are no picture that Boxseek takes."""

    code = "invalid_picture"


class UnsupportedFormat(PictureError):
    """No known picture format, told by the bytes and never by the name."""

    code = "unsupported_format"


class PictureTooLarge(PictureError):
    """Too many bytes or pixels; found before any pixel is allocated."""

    code = "picture_too_large"


class UndecodablePicture(PictureError):
    """A known format whose content is damaged or cut off."""

    code = "undecodable_picture"


class VariantError(ProxyError):
    """A thumbnail or crop that is not offered."""

    code = "invalid_variant"


class UnsupportedWidth(VariantError):
    """A width that is not one of the fixed ones; details carry actual and allowed."""

    code = "unsupported_width"


class InvalidBox(VariantError):
    """A box that is inverted, empty or outside the picture; details carry box and size."""

    code = "invalid_box"


class StoreError(ProxyError):
    """The object store failed."""

    code = "store_error"


class ObjectNotFound(StoreError):
    """No object has this key."""

    code = "object_not_found"


class InvalidKey(StoreError):
    """A key that is malformed or could escape the store."""

    code = "invalid_key"


class StoreFull(StoreError):
    """No space is left; nothing was acknowledged."""

    code = "store_full"


class StoreUnavailable(StoreError):
    """The store does not answer; the same call may work later."""

    code = "store_unavailable"


class SourceAway(StoreUnavailable):
    """The source that an original was left in is not mounted or does not answer."""

    code = "source_away"


class SourceGone(StoreError):
    """An original was left in its source and is no longer there."""

    code = "source_gone"


class SourceChanged(StoreError):
    """An original was left in its source, and other bytes are there now."""

    code = "source_changed"


class NotOffered(StoreError):
    """The server does not have this part of S3, which is MinIO's own."""

    code = "not_offered"


class StoreDenied(StoreError):
    """Credentials or permissions are wrong."""

    code = "store_denied"


class StoreCorrupt(StoreError):
    """What was read is not what was written."""

    code = "store_corrupt"


class StoreFormatMismatch(StoreError):
    """Written by another format version of Boxseek."""

    code = "store_format_mismatch"


class RangeNotSatisfiable(ProxyError):
    """A byte range outside the object."""

    code = "range_not_satisfiable"


class AccessError(ProxyError):
    """The caller may not do this."""

    code = "access_error"


class NotAuthenticated(AccessError):
    """No key, token or signature, or a wrong one."""

    code = "not_authenticated"


class NotAllowed(AccessError):
    """The key lacks the needed scope."""

    code = "not_allowed"


class ForeignOrigin(AccessError):
    """An unknown Host header, or a write from a foreign web page."""

    code = "foreign_origin"


class TooManyRequests(AccessError):
    """A rate limit or the limit on simultaneous decodes; details carry retry_after_s."""

    code = "too_many_requests"


class SettingsError(ProxyError):
    """A setting that cannot work; found at start, names the setting."""

    code = "invalid_settings"
