"""How fast the proxy gives out pictures, side by side with MinIO in one run.

With BOXSEEK_TEST_S3_ENDPOINT (and BOXSEEK_TEST_S3_ACCESS_KEY, BOXSEEK_TEST_S3_SECRET_KEY)
the proxy stands before that store and the store's own rate is measured beside it;
otherwise the originals lie in a folder. Figures of different runs do not compare.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from PIL import Image
from proxy_load import load

from minio_proxy.bootstrap import build_store
from minio_proxy.settings import ProxySettings

SIZES = {"200 KB": 200_000, "20 MB": 20_000_000}
CONNECTIONS = (1, 16, 64)
READ = 1024 * 1024
GIGABYTE = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy in a process of its own."""

    port: int
    pid: int

    def url(self, path: str) -> str:
        """Full address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def resident_bytes(self) -> int:
        """Memory of the process now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def environment(folder: Path, offload: str) -> dict[str, str]:
    """Settings of the proxy under test."""
    found = {
        "BOXSEEK_DATA_DIR": str(folder),
        "BOXSEEK_LOG_LEVEL": "warning",
        "BOXSEEK_OFFLOAD": offload,
    }
    endpoint = os.environ.get("BOXSEEK_TEST_S3_ENDPOINT")
    if endpoint:
        found |= {
            "BOXSEEK_STORE": "s3",
            "BOXSEEK_S3_ENDPOINT": endpoint,
            "BOXSEEK_S3_BUCKET": "boxseek-bench",
            "BOXSEEK_S3_PREFIX": folder.name,
            "BOXSEEK_S3_ACCESS_KEY": os.environ.get("BOXSEEK_TEST_S3_ACCESS_KEY", ""),
            "BOXSEEK_S3_SECRET_KEY": os.environ.get("BOXSEEK_TEST_S3_SECRET_KEY", ""),
        }
    return found


@contextmanager
def proxy(folder: Path, offload: str = "off", memory_mb: int = 64) -> Iterator[Proxy]:
    """Run a proxy until the block ends."""
    port = _free_port()
    variables = environment(folder, offload) | {
        "BOXSEEK_PROXY_PORT": str(port),
        "BOXSEEK_THUMBNAIL_MEMORY_MB": str(memory_mb),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "minio_proxy"], env=os.environ | variables, cwd=folder
    )
    try:
        _wait(port, process)
        yield Proxy(port, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(40)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise SystemExit("the proxy did not start")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the proxy did not answer")


class Client:
    """One connection that is kept; follows redirects to one other host."""

    def __init__(self) -> None:
        self._connections: dict[str, http.client.HTTPConnection] = {}

    def get(self, url: str) -> int:
        """Read a whole body; gives its bytes."""
        parts = urlsplit(url)
        connection = self._connections.setdefault(
            parts.netloc, http.client.HTTPConnection(parts.netloc, timeout=120)
        )
        connection.request("GET", parts.path + (f"?{parts.query}" if parts.query else ""))
        answer = connection.getresponse()
        if answer.status in {302, 307}:
            answer.read()
            return self.get(str(answer.headers["location"]))
        if answer.status != 200:
            raise SystemExit(f"{parts.path}: {answer.status} {answer.read()[:200]!r}")
        buffer = bytearray(READ)
        total = 0
        while count := answer.readinto(buffer):
            total += count
        return total


@dataclass(frozen=True, slots=True)
class Visit:
    """One measurement of one way.

    Args:
        bytes_per_s: of bodies.
        cpu_ms: milliseconds of processor a request cost the client, proxy and store; these do
            not depend on what else the machine does.
    """

    bytes_per_s: float
    cpu_ms: tuple[float, float, float]


def visit(url: str, connections: int, seconds: float, pids: tuple[int, int | None]) -> Visit:
    """Load one address; ``pids`` are the proxy's and, if known, the store's."""
    before = time.process_time(), *map(_cpu_s, pids)
    found = load(url, connections, seconds)
    after = time.process_time(), *map(_cpu_s, pids)
    requests = len(found.seconds)
    client, own, store = ((b - a) / requests * 1e3 for a, b in zip(before, after, strict=True))
    return Visit(found.bytes_per_s, (client, own, store))


def _cpu_s(pid: int | None) -> float:
    """Seconds of processor that a process has used; 0 for an unknown one."""
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def compare(folder: Path, seconds: float, rounds: int, store_pid: int | None) -> None:
    """Print rates of the store itself, of streaming and of off-load, interleaved."""
    settings = _settings(folder)
    store = build_store(settings)
    keys = {name: secrets.token_hex(32) for name in SIZES}
    for name, size in SIZES.items():
        data = io.BytesIO(b"\xff\xd8\xff" + secrets.token_bytes(size - 3))
        store.put(f"originals/{keys[name][:2]}/{keys[name]}", data, size_bytes=size)
    direct = getattr(store, "presigned_url", None)
    with proxy(folder) as streaming, proxy(folder, "redirect" if direct else "off") as offloading:
        for name in SIZES:
            path = f"/objects/{keys[name]}"
            ways = {"streaming": streaming.url(path)}
            if direct:
                address = direct(f"originals/{keys[name][:2]}/{keys[name]}", 3600)
                ways = {"store": address, **ways, "off-load": offloading.url(path)}
            for connections in CONNECTIONS:
                found: dict[str, list[Visit]] = {way: [] for way in ways}
                for _ in range(rounds):
                    for way, url in ways.items():
                        pid = offloading.pid if way == "off-load" else streaming.pid
                        found[way].append(visit(url, connections, seconds, (pid, store_pid)))
                _print(name, connections, found)
    store.close()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _print(name: str, connections: int, found: dict[str, list[Visit]]) -> None:
    store = found.get("store")
    for way, rates in found.items():
        value = statistics.median(each.bytes_per_s for each in rates)
        costs = zip(*(each.cpu_ms for each in rates), strict=True)
        client, own, its = (statistics.median(cost) for cost in costs)
        share = ""
        if store and way != "store":  # of the same round, so that a busy machine hits both
            shares = [
                mine.bytes_per_s / others.bytes_per_s
                for mine, others in zip(rates, store, strict=True)
            ]
            share = f"{statistics.median(shares):7.0%} of the store"
        _say(
            f"{name:>7} {connections:3} connections  {way:<10} {value / 1e6:6.0f} MB/s {share:>20}"
            f"  CPU ms a request: client {client:.2f}, proxy {own:.2f}, store {its:.2f}"
        )


def memory(folder: Path) -> None:
    """Print how much memory one download of a gigabyte adds to the process."""
    store = build_store(_settings(folder))
    key = secrets.token_hex(32)
    path = folder / "gigabyte"
    with path.open("wb") as file:
        file.truncate(GIGABYTE)
    with path.open("rb") as file:
        store.put(f"originals/{key[:2]}/{key}", file, size_bytes=GIGABYTE)
    path.unlink()
    with proxy(folder) as running, ThreadPoolExecutor(1) as pool:
        Client().get(running.url("/healthz"))
        before = running.resident_bytes()
        done = pool.submit(Client().get, running.url(f"/objects/{key}"))
        most = before
        while not done.done():
            most = max(most, running.resident_bytes())
            time.sleep(0.005)
        assert done.result() == GIGABYTE
    store.delete(f"originals/{key[:2]}/{key}")
    store.close()
    _say(f"   1 GB  memory {(most - before) / 1e6:+.1f} MB (limit +16 MB)")


def thumbnails(folder: Path) -> None:
    """Print how many cached thumbnails are given in the time that making one takes."""
    pixels = np.random.default_rng(0).integers(0, 256, (75, 100, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).resize((4000, 3000)).save(out, "JPEG", quality=90)
    given: dict[str, list[float]] = {"memory": [], "the store": []}
    made = []
    with proxy(folder) as running, proxy(folder, memory_mb=0) as forgetful:
        connection = http.client.HTTPConnection("127.0.0.1", running.port)
        connection.request("POST", "/objects", out.getvalue())
        key = json.loads(connection.getresponse().read())["key"]
        client = Client()
        for width in (64, 128, 256, 320, 512, 640):
            path = f"/thumbnails/{width}/{key}"
            made.append(_timed(client, running.url(path)))
            for _ in range(20):
                given["memory"].append(_timed(client, running.url(path)))
                given["the store"].append(_timed(client, forgetful.url(path)))
    making = statistics.median(made)
    for place, seconds in given.items():
        giving = statistics.median(seconds)
        _say(
            f"thumbnail of 12 megapixels: made in {making * 1e3:.1f} ms, given from {place} in "
            f"{giving * 1e3:.1f} ms, {making / giving:.0f} times the rate (wanted 10)"
        )


def trickling(folder: Path, seconds: float) -> None:
    """Print the p95 of others while 200 connections trickle, beside the idle one."""
    out = io.BytesIO()
    pixels = np.random.default_rng(1).integers(0, 256, (64, 96, 3), np.uint8)
    Image.fromarray(pixels).save(out, "JPEG")
    with proxy(folder) as running:
        connection = http.client.HTTPConnection("127.0.0.1", running.port)
        connection.request("POST", "/objects", out.getvalue())
        url = running.url(f"/objects/{json.loads(connection.getresponse().read())['key']}")
        load(url, 1, 0.2)
        idle, busy = [], []
        for _ in range(3):
            idle += load(url, 1, seconds).seconds
            with _slow_clients(running.port):
                busy += load(url, 1, seconds).seconds
    before, beside = (statistics.quantiles(found, n=20)[-1] * 1e3 for found in (idle, busy))
    _say(
        f"p95 of a small original: {before:.2f} ms alone, {beside:.2f} ms beside 200 that "
        f"trickle, {beside / before:.2f} times (wanted below 2)"
    )


@contextmanager
def _slow_clients(port: int) -> Iterator[None]:
    """200 connections, half with heads and half with bodies of a byte every 0.2 seconds."""
    head = b"POST /objects HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n"
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    for number, connection in enumerate(slow):
        connection.sendall(head + (b"\r\nx" if number % 2 else b"X-Slow: "))
    ended = threading.Event()

    def trickle() -> None:
        while not ended.wait(0.2):
            for connection in slow:
                connection.sendall(b"x")

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        for connection in slow:
            connection.close()


def _timed(client: Client, url: str) -> float:
    started = time.perf_counter()
    client.get(url)
    return time.perf_counter() - started


def _settings(folder: Path) -> ProxySettings:
    os.environ.update(environment(folder, "off"))
    return ProxySettings(_env_file=None)


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="of each way, interleaved")
    parser.add_argument("--store-pid", type=int, help="process of the S3 store, for its CPU time")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="boxseek-bench-") as name:
        folder = Path(name)
        compare(folder, chosen.seconds, chosen.rounds, chosen.store_pid)
        memory(folder)
        thumbnails(folder)
        trickling(folder, chosen.seconds)


if __name__ == "__main__":
    main()
