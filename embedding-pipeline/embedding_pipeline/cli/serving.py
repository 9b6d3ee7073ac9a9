"""``boxseek serve`` and the server that ``boxseek demo`` shares with it."""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from embedding_pipeline.bootstrap import Boxseek, ModelSource
from embedding_pipeline.cli.outcome import ends_on_interrupt
from embedding_pipeline.settings import Settings
from minio_proxy.access import check_listen
from minio_proxy.api.logs import configure_logging
from minio_proxy.api.server import build_server
from minio_proxy.bootstrap import key_file
from minio_proxy.cli import serve_proxy
from minio_proxy.errors import SettingsError

BACKLOG = 128
PATIENCE_S = 20.0
"""How long threads may take to end; then the process ends without them, which is safe."""


def serve(settings: Settings, models: ModelSource | None = None) -> int:
    """Serve what is there until SIGINT or SIGTERM; indexes nothing.

    Args:
        settings: of everything.
        models: loads the models; None takes the real ones.
    """
    with (
        ends_on_interrupt(),
        listening(settings) as bound,
        patience() as hurry,
        Boxseek.open(settings, models=models) as boxseek,
    ):
        print(f"Boxseek listens on {address(bound)}  (Ctrl-C ends it)", flush=True)
        serve_app(boxseek, bound)
        hurry()
    return 0


def serve_originals(settings: Settings) -> int:
    """Serve the proxy alone until SIGINT or SIGTERM."""
    # Taken and given back at once: only so that a taken port is told as clearly as above.
    alone = settings.model_copy(update={"port": settings.proxy_port})
    with listening(alone) as bound:
        where = address(bound)
    print(f"Originals are served at {where}  (Ctrl-C ends it)", flush=True)
    with _signals_end_quietly():
        serve_proxy(settings)
    return 0


def log_lines(settings: Settings, level: str) -> None:
    """Write the log lines of this process and its libraries as the settings say.

    Args:
        settings: with the format.
        level: least severe level that is written.
    """
    configure_logging(level, settings.log_format)


@contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """Take the port before anything slow happens, so that a taken one is told at once.

    Raises:
        SettingsError: the host may not be listened on without keys, or the port is taken.
    """
    check_listen(settings, key_file(settings))
    family, _, _, _, target = socket.getaddrinfo(
        settings.host, settings.port, type=socket.SOCK_STREAM
    )[0]
    with socket.socket(family, socket.SOCK_STREAM) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(target)
            bound.listen(BACKLOG)
        except OSError as exc:
            raise _cannot_listen(settings, exc) from exc
        yield bound


def address(bound: socket.socket) -> str:
    """URL of a listening socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve_app(boxseek: Boxseek, bound: socket.socket) -> None:
    """Serve the API and page on a socket until SIGINT or SIGTERM."""
    # FastAPI and its routes take a while to import; other commands do without.
    from embedding_pipeline.api.app import create_app  # noqa: PLC0415

    host, port = bound.getsockname()[:2]
    server = build_server(create_app(boxseek), host=host, port=port)
    with _signals_end_quietly():
        server.run(sockets=[bound])
    if not server.started:
        raise SettingsError("The server could not start; the lines above say why.")


@contextmanager
def patience() -> Iterator[Callable[[], None]]:
    """Give a function that ends the process in PATIENCE_S unless the block ends before.

    A download or a model being loaded cannot be interrupted; everything that Boxseek writes
    survives a kill, so leaving it behind is safe.
    """
    timer = threading.Timer(PATIENCE_S, _leave)
    timer.daemon = True
    try:
        yield timer.start
    finally:
        timer.cancel()


@contextmanager
def _signals_end_quietly() -> Iterator[None]:
    """Let uvicorn end on its signals without their passing on and failing the exit code."""

    def ignore(number: int, frame: FrameType | None) -> None:
        """Uvicorn raises the signal again once it has ended; by then it did its work."""

    before = {n: signal.signal(n, ignore) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _cannot_listen(settings: Settings, exc: OSError) -> SettingsError:
    if exc.errno == errno.EADDRINUSE:
        return SettingsError(
            f"Port {settings.port} on {settings.host} is taken, perhaps by another Boxseek. "
            f"Choose another one: BOXSEEK_PORT={settings.port + 10 if settings.port else 8010}",
            setting="BOXSEEK_PORT",
            actual=settings.port,
        )
    return SettingsError(
        f"Cannot listen on {settings.host}:{settings.port}: {exc.strerror}.",
        setting="BOXSEEK_HOST",
        actual=settings.host,
    )
