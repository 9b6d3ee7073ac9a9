"""Waiting for a store or index that is away."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from embedding_pipeline.errors import IndexUnavailable, IngestError
from embedding_pipeline.ingest import patience
from minio_proxy.errors import StoreUnavailable


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "UNAVAILABLE_WAIT_S", 0.0001)


def failing(times: int, error: Exception) -> Callable[[], str]:
    """Something that is found after so many failures."""
    left = iter(range(times))

    def look() -> str:
        if next(left, None) is not None:
            raise error
        return "found"

    return look


@pytest.mark.parametrize("error", [StoreUnavailable("away"), IndexUnavailable("away")])
def test_what_comes_back_is_waited_for(error: Exception) -> None:
    """A store or index that answers again lets the run go on."""
    assert patience.patiently(failing(3, error), threading.Event()) == "found"


def test_what_stays_away_ends_the_run() -> None:
    """The error says why, and that the same command goes on."""
    with pytest.raises(IngestError, match=r"away.*run the same command again") as caught:
        patience.patiently(failing(100, StoreUnavailable("away.")), threading.Event())
    assert caught.value.details["code"] == "store_unavailable"


def test_another_error_is_not_repeated() -> None:
    """What waiting cannot mend reaches the caller at once."""
    looks = failing(1, ValueError("odd"))
    with pytest.raises(ValueError, match="odd"):
        patience.patiently(looks, threading.Event())
    assert looks() == "found"
