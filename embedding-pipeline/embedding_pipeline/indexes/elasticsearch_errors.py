"""What the Elasticsearch client raises, as errors of the index port."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from elastic_transport import TlsError
from elasticsearch import (
    ApiError,
    SerializationError,
    TransportError,
    UnsupportedProductError,
)

from embedding_pipeline.errors import (
    IndexConflict,
    IndexDenied,
    IndexError_,
    IndexFull,
    IndexNotFound,
    IndexUnavailable,
)

BUSY_STATUS = frozenset({408, 429, 502, 503, 504})
"""The same request may work later."""

_LOST_TYPES = frozenset(
    {
        "connect_transport_exception",
        "failed_to_commit_cluster_state_exception",
        "master_not_discovered_exception",
        "no_shard_available_action_exception",
        "node_closed_exception",
        "node_disconnected_exception",
        "node_not_connected_exception",
        "not_master_exception",
        "process_cluster_event_timeout_exception",
        "receive_timeout_transport_exception",
    }
)
"""What nodes answer, some with status 500, while another node of the cluster is lost."""

_DENIED_STATUS = frozenset({401, 403})
_GONE_TYPES = frozenset({"index_not_found_exception", "aliases_not_found_exception"})
_CONFLICT_TYPES = frozenset({"resource_already_exists_exception", "invalid_alias_name_exception"})


@contextmanager
def elasticsearch_errors(place: str) -> Iterator[None]:
    """Turn what the client raises inside into an IndexError_ about a place."""
    try:
        yield
    except UnsupportedProductError as exc:
        raise IndexError_(f"What answers at {place} is no Elasticsearch 8.", place=place) from exc
    except TlsError as exc:
        raise IndexDenied(
            f"The certificate of Elasticsearch at {place} is not trusted; "
            "set BOXSEEK_ELASTICSEARCH_CA_FILE.",
            place=place,
        ) from exc
    except ApiError as exc:
        raise error_of(exc.meta.status, _cause(exc.body), place) from exc
    except (TransportError, SerializationError) as exc:
        raise IndexUnavailable(
            f"Elasticsearch at {place} does not answer ({type(exc).__name__}); "
            "see that it runs and that BOXSEEK_ELASTICSEARCH_URL is right.",
            place=place,
        ) from exc


def error_of(status: int, cause: Mapping[str, Any], place: str) -> IndexError_:
    """Error for an answer's status and its ``error`` object, also of one item of a bulk."""
    kind, reason = str(cause.get("type", "")), str(cause.get("reason", ""))
    if kind == "cluster_block_exception" and ("read-only" in reason or "flood" in reason):
        return IndexFull(
            f"Elasticsearch at {place} takes no writes: {reason}. Free disk space on its nodes; "
            "it writes again by itself once the disk is below the high watermark "
            "(else set index.blocks.read_only_allow_delete to null).",
            place=place,
        )
    if kind in _GONE_TYPES or (status == 404 and not kind):  # noqa: PLR2004 - HTTP: not found
        return IndexNotFound(f"The index at {place} does not exist: {reason}.", place=place)
    if kind in _CONFLICT_TYPES:
        return IndexConflict(f"Elasticsearch at {place} refused: {reason}.", place=place)
    if status in _DENIED_STATUS and kind != "cluster_block_exception":
        return IndexDenied(
            f"Elasticsearch at {place} denies access ({status}); "
            "check the API key or the user and its privileges.",
            place=place,
        )
    if passes(status, kind) or kind == "cluster_block_exception":
        return IndexUnavailable(
            f"Elasticsearch at {place} is busy or not ready ({status} {kind}); try again.",
            place=place,
        )
    return IndexError_(f"Elasticsearch at {place} failed ({status} {kind}): {reason}.", place=place)


def passes(status: int, kind: str) -> bool:
    """Whether the same request may work later: the server is busy, or a node was just lost."""
    return status in BUSY_STATUS or kind in _LOST_TYPES


def _cause(body: object) -> Mapping[str, Any]:
    error = body.get("error", {}) if isinstance(body, Mapping) else {}
    if not isinstance(error, Mapping):
        return {"reason": str(error)}
    root = error.get("root_cause") or [error]
    return root[0] if error.get("type") == "search_phase_execution_exception" else error
