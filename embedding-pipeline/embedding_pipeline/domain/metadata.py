"""One meaning of metadata equality for every index.

Elasticsearch's ``flattened`` fields know keywords only, so everywhere a leaf is compared by
its text: ``{"a": {"b": 1}}`` is the term ``a.b=1``, true is ``true``, null is ``null``; a
list holds when any of its elements does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def metadata_terms(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Flatten metadata into sorted ``path=text`` terms without repeats."""
    return tuple(sorted({f"{path}={text}" for path, text in _leaves("", metadata)}))


def leaf_text(value: object) -> str:
    """Text by which a leaf is compared: strings as they are, other values as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _leaves(path: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(f"{path}.{name}" if path else str(name), inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(path, inner)
    else:
        yield path, leaf_text(value)
