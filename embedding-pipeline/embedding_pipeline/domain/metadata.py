"""One meaning of metadata equality for every index.

Elasticsearch's ``flattened`` fields know keywords only, so everywhere a leaf is compared by
its text: ``{"a": {"b": 1}}`` is the term ``a.b=1``, true is ``true``, null is ``null``, a whole
number is the same with and without ``.0``; an empty list or object is ``[]`` or ``{}``. A
stored list holds when any of its elements does; a list that is asked for holds when every
element of it is stored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

MAX_TERM_CHARS = 1000
"""Longer terms are cut and told apart by a hash: indexes bound the length of a keyword."""


def metadata_terms(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Flatten metadata into sorted ``path=text`` terms without repeats."""
    return tuple(sorted({_term(path, text) for path, text in _leaves("", metadata)}))


def leaf_text(value: object) -> str:
    """Text by which a leaf is compared: strings as they are, other values as JSON."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value)


def _term(path: str, text: str) -> str:
    term = f"{path}={text}".encode("utf-8", "backslashreplace").decode("utf-8")
    if len(term) <= MAX_TERM_CHARS:
        return term
    return f"{term[:MAX_TERM_CHARS]}#{hashlib.sha256(term.encode()).hexdigest()}"


def _leaves(path: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and (value or not path):
        for name, inner in value.items():
            key = str(name).replace("\\", "\\\\").replace("=", "\\=")
            yield from _leaves(f"{path}.{key}" if path else key, inner)
    elif isinstance(value, list | tuple) and value:
        for inner in value:
            yield from _leaves(path, inner)
    else:
        yield path, leaf_text(value)
