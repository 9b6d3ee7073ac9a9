"""Downloads of weights: streamed, whole or not at all, never cut off for being slow."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

import httpx

from embedding_pipeline.errors import WeightsChanged, WeightsNotFound

_SILENCE_S = 300.0
"""A connection that delivers nothing for so long is dead, not slow."""

_SHA256 = re.compile(r'^(?:W/)?"?([0-9a-f]{64})"?$')


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """How far a download is.

    Args:
        name: the model's.
        done_bytes: received.
        total_bytes: to receive; None when the server does not say.
    """

    name: str
    done_bytes: int
    total_bytes: int | None


ProgressCallback: TypeAlias = Callable[[DownloadProgress], None]


@dataclass(frozen=True, slots=True)
class Remote:
    """A file at a hub.

    Args:
        name: the model's.
        url: of the file.
        filename: its name in the local folder.
        token: bearer token of the hub, or empty.
    """

    name: str
    url: str
    filename: str
    token: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """Headers of a request; the length must be that of the file itself."""
        plain = {"Accept-Encoding": "identity", "User-Agent": "boxseek"}
        return plain | ({"Authorization": f"Bearer {self.token}"} if self.token else {})


def why_unreachable(remote: Remote, connect_timeout_s: float) -> str | None:
    """Ask for a file without reading it: None if it can be had, else the reason.

    Only connecting has a short timeout; a hub that answers slowly is waited for.
    """
    try:
        with _get(remote, connect_timeout_s) as response:
            if response.is_success:
                return None
            return f"{response.url.host} answers {response.status_code}"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{_host(remote.url)}: {type(error).__name__}"


def download(
    remote: Remote,
    folder: Path,
    *,
    connect_timeout_s: float,
    expected_sha256: str | None = None,
    progress: ProgressCallback | None = None,
) -> Path:
    """Download a file into a folder: temp file, fsync, rename.

    Returns:
        Path of the whole file; an existing one of that name is replaced.

    Raises:
        WeightsNotFound: not there, not reachable, broken off, damaged, or no space.
        WeightsChanged: the hub has another file than the expected one.
            In either case no part of a file stays, and an older one is left alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(prefix=f".{remote.filename}.", suffix=".part", dir=folder)
    target = folder / remote.filename
    try:
        with os.fdopen(handle, "wb") as file:
            actual = _receive(remote, file, connect_timeout_s, progress)
            file.flush()
            os.fsync(file.fileno())
        if expected_sha256 not in {None, actual}:
            raise WeightsChanged(
                f"{remote.url} now has SHA-256 {actual}, but {expected_sha256} is expected",
                model=remote.name,
                expected=expected_sha256,
                actual=actual,
            )
        Path(part).replace(target)
        _sync_folder(folder)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise WeightsNotFound(
            f"{remote.name} could not be downloaded from {remote.url}: "
            f"{type(error).__name__}: {error}",
            model=remote.name,
            url=remote.url,
        ) from error
    finally:
        with suppress(FileNotFoundError):
            Path(part).unlink()
    return target


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _receive(
    remote: Remote,
    file: BinaryIO,
    connect_timeout_s: float,
    progress: ProgressCallback | None,
) -> str:
    """Write the file's bytes; gives their SHA-256."""
    digest = hashlib.sha256()
    with _get(remote, connect_timeout_s) as response:
        if not response.is_success:
            raise WeightsNotFound(
                f"{remote.name} is not at {remote.url}: the server answers {response.status_code}",
                model=remote.name,
                url=remote.url,
                status=response.status_code,
            )
        total = int(response.headers.get("Content-Length", 0)) or None
        done = 0
        for chunk in response.iter_bytes(1 << 20):
            file.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            if progress is not None:
                progress(DownloadProgress(remote.name, done, total))
        announced = _announced_sha256(response)
    if announced is not None and announced != digest.hexdigest():
        raise WeightsNotFound(
            f"{remote.name} arrived damaged from {remote.url}: SHA-256 {digest.hexdigest()}, "
            f"announced {announced}",
            model=remote.name,
            expected=announced,
            actual=digest.hexdigest(),
        )
    return digest.hexdigest()


class _get:  # noqa: N801 - reads as the function that it stands for
    """A streamed GET as a context: only connecting has a short timeout."""

    def __init__(self, remote: Remote, connect_timeout_s: float) -> None:
        self._client = httpx.Client(
            follow_redirects=True,
            timeout=httpx.Timeout(_SILENCE_S, connect=connect_timeout_s),
        )
        self._remote = remote

    def __enter__(self) -> httpx.Response:
        request = self._client.build_request("GET", self._remote.url, headers=self._remote.headers)
        try:
            self._response = self._client.send(request, stream=True)
        except BaseException:
            self._client.close()
            raise
        return self._response

    def __exit__(self, *_: object) -> None:
        self._response.close()
        self._client.close()


def _announced_sha256(response: httpx.Response) -> str | None:
    """SHA-256 that the hub names for large files (``X-Linked-Etag``), if it does."""
    for answer in (*response.history, response):
        match = _SHA256.match(answer.headers.get("X-Linked-Etag", ""))
        if match:
            return match.group(1)
    return None


def _host(url: str) -> str:
    return url.split("://", 1)[-1].split("/", 1)[0]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
