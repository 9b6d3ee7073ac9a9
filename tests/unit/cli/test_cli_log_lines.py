"""Which log lines ``serve`` and ``demo`` write, and in which form."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from typer.testing import CliRunner

from embedding_pipeline.cli import demo, serving
from embedding_pipeline.cli.app import app


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def _run(monkeypatch: pytest.MonkeyPatch, command: str) -> str:
    """Standard error of a command whose work is two log lines."""

    def work(*_: object) -> int:
        logging.getLogger("boxseek").info("a request")
        logging.getLogger("boxseek").warning("a fault")
        return 0

    monkeypatch.setattr(serving, "serve", work)
    monkeypatch.setattr(demo, "demo", work)
    result = CliRunner().invoke(app, [command], standalone_mode=False)
    assert result.exception is None
    return result.stderr


def _events(text: str) -> list[str]:
    return [json.loads(line)["event"] for line in text.splitlines()]


def test_serve_follows_level_and_format(monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON lines where no terminal is, from the level on that is set."""
    assert _events(_run(monkeypatch, "serve")) == ["a request", "a fault"]
    monkeypatch.setenv("BOXSEEK_LOG_LEVEL", "warning")
    assert _events(_run(monkeypatch, "serve")) == ["a fault"]
    monkeypatch.setenv("BOXSEEK_LOG_FORMAT", "text")
    assert "a fault" in _run(monkeypatch, "serve")
    with pytest.raises(json.JSONDecodeError):
        _events(_run(monkeypatch, "serve"))


def test_demo_keeps_requests_out_of_its_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only warnings, unless a level is named."""
    assert _events(_run(monkeypatch, "demo")) == ["a fault"]
    monkeypatch.setenv("BOXSEEK_LOG_LEVEL", "info")
    assert _events(_run(monkeypatch, "demo")) == ["a request", "a fault"]
