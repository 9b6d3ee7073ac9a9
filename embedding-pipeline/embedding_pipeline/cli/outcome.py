"""How a command ends: one clear line for what can be explained, a traceback for bugs only."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from pydantic import ValidationError
from typer.exceptions import Abort, TyperException

from embedding_pipeline.errors import BoxseekError
from embedding_pipeline.settings import Settings
from minio_proxy.errors import ProxyError, SettingsError

COULD_NOT_RUN = 2
INTERRUPTED = 130
"""As shells have it: 128 and the number of SIGINT."""


def run_command(command: Callable[[], object]) -> NoReturn:
    """Run the command line and end the process with its exit code.

    Errors of Boxseek become one line on standard error and exit code 2; with ``--debug`` or
    BOXSEEK_DEBUG=1 they keep their traceback.
    """
    try:
        code = command()
    except (BoxseekError, ProxyError) as exc:
        if debugging():
            raise
        print(f"boxseek: {exc.message}", file=sys.stderr)
        sys.exit(COULD_NOT_RUN)
    except TyperException as exc:
        # A command that needs another word after it has printed its help and says no more.
        if message := exc.format_message():
            print(f"boxseek: {message} (--help tells more)", file=sys.stderr)
        sys.exit(COULD_NOT_RUN)
    except (KeyboardInterrupt, Abort):
        print("boxseek: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)


@contextmanager
def ends_on_interrupt() -> Iterator[None]:
    """Let Ctrl-C be the ordinary end of a command that runs until then."""
    with suppress(KeyboardInterrupt):
        yield


def debugging() -> bool:
    """Whether tracebacks are wanted."""
    return os.environ.get("BOXSEEK_DEBUG", "") not in {"", "0"}


def load_settings() -> Settings:
    """Read the settings; one that cannot work is named with its variable and value.

    Raises:
        SettingsError: the first few wrong settings, each with what is wrong.
    """
    with settings_errors():
        return Settings()


@contextmanager
def settings_errors() -> Iterator[None]:
    """Name wrong settings with their variables and values, as one error.

    Raises:
        SettingsError: the first few wrong settings, each with what is wrong.
    """
    try:
        yield
    except ValidationError as exc:
        wrong = [
            f"BOXSEEK_{'_'.join(str(part) for part in error['loc']).upper()}"
            f"={error['input']!r}: {error['msg']}"
            for error in exc.errors()
        ]
        raise SettingsError("Settings that cannot work: " + "; ".join(wrong)) from exc
