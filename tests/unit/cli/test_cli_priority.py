"""A backfill leaves the machine to others."""

from __future__ import annotations

import threading

import pytest

from embedding_pipeline.cli.priority import LoadBrake


@pytest.mark.parametrize(
    ("max_load", "loads", "waits"),
    [(None, [9.0], 0), (2.0, [2.0], 0), (2.0, [3.0, 2.5, 1.9], 2)],
    ids=["no limit", "not above it", "above it for a while"],
)
def test_a_batch_begins_when_the_load_allows(
    max_load: float | None, loads: list[float], waits: int
) -> None:
    """It looks again after each wait."""
    waited: list[float] = []
    given = iter(loads)
    brake = LoadBrake(max_load, threading.Event(), load=lambda: next(given), wait=waited.append)
    brake.hold()
    assert len(waited) == waits


def test_waiting_ends_when_the_run_is_to_stop() -> None:
    """Ctrl-C does not wait for a quiet machine."""
    stop = threading.Event()
    stop.set()
    LoadBrake(1.0, stop, load=lambda: 99.0).hold()
