"""Log lines: JSON for machines, text on a terminal, each with its request's id."""

from __future__ import annotations

import logging
import sys
from typing import Literal, TextIO

import structlog


def configure_logging(
    level: str = "info",
    log_format: Literal["auto", "json", "text"] = "auto",
    stream: TextIO | None = None,
) -> None:
    """Send the lines of this program and of its libraries to one stream.

    Args:
        level: least severe level that is written.
        log_format: ``auto`` is text on a terminal and JSON elsewhere.
        stream: where to write; standard error where none is given.
    """
    target = stream or sys.stderr
    as_text = log_format == "text" or (log_format == "auto" and target.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    final: list[structlog.typing.Processor] = (
        [
            structlog.dev.ConsoleRenderer(
                colors=target.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
        if as_text
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # More connections than are kept is no fault: the surplus is closed after use.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    # Own lines go straight to the stream: through the standard library each costs three times
    # as much, and every request has one.
    structlog.configure(
        processors=[*shared, *final],
        logger_factory=lambda *names: _Writer(target, *names),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )


class _Writer(structlog.WriteLogger):
    """Writes whole lines to a stream; has the name that a line tells."""

    def __init__(self, stream: TextIO, name: str = "boxseek") -> None:
        super().__init__(stream)
        self.name = name
