"""What a file's structure says before any pixel is decoded, in one form for every format."""

from __future__ import annotations

from dataclasses import dataclass

from minio_proxy.errors import UndecodablePicture

# A file of 64 MB can hold millions of empty blocks; no real picture has this many.
MOST_BLOCKS = 100_000


@dataclass(frozen=True, slots=True)
class Layout:
    """A picture's structure.

    Args:
        size_wh: stored width and height, before any orientation.
        raster_wh: the largest raster that decoding it allocates (a frame, a tile, a canvas).
        plain: OpenCV decodes it right: 8 bit, gray or RGB, no alpha, no animation.
        exif: its EXIF block, or empty.
        icc: its ICC profile, or empty.
        orientation: what the container itself says (1 to 8); None leaves it to EXIF.
        turned: its decoder applies the orientation by itself, so nobody else may.
    """

    size_wh: tuple[int, int]
    raster_wh: tuple[int, int]
    plain: bool = False
    exif: bytes = b""
    icc: bytes = b""
    orientation: int | None = None
    turned: bool = False


def cut_off(what: str) -> UndecodablePicture:
    """Make the one error for files that end too early."""
    return UndecodablePicture(f"The file is cut off: {what}.", reason="cut_off")


def damaged(what: str) -> UndecodablePicture:
    """Make the one error for files whose content makes no sense."""
    return UndecodablePicture(f"The picture is damaged: {what}.", reason="damaged")


def larger(one_wh: tuple[int, int], other_wh: tuple[int, int]) -> tuple[int, int]:
    """Choose the size with more pixels."""
    return max(one_wh, other_wh, key=lambda wh: wh[0] * wh[1])
