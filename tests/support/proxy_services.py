"""A proxy for tests: over a real folder, in this process or behind a real uvicorn."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from starlette.types import ASGIApp

from minio_proxy.api.app import create_app
from minio_proxy.api.server import build_server
from minio_proxy.bootstrap import ProxyServices, build_services
from minio_proxy.settings import ProxySettings

HOST = "127.0.0.1"


class Clock:
    """Time that tests move; starts at a whole minute."""

    def __init__(self) -> None:
        self.now = 1_000_020.0

    def __call__(self) -> float:
        """Give the present time, seconds."""
        return self.now


def picture(seed: int = 0, size_wh: tuple[int, int] = (96, 64), kind: str = "JPEG") -> bytes:
    """A small valid picture; another seed gives other bytes."""
    width, height = size_wh
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def settings(folder: Path, **changes: object) -> ProxySettings:
    """Settings with their data below ``folder`` and nothing of this machine's."""
    values: dict[str, object] = {"data_dir": folder, "host": HOST, **changes}
    return ProxySettings(_env_file=None, **values)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class RunningProxy:
    """A proxy that listens.

    Args:
        services: what it runs on, in this process.
        port: on 127.0.0.1.
    """

    services: ProxyServices
    port: int

    @property
    def url(self) -> str:
        """Its base address."""
        return f"http://{HOST}:{self.port}"

    def connect(self, timeout_s: float = 10) -> socket.socket:
        """A plain connection, for what no HTTP client would send."""
        return socket.create_connection((HOST, self.port), timeout=timeout_s)


@contextmanager
def running(app: ASGIApp) -> Iterator[int]:
    """Serve an application on a free port of loopback; gives the port."""
    server = build_server(app, host=HOST, port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not server.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(40)
        assert not thread.is_alive(), "the server did not end"


@contextmanager
def running_proxy(chosen: ProxySettings) -> Iterator[RunningProxy]:
    """A whole proxy with these settings."""
    with build_services(chosen) as services, running(create_app(services)) as port:
        yield RunningProxy(services, port)


def raw_answer(connection: socket.socket) -> tuple[int, bytes]:
    """Read until the server closes; gives status and everything after the status line."""
    received = b""
    while piece := connection.recv(65536):
        received += piece
    line, _, rest = received.partition(b"\r\n")
    return int(line.split()[1]), rest
