"""Pixels of what OpenCV does not decode right: odd modes, alpha, palettes, CMYK, HEIC, AVIF."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageCms,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from pillow_heif import HeifImageFile

from minio_proxy.picture.formats import Format
from minio_proxy.picture.orientation import Rgb
from minio_proxy.picture.pillow_open import opened

_PLUGINS: Mapping[Format, Callable[[BytesIO], ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
    "HEIC": HeifImageFile,
}
_ALPHA_MODES = frozenset({"RGBA", "RGBa", "LA", "La", "PA"})
_MOST_OF_16_BIT = 65535


def pillow_pixels(data: bytes, name: Format, *, at_least_wh: tuple[int, int] | None = None) -> Rgb:
    """Decode the first frame to RGB as stored, with alpha over white.

    Args:
        data: the file.
        name: its format; no other is tried.
        at_least_wh: a JPEG may be decoded at 1/2, 1/4 or 1/8 that is no smaller than this.

    Returns:
        ``(H, W, 3)`` uint8.

    Raises:
        PictureError: damaged, cut off, or too large for this machine's memory.
    """
    with opened(lambda: _PLUGINS[name](BytesIO(data))) as image:
        if at_least_wh is not None:
            image.draft(None, at_least_wh)
        image.load()
        return _to_rgb(image)


def _to_rgb(image: Image.Image) -> Rgb:
    if image.mode.startswith("I;16"):
        return _from_16_bit(image)
    if image.mode in {"I", "F"}:
        return _stretched(np.asarray(image, dtype=np.float64))
    if image.mode == "CMYK":
        return np.asarray(_from_cmyk(image))
    if image.mode == "LAB":
        return np.asarray(_from_lab(image))
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        return np.asarray(_over_white(image.convert("RGBA")))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _over_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _from_16_bit(image: Image.Image) -> Rgb:
    wide = np.asarray(image).astype(np.uint32)
    gray = ((wide * 255 + _MOST_OF_16_BIT // 2) // _MOST_OF_16_BIT).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        gray[wide == transparent] = 255
    return _gray_to_rgb(gray)


def _stretched(values: NDArray[np.float64]) -> Rgb:
    """Map the values from their least to their greatest onto 0 to 255; they name no white."""
    finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(finite.min()), float(finite.max())
    if high <= low:
        return _gray_to_rgb(np.full(finite.shape, min(max(low, 0), 255), dtype=np.uint8))
    scaled = np.rint((finite - low) / (high - low) * 255)
    return _gray_to_rgb(scaled.astype(np.uint8))


def _gray_to_rgb(gray: NDArray[np.uint8]) -> Rgb:
    return np.repeat(gray[:, :, None], 3, axis=2)


def _from_cmyk(image: Image.Image) -> Image.Image:
    """Convert by the picture's own profile; without a usable one by the plain formula."""
    profile = image.info.get("icc_profile")
    converted = to_srgb(image, profile) if profile else None
    return converted or image.convert("RGB")


def _from_lab(image: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    assert converted is not None  # noqa: S101 - only None when converting in place
    return converted


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image | None:
    """Convert to sRGB by an ICC profile; None when the profile is broken or of other colours."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
