"""Which picture formats Boxseek takes, told by their first bytes and never by their name."""

from __future__ import annotations

from typing import Literal, TypeAlias

Format: TypeAlias = Literal["JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", "AVIF", "HEIC"]

MEDIA_TYPES: dict[Format, str] = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WebP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
    "HEIC": "image/heic",
}

_SIGNATURES: tuple[tuple[bytes, Format], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
_GENERAL_BRANDS = frozenset({b"mif1", b"msf1"})  # any codec; libheif finds out
# Sizes of the BMP headers that exist; two letters alone would match a lot of text.
_BMP_HEADER_SIZES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})

HEAD_BYTES = 64


def detect_format(head: bytes) -> Format | None:
    """Name the format that the first bytes tell.

    Args:
        head: the first bytes of the file; 64 are enough.

    Returns:
        The format, or None for anything that Boxseek does not take.
    """
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    if head[4:8] == b"ftyp":
        return _detect_brand(head)
    return None


def sniff(head: bytes) -> str | None:
    """Give the media type that the first 64 bytes tell, or None for no picture."""
    name = detect_format(head)
    return MEDIA_TYPES[name] if name else None


def _detect_brand(head: bytes) -> Format | None:
    """Tell AVIF from HEIC by the brands of the ftyp box; the major brand may be a general one."""
    end = min(int.from_bytes(head[:4], "big"), HEAD_BYTES, len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]
    for brand in brands:
        if brand in _AVIF_BRANDS:
            return "AVIF"
        if brand in _HEIC_BRANDS:
            return "HEIC"
    return "HEIC" if _GENERAL_BRANDS.intersection(brands) else None
