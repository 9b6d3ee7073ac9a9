"""Every error that embedding_pipeline raises.

Pictures, stores and access have their own tree, in minio_proxy.errors.

BoxseekError
├── ModelError
│   ├── WeightsNotFound          no local, hub or packaged weights; says where it looked
│   ├── UntrustedWeights         a pickled file whose SHA-256 is not on the list
│   ├── WeightsChanged           a recorded file no longer has the recorded SHA-256
│   ├── UnknownModel             a name that neither Ultralytics nor timm knows
│   └── InvalidVector            zero, NaN or wrong-sized vector; names the object
├── IndexError_                  the index of objects
│   ├── IndexNotFound            no version is active, or the named one does not exist
│   ├── DescriptionMismatch      made by another model; both are named
│   ├── IndexFormatMismatch      written by another format version of Boxseek
│   ├── IndexUnavailable         not reachable or overloaded; the same call may work later
│   ├── IndexDenied              credentials or permissions are wrong
│   ├── IndexFull                no space left, or the server turned read-only for lack of it
│   └── IndexConflict            two changes of versions at once
├── NotReady                     models are still loading; the same call may work soon
├── QueryError                   the question cannot be answered as asked
│   ├── InvalidQuery             a parameter that makes no sense; names it
│   ├── UnknownLabel             no class of the detector; names the closest ones
│   ├── NoObjectFound            an object was asked for and the query picture has none
│   ├── AddressRefused           a picture address that settings or safety forbid
│   ├── AddressUnreachable       a picture address that gave no picture in time
│   ├── UnknownImage             no such image_key
│   ├── UnknownObject            no such object_id
│   ├── UnknownQuery             no such query_id, or it was deleted or is too old
│   └── CursorExpired            the frozen ranking is gone
└── IngestError                  a backfill that could not run at all
    └── DeleteRefused            more is gone from the source than may be removed
"""

from __future__ import annotations


class BoxseekError(Exception):
    """Root of every error of this package.

    Args:
        message: one sentence that names what is wrong and, where it helps, what to do.
        details: fields a caller may need (key, stage, expected, actual), JSON values only.
    """

    code = "boxseek_error"

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class ModelError(BoxseekError):
    """A detector or embedder cannot be had or gave nonsense."""

    code = "model_error"


class WeightsNotFound(ModelError):
    """No weights anywhere; the message says where was looked and what to do."""

    code = "weights_not_found"


class UntrustedWeights(ModelError):
    """A pickled file whose SHA-256 is not on the project's list."""

    code = "untrusted_weights"


class WeightsChanged(ModelError):
    """A file no longer has the SHA-256 recorded when it was first seen."""

    code = "weights_changed"


class UnknownModel(ModelError):
    """A model name that nobody knows."""

    code = "unknown_model"


class InvalidVector(ModelError):
    """A zero, NaN or wrong-sized vector; details carry object_id."""

    code = "invalid_vector"


class IndexError_(BoxseekError):  # noqa: N801 - IndexError is Python's own
    """The index of objects failed."""

    code = "index_error"


class IndexNotFound(IndexError_):
    """No version of the index is active, or the named one does not exist."""

    code = "index_not_found"


class DescriptionMismatch(IndexError_):
    """Index and models differ; details carry expected, actual and the differing fields."""

    code = "model_mismatch"


class IndexFormatMismatch(IndexError_):
    """Written by another format version of Boxseek."""

    code = "index_format_mismatch"


class IndexUnavailable(IndexError_):
    """The index does not answer; the same call may work later."""

    code = "index_unavailable"


class IndexDenied(IndexError_):
    """Credentials or permissions are wrong."""

    code = "index_denied"


class IndexFull(IndexError_):
    """No space is left; nothing was acknowledged."""

    code = "index_full"


class IndexConflict(IndexError_):
    """Two changes of versions met; the second was not made."""

    code = "index_conflict"


class NotReady(BoxseekError):
    """Models or index are still being loaded; details carry retry_after_s."""

    code = "not_ready"


class QueryError(BoxseekError):
    """The question cannot be answered as asked."""

    code = "query_error"


class InvalidQuery(QueryError):
    """A parameter that makes no sense; details carry parameter and actual."""

    code = "invalid_query"


class UnknownLabel(QueryError):
    """No class of the detector; details carry the closest ones."""

    code = "unknown_label"


class NoObjectFound(QueryError):
    """An object of the query picture was asked for and none was found."""

    code = "no_object_found"


class AddressRefused(QueryError):
    """Pictures are not fetched from this address: settings or safety forbid it."""

    code = "address_refused"


class AddressUnreachable(QueryError):
    """The address gave no picture: unreachable, too slow, too large or an error."""

    code = "address_unreachable"


class UnknownImage(QueryError):
    """No picture has this image_key."""

    code = "image_not_found"


class UnknownObject(QueryError):
    """No entry has this object_id."""

    code = "object_not_found"


class UnknownQuery(QueryError):
    """No stored query has this query_id (any more)."""

    code = "query_not_found"


class CursorExpired(QueryError):
    """The frozen ranking that this cursor belongs to is gone; search again."""

    code = "cursor_expired"


class IngestError(BoxseekError):
    """A backfill could not run at all."""

    code = "ingest_error"


class DeleteRefused(IngestError):
    """More is gone from the source than may be removed; details carry gone and known."""

    code = "delete_refused"
