"""The one table from errors of both packages to HTTP."""

from __future__ import annotations

from embedding_pipeline import errors
from minio_proxy.api.errors import PROXY_ERRORS, ErrorTable


class RequestError(errors.BoxseekError):
    """The body of a request cannot be taken in; raised by this layer only."""

    code = "invalid_request"


class MalformedBody(RequestError):
    """No valid form: no boundary, cut off, too many parts."""

    code = "malformed_body"


class UnsupportedBody(RequestError):
    """The body is no form at all."""

    code = "unsupported_body"


ERRORS: ErrorTable = {
    **PROXY_ERRORS,
    errors.WeightsNotFound: 503,
    errors.UntrustedWeights: 503,
    errors.WeightsChanged: 503,
    errors.UnknownModel: 503,
    errors.InvalidVector: 422,  # the models make nothing of this very picture
    errors.ModelError: 503,
    errors.IndexNotFound: 503,
    errors.DescriptionMismatch: 409,
    errors.IndexFormatMismatch: 503,
    errors.IndexUnavailable: 503,
    errors.IndexDenied: 503,
    errors.IndexFull: 507,
    errors.IndexConflict: 409,
    errors.IndexError_: 503,
    errors.NotReady: 503,
    errors.InvalidQuery: 422,
    errors.UnknownLabel: 422,
    errors.NoObjectFound: 422,
    errors.AddressRefused: 422,
    errors.AddressUnreachable: 422,
    errors.UnknownImage: 404,
    errors.UnknownObject: 404,
    errors.UnknownQuery: 404,
    errors.CursorExpired: 410,
    errors.QueryError: 422,
    errors.IngestError: 409,
    MalformedBody: 400,
    UnsupportedBody: 415,
    RequestError: 400,
    errors.BoxseekError: 500,
}

STATUS_BY_CODE = {str(vars(kind).get("code")): status for kind, status in ERRORS.items()}
"""Status of an error of which only the code is left, as in the rows of an upload."""
