"""COCO128 for the demo: 128 photographs, 7 MB, from the Ultralytics assets release."""

from __future__ import annotations

import io
import logging
import os
import shutil
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

import httpx

from minio_proxy.picture.formats import HEAD_BYTES, detect_format

COCO128_URL = "https://github.com/ultralytics/assets/releases/download/v0.0.0/coco128.zip"
MAX_ZIP_BYTES = 32 * 1024 * 1024
MAX_PICTURE_BYTES = 4 * 1024 * 1024
MAX_PICTURES = 1000
READ_TIMEOUT_S = 30.0

_log = logging.getLogger(__name__)


def fetch_coco128(folder: Path, url: str, *, connect_timeout_s: float) -> Path | None:
    """Download the photographs, or find those of an earlier download.

    What is in the archive beside photographs is not unpacked, no name of the archive
    becomes a path, and a folder appears only when it is whole.

    Args:
        folder: they lie in ``coco128`` below it.
        url: of the zip file; empty for the Ultralytics release.
        connect_timeout_s: how long to wait for the server to answer at all; a slow download
            is never cut off.

    Returns:
        The folder of the photographs, or None where they cannot be had.
    """
    target = folder / "coco128"
    if target.is_dir():
        return target
    try:
        archive = _download(url or COCO128_URL, connect_timeout_s)
        pictures = _pictures(archive)
    except (httpx.HTTPError, httpx.InvalidURL, zipfile.BadZipFile, ValueError) as exc:
        _log.info("COCO128 cannot be had from %s: %s", url or COCO128_URL, exc)
        return None
    if not pictures:
        _log.info("%s holds no photographs", url or COCO128_URL)
        return None
    return _keep(folder, target, pictures)


def _download(url: str, connect_timeout_s: float) -> bytes:
    timeout = httpx.Timeout(READ_TIMEOUT_S, connect=connect_timeout_s)
    body = bytearray()
    with httpx.stream("GET", url, timeout=timeout, follow_redirects=True) as response:
        response.raise_for_status()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > MAX_ZIP_BYTES:
                raise ValueError(f"more than {MAX_ZIP_BYTES:,} bytes")
    return bytes(body)


def _pictures(archive: bytes) -> dict[str, bytes]:
    """Photographs by file name; each member's checksum is verified by reading it."""
    pictures: dict[str, bytes] = {}
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        for member in opened.infolist():
            name = PurePosixPath(member.filename).name
            if member.is_dir() or not name.lower().endswith(".jpg") or name.startswith("."):
                continue
            if member.file_size > MAX_PICTURE_BYTES or len(pictures) >= MAX_PICTURES:
                raise ValueError(f"{name} or the number of pictures is larger than expected")
            data = opened.read(member)
            if detect_format(data[:HEAD_BYTES]) == "JPEG":
                pictures[name] = data
    return pictures


def _keep(folder: Path, target: Path, pictures: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".coco128-", dir=folder))
    try:
        for name, data in pictures.items():
            (part / name).write_bytes(data)
        os.replace(part, target)  # noqa: PTH105 - fails when a second demo was faster
    except OSError:
        if not target.is_dir():
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target
