"""Pictures that tests make themselves, in every format and mode."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pillow_heif import encode as encode_heif

ORIENTATION = 0x0112


def gradient(width: int = 48, height: int = 32) -> NDArray[np.uint8]:
    """Make an ``(H, W, 3)`` picture whose every turn and mirror image differs."""
    rows, columns = np.mgrid[0:height, 0:width]
    red = columns * 255 // max(width - 1, 1)
    green = rows * 255 // max(height - 1, 1)
    blue = np.where((rows < height // 3) & (columns < width // 4), 255, 0)
    return np.stack([red, green, blue], axis=2).astype(np.uint8)


def photo(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    """Make a picture with soft structure, which compresses about as a photograph does."""
    noise = np.random.default_rng(seed).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3))
    small = Image.fromarray(noise.astype(np.uint8))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def encoded(image: Image.Image | NDArray[Any], name: str, **options: Any) -> bytes:
    """Encode with Pillow (HEIC with pillow-heif)."""
    if not isinstance(image, Image.Image):
        image = Image.fromarray(image)
    out = BytesIO()
    if name == "HEIC":
        options = {"quality": -1, "chroma": 444, **options}
        encode_heif(image.mode, image.size, image.tobytes(), out, **options)
    else:
        image.save(out, name, **options)
    return out.getvalue()


def exif(orientation: int | None = None, taken: str = "", offset: str = "") -> bytes:
    """Make an EXIF block."""
    tags = Image.Exif()
    if orientation is not None:
        tags[ORIENTATION] = orientation
    if taken:
        tags.get_ifd(0x8769)[0x9003] = taken
    if offset:
        tags.get_ifd(0x8769)[0x9011] = offset
    return tags.tobytes()


def stored_as(upright: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn an upright picture into what a camera stores under an orientation.

    Written from the standard's words: where row 0 and column 0 of the stored picture lie in
    the upright one.
    """
    swapped = upright.transpose(1, 0, 2)
    stored = {
        1: upright,  # top, left
        2: upright[:, ::-1],  # top, right
        3: upright[::-1, ::-1],  # bottom, right
        4: upright[::-1],  # bottom, left
        5: swapped,  # left, top
        6: swapped[::-1],  # right, top: row 0 is the right side
        7: swapped[::-1, ::-1],  # right, bottom
        8: swapped[:, ::-1],  # left, bottom: row 0 is the left side
    }[orientation]
    return np.ascontiguousarray(stored)


def png_chunk(name: bytes, body: bytes) -> bytes:
    """Make one PNG chunk."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def with_png_chunk(png: bytes, name: bytes, body: bytes) -> bytes:
    """Put a chunk behind the header of a PNG."""
    return png[:33] + png_chunk(name, body) + png[33:]


def huge_png(width: int, height: int) -> bytes:
    """Make a small PNG file that says it is huge, with pixels to match its first rows only."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100_000)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", pixels)
        + png_chunk(b"IEND", b"")
    )


def gif_with_frame(canvas_wh: tuple[int, int], frame_wh: tuple[int, int]) -> bytes:
    """Make a GIF whose first frame is larger than its canvas."""
    screen = b"GIF89a" + struct.pack("<HHBBB", *canvas_wh, 0x80, 0, 0) + bytes(6)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, *frame_wh, 0)
    return screen + frame + b"\x02\x02\x44\x01\x00\x3b"


def box(name: bytes, *parts: bytes) -> bytes:
    """Make one box of an ISO file (HEIC, AVIF)."""
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + name + body
