"""Layouts of JPEG, PNG, WebP, GIF and BMP, read from their blocks."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from minio_proxy.errors import PictureTooLarge
from minio_proxy.picture.layout import MOST_BLOCKS, Layout, cut_off, damaged, larger

_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF markers
_JPEG_SCAN = 0xDA
# Compressed chunks and the most bytes that one of them may unfold to. Colour profiles with
# tables have a few MB; texts that long are bombs.
_PNG_PACKED = {b"iCCP": 4 * 1024 * 1024, b"zTXt": 1024 * 1024, b"iTXt": 1024 * 1024}
_MOST_UNFOLDED_BYTES = 16 * 1024 * 1024  # of all of them together


def jpeg_layout(data: bytes) -> Layout:
    """Read a JPEG up to its first scan."""
    size_wh, components, exif = (0, 0), 0, b""
    icc: dict[int, bytes] = {}
    for marker, body in _jpeg_segments(data):
        if marker in _JPEG_SIZES and len(body) >= 6:  # noqa: PLR2004 - precision, height, width, count
            height, width, components = struct.unpack_from(">HHB", body, 1)
            size_wh = larger(size_wh, (width, height))
        elif marker == 0xE1 and body[:6] == b"Exif\0\0" and not exif:  # noqa: PLR2004 - APP1
            exif = body
        elif marker == 0xE2 and body[:12] == b"ICC_PROFILE\0":  # noqa: PLR2004 - APP2
            icc[body[12] if len(body) > 12 else 0] = body[14:]  # noqa: PLR2004 - numbered parts
    profile = b"".join(icc[number] for number in sorted(icc))
    return Layout(size_wh, size_wh, plain=components in {1, 3}, exif=exif, icc=profile)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 2
    for _ in range(MOST_BLOCKS):
        at = data.find(b"\xff", at)  # some writers leave bytes between segments
        while at >= 0 and data[at + 1 : at + 2] == b"\xff":
            at += 1
        if at < 0 or at + 4 > len(data):
            raise cut_off("no picture follows its header")
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _JPEG_SCAN:
            return
        if marker in {0x00, 0x01} or marker in range(0xD0, 0xDA):
            at += 2
            continue
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + max(length, 2)
    raise damaged("it has too many segments")


def png_layout(data: bytes) -> Layout:
    """Read the chunks of a PNG; compressed ones may not unfold without bound."""
    if data[12:16] != b"IHDR" or len(data) < 33:  # noqa: PLR2004 - signature and IHDR
        raise damaged("it does not begin with IHDR")
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    names, exif, icc, unfolded_bytes = set(), b"", b"", 0
    for name, body in _png_chunks(data):
        names.add(name)
        if name == b"eXIf":
            exif = body
        elif name in _PNG_PACKED:
            unfolded = _unfold(_packed_part(name, body), _PNG_PACKED[name])
            unfolded_bytes += len(unfolded)
            icc = unfolded if name == b"iCCP" else icc
        if unfolded_bytes > _MOST_UNFOLDED_BYTES:
            raise _unfolds_too_far(_MOST_UNFOLDED_BYTES)
    plain = depth == 8 and colour in {0, 2} and not names & {b"tRNS", b"acTL"}  # noqa: PLR2004 - bits
    return Layout((width, height), (width, height), plain=plain, exif=exif, icc=icc)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Walk all chunks up to IEND; the content of pixel chunks is not copied."""
    at = 8
    for _ in range(MOST_BLOCKS):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if at + 12 + length > len(data):
            raise cut_off("a PNG chunk goes past the end, or IEND is missing")
        wanted = name in _PNG_PACKED or name == b"eXIf"
        yield name, data[at + 8 : at + 8 + length] if wanted else b""
        at += 12 + length
        if name == b"IEND":
            return
    raise damaged("it has too many chunks")


def _packed_part(name: bytes, body: bytes) -> bytes:
    """Give the compressed part of a chunk, which follows its keyword and method."""
    after = body.partition(b"\0")[2]
    if name != b"iTXt":
        return after[1:]
    if after[:1] != b"\1":
        return b""
    return after[2:].partition(b"\0")[2].partition(b"\0")[2]


def _unfold(packed: bytes, limit: int) -> bytes:
    """Decompress up to a limit; a broken stream is as if it were not there."""
    unpacker = zlib.decompressobj()
    try:
        unfolded = unpacker.decompress(packed, limit)
    except zlib.error:
        return b""
    if unpacker.unconsumed_tail:
        raise _unfolds_too_far(limit)
    return unfolded


def _unfolds_too_far(limit: int) -> PictureTooLarge:
    return PictureTooLarge(
        f"A compressed chunk of the PNG unfolds to more than {limit} bytes.",
        actual=limit + 1,
        limit=limit,
        unit="bytes",
    )


def webp_layout(data: bytes) -> Layout:
    """Read the chunks of a WebP; its first chunk tells which of three kinds it is."""
    if 8 + int.from_bytes(data[4:8], "little") > len(data):
        raise cut_off("it is shorter than its RIFF header says")
    size_wh, raster_wh, plain, exif, icc = (0, 0), (0, 0), True, b"", b""
    for name, body in _webp_chunks(data):
        if name == b"VP8X" and len(body) >= 10:  # noqa: PLR2004 - flags and canvas
            size_wh = (_u24(body, 4) + 1, _u24(body, 7) + 1)
            plain = plain and not body[0] & 0b0001_0010  # alpha, animation
        elif name == b"VP8 ":
            raster_wh = larger(raster_wh, _lossy_size(body))
        elif name == b"VP8L":
            raster_wh = larger(raster_wh, _lossless_size(body))
            plain = plain and not body[4:5] > b"\x0f"  # the alpha bit and the version's
        elif name == b"ANMF" and len(body) >= 12:  # noqa: PLR2004 - offsets and size of a frame
            raster_wh = larger(raster_wh, (_u24(body, 6) + 1, _u24(body, 9) + 1))
        elif name == b"EXIF":
            exif = body
        elif name == b"ICCP":
            icc = body
    size_wh = size_wh if size_wh != (0, 0) else raster_wh
    return Layout(size_wh, larger(size_wh, raster_wh), plain=plain, exif=exif, icc=icc)


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at, end = 12, 8 + int.from_bytes(data[4:8], "little")
    for _ in range(MOST_BLOCKS):
        if at + 8 > end:
            return
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    raise damaged("it has too many chunks")


def _u24(body: bytes, at: int) -> int:
    return int.from_bytes(body[at : at + 3], "little")


def _lossy_size(body: bytes) -> tuple[int, int]:
    if body[3:6] != b"\x9d\x01\x2a" or len(body) < 10:  # noqa: PLR2004 - start code and size
        raise damaged("its VP8 frame has no start code")
    width, height = struct.unpack_from("<HH", body, 6)
    return width & 0x3FFF, height & 0x3FFF


def _lossless_size(body: bytes) -> tuple[int, int]:
    if body[:1] != b"\x2f" or len(body) < 5:  # noqa: PLR2004 - signature and size
        raise damaged("its VP8L frame has no signature")
    bits = int.from_bytes(body[1:5], "little")
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def gif_layout(data: bytes) -> Layout:
    """Read a GIF up to its first frame, which may reach beyond the canvas."""
    if len(data) < 13:  # noqa: PLR2004 - the logical screen
        raise cut_off("its logical screen is not whole")
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + _colour_table_bytes(flags)
    for _ in range(MOST_BLOCKS):
        kind = data[at : at + 1]
        if kind == b"\x2c" and at + 10 <= len(data):
            left, top, wide, high = struct.unpack_from("<HHHH", data, at + 1)
            extent = (max(width, left + wide), max(height, top + high))
            return Layout((width, height), extent)
        if kind != b"\x21":
            break
        at = _after_sub_blocks(data, at + 2)
    raise damaged("it has no frame") if data[at : at + 1] else cut_off("it has no frame")


def _colour_table_bytes(flags: int) -> int:
    return 3 << (flags & 0b111) + 1 if flags & 0x80 else 0


def _after_sub_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1


def bmp_layout(data: bytes) -> Layout:
    """Read the header of a BMP; a negative height means rows from the top."""
    if len(data) < 26:  # noqa: PLR2004 - the shortest header
        raise cut_off("its header is not whole")
    header_bytes = int.from_bytes(data[14:18], "little")
    if header_bytes < 40:  # noqa: PLR2004 - OS/2 stores 16 bit sizes
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        return Layout((width, height), (width, height))
    if len(data) < 34:  # noqa: PLR2004 - up to the compression
        raise cut_off("its header is not whole")
    width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    size_wh = (abs(width), abs(height))
    return Layout(size_wh, size_wh, plain=bits == 24 and compression == 0)  # noqa: PLR2004 - bits
