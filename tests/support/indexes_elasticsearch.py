"""Settings for a real Elasticsearch, with a prefix of the test's own."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from elasticsearch import Elasticsearch

from embedding_pipeline.settings import Settings


@contextmanager
def elasticsearch_settings(url: str, **changes: Any) -> Iterator[Settings]:
    """Settings with a random prefix; every index of that prefix is deleted afterwards."""
    prefix = f"test-{secrets.token_hex(6)}"
    values = {"elasticsearch_url": url, "elasticsearch_index": prefix, "index": "elasticsearch"}
    yield Settings(**{**values, "elasticsearch_timeout_s": 60.0, **changes})
    with Elasticsearch(url, request_timeout=60) as client:
        for name in client.indices.get(index=f"{prefix}-*"):
            client.indices.delete(index=name)
