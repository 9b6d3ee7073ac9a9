"""Servers of a test's own, to be stopped, killed and started again on the same data."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, TypeVar

import pytest

from support import servers

T = TypeVar("T")

START_S: Final = 300.0
"""A node is there within 15 s where it has a core to itself; a busy machine needs far longer."""

QUICK_START: Final = ("-XX:TieredStopAtLevel=1",)
"""Of Java's two compilers the quick one alone: such a node ends long before the other pays."""

_LOOK_EVERY_S: Final = 0.05
_STOP_S: Final = 30.0


class OwnServer:
    """One process on a fixed port and data folder; ``start`` after ``kill`` finds its data.

    Args:
        command: the process.
        url: where it answers.
        health: path that answers 200 once it takes requests.
        log: file of its output.
        environment: further variables.
    """

    def __init__(
        self,
        command: Sequence[str],
        url: str,
        health: str,
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.url = url
        self._command = list(command)
        self._health = health
        self._log = log
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id while it runs."""
        if self._process is None:
            raise AssertionError(f"{self.url} does not run")
        return self._process.pid

    def start(self) -> None:
        """Start the process without waiting for it."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self._environment,
                cwd=self._log.parent,
            )

    def wait(self) -> None:
        """Wait until it takes requests."""
        eventually(self._answers, within_s=START_S, what=f"answer of {self.url}")

    def end(self, number: int = signal.SIGKILL) -> None:
        """Send a signal and wait for the end; SIGKILL is what a power cut looks like."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_STOP_S)

    def _answers(self) -> bool:
        process = self._process
        if process is None or process.poll() is not None:
            raise AssertionError(f"{self.url} ended:\n{self._log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(self.url + self._health, timeout=10) as answer:  # noqa: S310 - loopback
                return b'"timed_out":true' not in answer.read()
        except (urllib.error.URLError, OSError):
            return False


@contextmanager
def own_elasticsearch(
    folder: Path, nodes: int = 1, settings: Sequence[str] = ()
) -> Iterator[list[OwnServer]]:
    """Nodes of a cluster, all answering; ended afterwards.

    Args:
        folder: for data and logs.
        nodes: how many; they find each other.
        settings: more of them, ``name=value``.
    """
    need_native()
    folder.mkdir(parents=True, exist_ok=True)
    ports = free_ports(2 * nodes)
    http, transport = ports[:nodes], ports[nodes:]
    names = [f"node-{number}" for number in range(nodes)]
    health = f"/_cluster/health?wait_for_nodes=>={nodes}&wait_for_status=yellow&timeout=5s"
    with ExitStack() as stack:
        made = []
        for name, port, inner in zip(names, http, transport, strict=True):
            command = servers.native("processes").elasticsearch_command(
                folder / name,
                name=name,
                port=port,
                transport_port=inner,
                seeds=transport,
                masters=names,
                java_options=QUICK_START,
            )
            command += settings
            server = OwnServer(command, f"http://127.0.0.1:{port}", health, folder / f"{name}.log")
            stack.callback(server.end)
            server.start()
            made.append(server)
        for server in made:
            server.wait()
        yield made


@contextmanager
def own_minio(folder: Path) -> Iterator[tuple[OwnServer, servers.TestServers]]:
    """A MinIO that answers, and how to reach it; ended afterwards."""
    with _minio(folder, [], folder / "data") as found:
        yield found


@contextmanager
def own_minio_on_small_disk(
    folder: Path, size_mb: int
) -> Iterator[tuple[servers.TestServers, Path]]:
    """A MinIO whose data lie in a file system of this size, which goes when it ends.

    The file system is one of memory in a namespace of the process; where the machine allows
    no such namespace, the test is skipped.

    Yields:
        How to reach MinIO, and the root of the file system, to fill it up with a file.
    """
    small = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*small, "true"], check=False).returncode:
        pytest.skip("it needs a small file system, and this machine allows no mount namespace")
    disk = folder / "disk"
    disk.mkdir(parents=True)
    mounting = 'mount -t tmpfs -o size="$0" tmpfs "$1" && shift && exec "$@"'
    prefix = [*small, mounting, f"{size_mb}m", str(disk)]
    with _minio(folder, prefix, disk / "data") as (server, known):
        yield known, Path(f"/proc/{server.pid}/root{disk}")


@contextmanager
def _minio(
    folder: Path, prefix: Sequence[str], data: Path
) -> Iterator[tuple[OwnServer, servers.TestServers]]:
    need_native()
    folder.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    known = servers.TestServers("native", "", f"http://127.0.0.1:{port}", "boxseek", "boxseek-test")
    server = OwnServer(
        [*prefix, *servers.native("processes").minio_command(data, port=port)],
        known.s3_endpoint,
        "/minio/health/ready",
        folder / "minio.log",
        {
            "MINIO_ROOT_USER": known.s3_access_key,
            "MINIO_ROOT_PASSWORD": known.s3_secret_key,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
        },
    )
    server.start()
    try:
        server.wait()
        yield server, known
    finally:
        server.end()


def need_native() -> None:
    """Skip a test that ends servers, unless it can have servers of its own."""
    if not servers.native("assemble").assembled():
        pytest.skip("it kills servers of its own, which are not assembled (make native)")


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def eventually(check: Callable[[], T], *, within_s: float, what: str) -> T:
    """Ask until the answer is true; fail when that takes too long."""
    until = time.monotonic() + within_s
    while True:
        if found := check():
            return found
        if time.monotonic() > until:
            raise AssertionError(f"no {what} within {within_s:.0f} s")
        time.sleep(_LOOK_EVERY_S)
