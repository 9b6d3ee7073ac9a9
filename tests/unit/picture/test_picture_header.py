"""Format, limits and time, told from the header alone."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zlib
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image

from minio_proxy.errors import PictureTooLarge, UndecodablePicture, UnsupportedFormat
from minio_proxy.picture.formats import MEDIA_TYPES
from minio_proxy.picture.header import Limits, inspect, sniff
from support import picture_files as files

FORMATS = ["JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", "AVIF", "HEIC"]
LIMITS = Limits()


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_told_by_its_bytes(name: str) -> None:
    """All eight formats are named with their media type and size."""
    data = files.encoded(files.gradient(48, 32), name)
    header = inspect(data, LIMITS)
    assert (header.format, header.media_type) == (name, MEDIA_TYPES[header.format])
    assert header.size_wh == header.stored_size_wh == (48, 32)
    assert header.orientation == 1
    assert sniff(data[:64]) == header.media_type


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\n", id="one byte"),
        pytest.param(b"BMW is a car maker, and this is a text named .jpg", id="text"),
        pytest.param(b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", id="svg"),
        pytest.param(b"8BPS\0\1" + bytes(40), id="psd"),
        pytest.param(b"\0\0\1\0\1\0\x10\x10" + bytes(40), id="ico"),
        pytest.param(b"\xff\x4f\xff\x51" + bytes(40), id="jpeg 2000"),
        pytest.param(b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), id="jp2"),
        pytest.param(b"\x01\xda\x01\x01" + bytes(40), id="sgi"),
        pytest.param(b"RIFF\x10\0\0\0WAVEfmt " + bytes(40), id="wave"),
        pytest.param(files.box(b"ftyp", b"isom\0\0\2\0isommp42") + bytes(40), id="mp4"),
        pytest.param(b"%PDF-1.7" + bytes(40), id="pdf"),
    ],
)
def test_other_files_are_no_pictures(data: bytes) -> None:
    """Anything but the eight formats is refused with the list of what is taken."""
    with pytest.raises(UnsupportedFormat, match="JPEG, PNG") as caught:
        inspect(data, LIMITS)
    assert caught.value.details["allowed"] == FORMATS
    assert sniff(data[:64]) is None


@pytest.mark.parametrize(
    ("brands", "media_type"),
    [
        (b"avif\0\0\0\0mif1miaf", "image/avif"),
        (b"mif1\0\0\0\0mif1avif", "image/avif"),
        (b"heic\0\0\0\0mif1heic", "image/heic"),
        (b"mif1\0\0\0\0mif1heic", "image/heic"),
        (b"msf1\0\0\0\0hevc", "image/heic"),
        (b"qt  \0\0\0\0qt  ", None),
    ],
)
def test_brands_tell_avif_from_heic(brands: bytes, media_type: str | None) -> None:
    """The brands decide, also where the major one is a general one."""
    assert sniff(files.box(b"ftyp", brands)) == media_type


@pytest.mark.parametrize("name", FORMATS)
def test_pixels_above_the_limit_are_refused(name: str) -> None:
    """Each format's size is compared with the limit before decoding."""
    data = files.encoded(files.gradient(128, 64), name)
    with pytest.raises(PictureTooLarge, match="128 x 64") as caught:
        inspect(data, Limits(max_pixels=128 * 64 - 1))
    assert caught.value.details == {"actual": 8192, "limit": 8191, "unit": "pixels"}
    assert inspect(data, Limits(max_pixels=128 * 64)).size_wh == (128, 64)


def test_bytes_above_the_limit_are_refused() -> None:
    """A file of 65 MB is refused whatever it is, one of exactly the limit is not."""
    with pytest.raises(PictureTooLarge) as caught:
        inspect(bytes(65 * 1024 * 1024), LIMITS)
    assert caught.value.details["limit"] == 64 * 1024 * 1024
    data = files.encoded(files.gradient(), "PNG")
    assert inspect(data, Limits(max_bytes=len(data))).format == "PNG"


def test_a_huge_picture_is_refused_in_milliseconds_and_little_memory() -> None:
    """268 megapixels are refused from the header."""
    data = files.huge_png(16384, 16384)
    tracemalloc.start()
    began = time.perf_counter()
    with pytest.raises(PictureTooLarge):
        inspect(data, LIMITS)
    spent_s = time.perf_counter() - began
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 1024 * 1024
    assert spent_s < 0.25


def _text_bomb(name: bytes) -> bytes:
    before = b"key\0\1\0\0\0" if name == b"iTXt" else b"key\0\0"
    body = before + zlib.compress(bytes(20 * 1024 * 1024))
    return files.with_png_chunk(files.encoded(files.gradient(4, 4), "PNG"), name, body)


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt", b"iCCP"])
def test_compressed_chunks_may_not_unfold_without_bound(name: bytes) -> None:
    """A PNG text or profile that unfolds to 20 MB is refused before it has."""
    data = _text_bomb(name)
    tracemalloc.start()
    with pytest.raises(PictureTooLarge, match="unfolds"):
        inspect(data, LIMITS)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 12 * 1024 * 1024


def test_many_chunks_share_one_budget() -> None:
    """Many texts that are each small enough are refused together."""
    body = b"key\0\0" + zlib.compress(bytes(900 * 1024))
    data = files.encoded(files.gradient(4, 4), "PNG")
    chunks = files.png_chunk(b"zTXt", body) * 30
    with pytest.raises(PictureTooLarge, match="unfolds"):
        inspect(data[:33] + chunks + data[33:], LIMITS)


def test_a_gif_frame_beyond_its_canvas_counts() -> None:
    """The limit holds for the first frame too, which decoders allocate."""
    with pytest.raises(PictureTooLarge, match="60000 x 60000"):
        inspect(files.gif_with_frame((10, 10), (60000, 60000)), LIMITS)


def test_a_webp_frame_beyond_its_canvas_counts() -> None:
    """A small VP8X canvas does not hide a large frame."""
    canvas = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + bytes(6)
    size = (16383).to_bytes(3, "little")
    frame = b"ANMF" + struct.pack("<I", 16) + bytes(6) + size + size + bytes(4)
    body = b"WEBP" + canvas + frame
    with pytest.raises(PictureTooLarge, match="16384 x 16384"):
        inspect(b"RIFF" + struct.pack("<I", len(body)) + body, LIMITS)


@pytest.mark.parametrize("brand", [b"avif", b"heic"])
def test_sizes_inside_avif_and_heic_boxes_count(brand: bytes) -> None:
    """A declared item size above the limit is refused before a codec sees the file."""
    size = files.box(b"ispe", bytes(4), struct.pack(">II", 40000, 40000))
    props = files.box(b"iprp", files.box(b"ipco", size))
    data = files.box(b"ftyp", brand, bytes(4), b"mif1") + files.box(b"meta", bytes(4), props)
    with pytest.raises(PictureTooLarge, match="40000 x 40000"):
        inspect(data, LIMITS)


def test_a_tiff_tile_above_the_limit_is_refused() -> None:
    """A tile, which is decoded as a whole, may not be larger than the limit either."""
    entries = [(256, 4, 1, 8), (257, 4, 1, 8), (322, 4, 1, 65536), (323, 4, 1, 65536)]
    ifd = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *e) for e in entries)
    with pytest.raises(PictureTooLarge, match="65536 x 65536"):
        inspect(b"II*\0\x08\0\0\0" + ifd + bytes(4), LIMITS)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(files.gif_with_frame((0, 5), (5, 5)), id="gif"),
        pytest.param(files.huge_png(0, 5), id="png"),
        pytest.param(b"BM" + bytes(12) + struct.pack("<Iii", 40, 0, 5) + bytes(40), id="bmp"),
    ],
)
def test_a_picture_without_pixels_is_refused(data: bytes) -> None:
    """A width or height of zero is damage."""
    with pytest.raises(UndecodablePicture, match="size is 0 x 5"):
        inspect(data, LIMITS)


def test_a_multi_page_tiff_is_its_first_page() -> None:
    """Later pages change neither size nor what is counted."""
    pages = [Image.fromarray(files.gradient(w, 20)) for w in (30, 500)]
    data = files.encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert inspect(data, Limits(max_pixels=600)).size_wh == (30, 20)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WebP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_upright_size_follows_the_orientation(name: str, orientation: int) -> None:
    """Orientations 5 to 8 swap width and height."""
    data = files.encoded(files.gradient(40, 24), name, exif=files.exif(orientation))
    header = inspect(data, LIMITS)
    assert header.orientation == orientation
    assert header.stored_size_wh == (40, 24)
    assert header.size_wh == ((24, 40) if orientation >= 5 else (40, 24))


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WebP", "AVIF"])
@pytest.mark.parametrize(
    ("taken", "offset", "expected"),
    [
        ("2024:05:06 07:08:09", "", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("2024:05:06 07:08:09", "+02:30", datetime(2024, 5, 6, 4, 38, 9, tzinfo=UTC)),
        ("2024:05:06 07:08:09", "-11:00", datetime(2024, 5, 6, 18, 8, 9, tzinfo=UTC)),
        ("2024:05:06 07:08:09", "somewhere", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("2024:05:06 07:08:09", "+99:00", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("0000:00:00 00:00:00", "", None),
        ("yesterday", "", None),
        ("0001:01:01 00:00:00", "+10:00", None),
        ("", "", None),
    ],
)
def test_time_taken_comes_with_its_zone(
    name: str, taken: str, offset: str, expected: datetime | None
) -> None:
    """DateTimeOriginal with its offset; without one it is UTC, and nonsense is unknown."""
    data = files.encoded(files.gradient(), name, exif=files.exif(1, taken, offset))
    assert inspect(data, LIMITS).taken_at == expected


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(b"Exif\0\0", id="nothing"),
        pytest.param(b"Exif\0\0II*\0\xff\xff\xff\xff" + bytes(20), id="directory outside"),
        pytest.param(b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01" * 40, id="65535 entries"),
        pytest.param(b"Exif\0\0" + b"junk" * 30, id="no TIFF"),
        pytest.param(files.exif(99), id="orientation 99"),
    ],
)
def test_broken_exif_reads_as_none(block: bytes) -> None:
    """Broken EXIF leaves the picture as stored and its time unknown."""
    header = inspect(files.encoded(files.gradient(), "JPEG", exif=block), LIMITS)
    assert (header.orientation, header.taken_at) == (1, None)


def test_an_endless_row_of_segments_ends() -> None:
    """Millions of empty JPEG segments or PNG chunks are damage, found soon."""
    jpeg = b"\xff\xd8" + b"\xff\xe5\0\2" * 400_000
    png = files.huge_png(8, 8)
    many = png[:33] + files.png_chunk(b"abCd", b"") * 400_000 + png[33:]
    for data in (jpeg, many):
        with pytest.raises(UndecodablePicture, match="too many"):
            inspect(data, LIMITS)


def test_the_header_is_enough() -> None:
    """A JPEG's first 2 KB tell its size."""
    data = files.encoded(files.photo(640, 480), "JPEG")
    assert len(data) > 4096
    assert inspect(data[:2048], LIMITS).size_wh == (640, 480)
    assert np.prod(inspect(data, LIMITS).size_wh) == 640 * 480
