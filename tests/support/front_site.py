"""A real Boxseek in a process of its own, for tests in a real browser."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from urllib.error import URLError
from urllib.request import urlopen

import httpx

REPOSITORY = Path(__file__).resolve().parents[2]
FRONT = REPOSITORY / "search-front"
START_S = 240.0
SMALL_BYTES = 150_000
"""Most bytes of a picture on the locked site: enough for the samples, small enough for a 413."""


@dataclass(frozen=True, slots=True)
class Site:
    """A running service.

    Args:
        url: base address, without a slash at the end.
        data_dir: where it keeps everything.
        pictures: how many pictures were indexed before it started.
        collections: their collections.
        queries: ids of searches by picture, for tests that only look at the answer.
    """

    url: str
    data_dir: Path
    pictures: int
    collections: tuple[str, ...]
    queries: dict[Path, str] = field(default_factory=dict)

    def query_of(self, picture: Path) -> str:
        """The id of a search with this picture, asked once; its address shows it again."""
        if picture not in self.queries:
            files = {"image": (picture.name, picture.read_bytes())}
            answer = httpx.post(f"{self.url}/v1/search", files=files, timeout=START_S)
            assert answer.status_code == 200, answer.text
            self.queries[picture] = answer.json()["query_id"]
        return self.queries[picture]


@dataclass(frozen=True, slots=True)
class LockedSite:
    """A service that asks for a key.

    Args:
        url: base address.
        keys: a key of each scope.
    """

    url: str
    keys: dict[str, str]


def boxseek_environment(data_dir: Path) -> dict[str, str]:
    """Environment of a boxseek process that uses the packaged models and the built page."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith("BOXSEEK_")}
    return clean | {
        "BOXSEEK_DATA_DIR": str(data_dir),
        "BOXSEEK_FRONT_DIR": str(FRONT / "dist"),
        "BOXSEEK_MODELS": "packaged",
        "BOXSEEK_RUNTIME": "native",  # nothing is measured first, and every machine is alike
        "BOXSEEK_PRECISION": "fp32",
        "BOXSEEK_PORT": "0",
        "BOXSEEK_LOG_LEVEL": "warning",
        "PYTHONPATH": str(REPOSITORY / "tests"),
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def serving(data_dir: Path, more: Mapping[str, str] | None = None) -> Iterator[str]:
    """Serve a data folder on a free port until the block ends; gives the base address."""
    program = Path(sys.executable).with_name("boxseek")
    process = subprocess.Popen(
        [str(program), "serve"],
        env=boxseek_environment(data_dir) | dict(more or {}),
        cwd=data_dir.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        url = _address(process)
        _wait_answering(f"{url}/readyz", process)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)
        if process.stdout:
            process.stdout.close()


def add_pictures(
    url: str, pictures: Sequence[Path], collection: str, *, key: str | None = None
) -> None:
    """Upload pictures, as a visitor would; every one must be taken."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    for start in range(0, len(pictures), 8):
        files = [("files", (path.name, path.read_bytes())) for path in pictures[start : start + 8]]
        answer = httpx.post(
            f"{url}/v1/images",
            files=files,
            data={"collection": collection},
            headers=headers,
            timeout=START_S,
        )
        assert answer.status_code == 200, answer.text
        assert {row["status"] for row in answer.json()["images"]} <= {"indexed", "duplicate"}


def _address(process: subprocess.Popen[str]) -> str:
    """The address that the process prints; its output is read on in the background."""
    lines: Queue[str] = Queue()

    def read() -> None:
        for line in process.stdout or ():
            lines.put(line)

    threading.Thread(target=read, daemon=True).start()
    said: list[str] = []
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            said.append(lines.get(timeout=0.5))
        except Empty:
            assert process.poll() is None, "".join(said)
            continue
        words = said[-1].split()
        found = [word for word in words if word.startswith("http://127.0.0.1:")]
        if found:
            return found[0]
    raise AssertionError("boxseek named no address: " + "".join(said))


def _wait_answering(url: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(url, timeout=5):  # noqa: S310 - our own loopback address
                return
        except (URLError, OSError):
            time.sleep(0.25)
    raise AssertionError(f"{url} did not answer")
