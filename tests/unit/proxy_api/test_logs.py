from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from minio_proxy.api.logs import configure_logging


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leave the process's logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    known = structlog.get_config()
    yield
    root.handlers[:], root.level = handlers, level
    structlog.configure(**known)


def written(log_format: Literal["json", "text"], level: str = "info") -> str:
    """Lines of this program and of a library."""
    out = io.StringIO()
    configure_logging(level, log_format, out)
    log = structlog.get_logger("boxseek.request")
    with structlog.contextvars.bound_contextvars(request_id="abc"):
        log.debug("unimportant")
        log.info("request", status=200)
        logging.getLogger("library").warning("slow %s", "disk")
        try:
            int("odd")
        except ValueError:
            log.exception("unexpected_error")
    return out.getvalue()


def test_lines_are_json_whoever_writes() -> None:
    """Own and library's lines have name, level, time and the request's id."""
    lines = [json.loads(line) for line in written("json").splitlines()]
    assert [line["event"] for line in lines] == ["request", "slow disk", "unexpected_error"]
    assert [line["level"] for line in lines] == ["info", "warning", "error"]
    assert [line["logger"] for line in lines] == ["boxseek.request", "library", "boxseek.request"]
    assert {line["request_id"] for line in lines} == {"abc"}
    assert all(line["timestamp"].endswith("Z") for line in lines)
    assert "ValueError: invalid literal" in lines[2]["exception"]


def test_lines_are_text_for_people() -> None:
    """The same on a terminal, without colours where there is none."""
    text = written("text")
    assert "request" in text
    assert "ValueError: invalid literal" in text
    assert "\x1b" not in text


def test_what_is_less_severe_is_not_written() -> None:
    """The level holds for both."""
    lines = [json.loads(line)["event"] for line in written("json", "error").splitlines()]
    assert lines == ["unexpected_error"]
