"""Which Chromium the browser tests use, and how it is started."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
)


def find_chromium(
    environment: Mapping[str, str],
    own: str,
    which: Callable[[str], str | None] = shutil.which,
) -> tuple[str | None, str]:
    """Find a Chromium: the named one, the machine's, else Playwright's own download.

    Args:
        environment: BOXSEEK_TEST_CHROMIUM names one.
        own: where Playwright's own download would lie.
        which: finds a program on PATH.

    Returns:
        Its path, or None, and why.
    """
    named = environment.get("BOXSEEK_TEST_CHROMIUM")
    if named:
        return named, "named by BOXSEEK_TEST_CHROMIUM"
    for program in PROGRAMS:
        path = which(program)
        if path:
            return path, "the machine's"
    if Path(own).is_file():
        return own, "Playwright's own download"
    return None, "no Chromium: none on PATH, none downloaded by Playwright"


def launch_arguments() -> list[str]:
    """Arguments that keep the browser to the test; the sandbox cannot be had as root."""
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return [*QUIET, *(["--no-sandbox"] if as_root else [])]
