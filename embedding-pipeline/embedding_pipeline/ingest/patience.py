"""How long a run waits for a store or index that is away, and what it says when it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from embedding_pipeline.errors import IndexUnavailable, IngestError
from minio_proxy.errors import StoreUnavailable

T = TypeVar("T")
WAIT_CODES = frozenset({"store_unavailable", "index_unavailable"})
"""Of what a run waits for."""
STOP_CODES = frozenset({"store_full", "index_full", "store_denied", "index_denied"})
"""Of what every further picture would meet as well."""
ENDING_CODES = STOP_CODES | WAIT_CODES
"""Of what ends a run once waiting is over."""
UNAVAILABLE_TRIES = 6
UNAVAILABLE_WAIT_S = 0.5
"""Before the second try; each further wait is twice the one before."""


def wait(attempt: int, stop: threading.Event) -> None:
    """Wait after the try with this number, from 0; not when the run is to end."""
    stop.wait(UNAVAILABLE_WAIT_S * 2**attempt)


def patiently(look: Callable[[], T], stop: threading.Event) -> T:
    """Look something up; waits for a store or index that is away.

    Raises:
        IngestError: it stays away.
    """
    for attempt in range(UNAVAILABLE_TRIES):
        try:
            return look()
        except (StoreUnavailable, IndexUnavailable):
            wait(attempt, stop)
    try:
        return look()
    except (StoreUnavailable, IndexUnavailable) as error:
        raise run_ends(error.message, error.code) from error


def run_ends(reason: str, code: str) -> IngestError:
    """The error of a run that cannot go on."""
    return IngestError(
        f"{reason} The run stops here; everything acknowledged before is kept. Mend it and run "
        "the same command again, it goes on where it stopped.",
        code=code,
    )
