"""Progress of a measurement where there is no terminal."""

from __future__ import annotations

import io

from embedding_pipeline.cli.evaluation_progress import Lines, watching


def test_lines_tell_rate_and_time_left_now_and_then() -> None:
    """One line every five seconds, and one at the end of a stage."""
    now = [100.0]
    stream = io.StringIO()
    lines = Lines(stream, "settings in force", clock=lambda: now[0])
    lines.begin("indexing", 100)
    for _ in range(10):
        now[0] += 1.0
        lines.advance(2)
    assert stream.getvalue().splitlines() == [
        "settings in force: indexing: 10 of 100, 2.0/s, 0:45 left",
        "settings in force: indexing: 20 of 100, 2.0/s, 0:40 left",
    ]
    lines.begin("asking", 1)
    lines.advance()
    assert stream.getvalue().splitlines()[-1] == "settings in force: asking: 1 of 1"


def test_no_terminal_gets_lines() -> None:
    """A log is no place for bars."""
    stream = io.StringIO()
    with watching(stream) as watcher_of:
        watcher = watcher_of("x")
        watcher.begin("indexing", 1)
        watcher.advance()
    assert stream.getvalue().startswith("x: indexing: 1 of 1")
