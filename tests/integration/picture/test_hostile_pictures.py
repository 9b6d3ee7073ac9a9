"""The hostile pictures of the shared data, by folder: refused, cut off, accepted, turned."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minio_proxy.errors import PictureError, UndecodablePicture
from minio_proxy.picture.decode import Limits, decode
from minio_proxy.picture.header import inspect
from minio_proxy.picture.render import RenderedType, render_crop, render_thumbnail

pytestmark = pytest.mark.data

LIMITS = Limits()
TYPES: tuple[RenderedType, ...] = ("image/webp", "image/jpeg")


def _files(test_data: Path, folder: str) -> list[Path]:
    found = sorted((test_data / "hostile" / folder).iterdir())
    assert found, f"hostile/{folder} holds nothing"
    return found


def test_what_must_be_refused_is_refused(test_data: Path) -> None:
    """Decoding, thumbnails and crops all refuse it with a sentence that says why."""
    for path in _files(test_data, "refuse"):
        data = path.read_bytes()
        for call in (
            lambda d: decode(d, LIMITS),
            lambda d: render_thumbnail(d, 64, "image/webp", 70, LIMITS),
            lambda d: render_crop(d, (0, 0, 1, 1), 64, "image/webp", 70, LIMITS),
        ):
            with pytest.raises(PictureError) as caught:
                call(data)
            assert caught.value.message.endswith("."), path.name


def test_cut_off_files_follow_the_one_policy(test_data: Path) -> None:
    """All are refused as cut off, on every path."""
    for path in _files(test_data, "truncated"):
        data = path.read_bytes()
        for call in (
            lambda d: decode(d, LIMITS),
            lambda d: render_thumbnail(d, 64, "image/jpeg", 70, LIMITS),
        ):
            with pytest.raises(UndecodablePicture, match="cut off") as caught:
                call(data)
            assert caught.value.details["reason"] == "cut_off", path.name


def test_what_is_odd_but_fine_is_accepted(test_data: Path) -> None:
    """Pixels, header and thumbnails agree on the size."""
    for path in _files(test_data, "accept"):
        data = path.read_bytes()
        picture = decode(data, LIMITS)
        assert inspect(data, LIMITS).size_wh == picture.size_wh, path.name
        assert picture.rgb.shape == (*picture.size_wh[::-1], 3), path.name
        for media_type in TYPES:
            thumbnail = render_thumbnail(data, 64, media_type, 70, LIMITS)
            assert decode(thumbnail, LIMITS).size_wh[0] <= 64, path.name


def test_orientations_of_one_picture_are_the_same_picture(test_data: Path) -> None:
    """Every file of a set (name_<orientation>.<ending>) decodes to nearly the same pixels."""
    sets: dict[tuple[str, str], list[np.ndarray]] = {}
    for path in _files(test_data, "orientation"):
        stem, _, number = path.stem.rpartition("_")
        header = inspect(path.read_bytes(), LIMITS)
        assert header.orientation in range(2, 9), path.name
        if number.isdecimal():
            assert header.orientation == int(number), path.name
            rgb = decode(path.read_bytes(), LIMITS).rgb
            sets.setdefault((stem, path.suffix), []).append(rgb)
    assert sets
    for name, pictures in sets.items():
        assert len(pictures) > 1, name
        for rgb in pictures[1:]:
            assert rgb.shape == pictures[0].shape, name
            assert np.abs(rgb.astype(int) - pictures[0].astype(int)).mean() < 8, name


def test_refusing_costs_no_memory(test_data: Path) -> None:
    """A process that refuses the whole folder stays small; 268 megapixels alone would be 800 MB."""
    script = (
        "import sys, pathlib\n"
        "from minio_proxy.errors import PictureError\n"
        "from minio_proxy.picture.decode import Limits, decode\n"
        "def peak():\n"
        "    status = pathlib.Path('/proc/self/status').read_text().split('VmHWM:')[1]\n"
        "    return int(status.split()[0])\n"
        "before = peak()\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):\n"
        "    try: decode(path.read_bytes(), Limits())\n"
        "    except PictureError: continue\n"
        "    sys.exit(f'{path.name} was accepted')\n"
        "print(peak() - before)\n"
    )
    folder = str(test_data / "hostile" / "refuse")
    done = subprocess.run(
        [sys.executable, "-c", script, folder], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) * 1024 < 64 * 1024 * 1024


def test_photographs_decode(test_data: Path) -> None:
    """Real photographs of the shared data come out upright in the size of their header."""
    for path in sorted((test_data / "coco128" / "images").glob("*.jpg"))[:24]:
        data = path.read_bytes()
        assert decode(data, LIMITS).size_wh == inspect(data, LIMITS).size_wh, path.name
