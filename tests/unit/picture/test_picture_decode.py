"""Bytes to upright RGB: every format, mode and orientation."""

from __future__ import annotations

import contextlib
import struct
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms

from minio_proxy.errors import PictureError, PictureTooLarge, UndecodablePicture
from minio_proxy.picture.decode import Limits, Picture, decode
from support import picture_files as files

LIMITS = Limits()
FORMATS = ["JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", "AVIF", "HEIC"]


def _decoded(image: Image.Image | NDArray[Any], name: str, **options: Any) -> NDArray[np.uint8]:
    picture = decode(files.encoded(image, name, **options), LIMITS)
    _check_form(picture)
    return picture.rgb


def _check_form(picture: Picture) -> None:
    assert picture.rgb.dtype == np.uint8
    assert picture.rgb.flags.c_contiguous
    assert picture.rgb.shape == (picture.size_wh[1], picture.size_wh[0], 3)


def _difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_gives_its_pixels(name: str) -> None:
    """Red, green and blue come out in this order, in every format."""
    expected = files.gradient(64, 48)
    options = {"quality": 95} if name in {"JPEG", "WebP", "AVIF"} else {}
    rgb = _decoded(expected, name, **options)
    assert rgb.shape == (48, 64, 3)
    assert _difference(rgb, expected) < 12
    assert tuple(rgb[40, 60] // 64) == tuple(expected[40, 60] // 64)


LOSSLESS: list[tuple[str, dict[str, Any]]] = [
    ("PNG", {}),
    ("WebP", {"lossless": True}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("JPEG", {"quality": 100, "subsampling": 0}),
]


@pytest.mark.parametrize(("name", "options"), LOSSLESS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_eight_orientations_give_the_same_picture(
    name: str, options: dict[str, Any], orientation: int
) -> None:
    """Whatever way it was stored, the upright pixels are the same (JPEG nearly)."""
    upright = files.gradient(48, 32)
    stored = files.stored_as(upright, orientation)
    rgb = _decoded(stored, name, exif=files.exif(orientation), **options)
    assert rgb.shape == upright.shape
    if name == "JPEG":
        assert _difference(rgb, upright) < 3
    else:
        assert np.array_equal(rgb, upright)


@pytest.mark.parametrize("name", ["HEIC", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_heic_and_avif_are_turned_once(name: str, orientation: int) -> None:
    """Their boxes carry the orientation; it is applied once, by the codec or by us."""
    upright = files.gradient(64, 48)
    stored = Image.fromarray(files.stored_as(upright, orientation))
    rgb = _decoded(stored, name, exif=files.exif(orientation), quality=95)
    assert rgb.shape == upright.shape
    assert _difference(rgb, upright) < 12


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "YCbCr", "LAB"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    """Gray, palettes, alpha, CMYK, YCbCr and LAB of TIFF and PNG give a picture of that look."""
    image = Image.fromarray(files.gradient(64, 48))
    name = "TIFF" if mode in {"CMYK", "YCbCr", "LAB"} else "PNG"
    if mode == "LAB":
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        converted = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
    else:
        converted = image.convert(mode)
    assert converted is not None
    gray = converted if mode == "1" else image.convert("L")
    expected = gray.convert("RGB") if mode in {"1", "L", "LA"} else image
    assert _difference(_decoded(converted, name), np.asarray(expected)) < 12


@pytest.mark.parametrize("name", ["PNG", "WebP", "TIFF", "AVIF", "HEIC"])
def test_alpha_lies_over_white(name: str) -> None:
    """Transparent pixels are white, half transparent ones half white."""
    rgba = np.zeros((16, 16, 4), dtype=np.uint8)
    rgba[:, 8:12, 3] = 128
    rgba[:, 12:, 3] = 255
    options = {"lossless": True} if name == "WebP" else {}
    rgb = _decoded(rgba, name, **options)
    assert rgb[8, 2].min() > 245
    assert abs(int(rgb[8, 9, 1]) - 127) < 12
    assert rgb[8, 14].max() < 12


def test_a_transparent_palette_entry_is_white() -> None:
    """PNG and GIF palettes with a transparent entry lie over white too."""
    indices = np.zeros((8, 8), dtype=np.uint8)
    indices[:, 4:] = 1
    image = Image.fromarray(indices).convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    for name in ("PNG", "GIF"):
        rgb = _decoded(image, name, transparency=1)
        assert rgb[0, 0].tolist() == [10, 20, 30]
        assert rgb[0, 7].tolist() == [255, 255, 255]


@pytest.mark.parametrize("key", [(1, 2, 3), 77], ids=["rgb", "gray"])
def test_a_transparent_colour_is_white(key: Any) -> None:
    """PNG's single transparent colour (tRNS) without a palette lies over white."""
    image = Image.new("RGB" if isinstance(key, tuple) else "L", (4, 4), key)
    image.putpixel((0, 0), (9, 9, 9) if isinstance(key, tuple) else 9)
    rgb = _decoded(image, "PNG", transparency=key)
    assert rgb[0, 0].tolist() == [9, 9, 9]
    assert rgb[3, 3].tolist() == [255, 255, 255]


@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_16_bit_is_scaled_not_clipped(name: str) -> None:
    """65535 is white, half of it is gray, 255 is nearly black."""
    wide = np.array([[0, 255, 32768, 65535]], dtype=np.uint16)
    assert _decoded(wide, name)[0, :, 1].tolist() == [0, 1, 128, 255]


def test_floats_are_stretched_from_least_to_greatest() -> None:
    """A float TIFF names no white, so its own range is used; NaN is as 0."""
    values = np.array([[0.0, 0.5, 1.0, np.nan]], dtype=np.float32)
    assert _decoded(values, "TIFF")[0, :, 0].tolist() == [0, 128, 255, 0]
    assert _decoded(np.full((2, 2), 7, np.float32), "TIFF")[0, 0].tolist() == [7, 7, 7]


def test_cmyk_jpegs_are_not_inverted() -> None:
    """Adobe's CMYK JPEG stores inverted ink; white stays white and red red."""
    for colour in [(255, 255, 255), (255, 0, 0), (0, 0, 0), (0, 90, 200)]:
        image = Image.new("RGB", (16, 16), colour).convert("CMYK")
        rgb = _decoded(image, "JPEG", quality=95)
        assert _difference(rgb, np.full((16, 16, 3), colour, np.uint8)) < 6


def test_animations_give_their_first_frame() -> None:
    """GIF, PNG and WebP animations are their first frame."""
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "blue")]
    for name, options in (("GIF", {}), ("PNG", {}), ("WebP", {"lossless": True})):
        rgb = _decoded(frames[0], name, save_all=True, append_images=frames[1:], **options)
        assert rgb[5, 5].tolist() == [255, 0, 0]


@pytest.mark.parametrize("size_wh", [(1, 1), (1, 20000), (20000, 1)])
@pytest.mark.parametrize("name", ["PNG", "JPEG", "BMP"])
def test_extreme_shapes_are_pictures(name: str, size_wh: tuple[int, int]) -> None:
    """One pixel, and lines of 20,000, are fine."""
    image = Image.new("RGB", size_wh, "white")
    assert _decoded(image, name).shape == (size_wh[1], size_wh[0], 3)


def _valid_files() -> dict[str, bytes]:
    picture = files.photo(96, 64)
    block = files.exif(6, "2024:01:02 03:04:05")
    made = {name: files.encoded(picture, name) for name in FORMATS}
    return made | {
        "progressive": files.encoded(picture, "JPEG", progressive=True),
        "CMYK": files.encoded(Image.fromarray(picture).convert("CMYK"), "JPEG"),
        "palette": files.encoded(Image.fromarray(picture).convert("P"), "PNG"),
        "RGBA": files.encoded(Image.fromarray(picture).convert("RGBA"), "PNG"),
        "lossless": files.encoded(picture, "WebP", lossless=True, exif=block),
        "alpha": files.encoded(Image.fromarray(picture).convert("RGBA"), "WebP"),
        "deflate": files.encoded(picture, "TIFF", compression="tiff_deflate"),
        "exif": files.encoded(picture, "JPEG", exif=block),
    }


VALID = _valid_files()


@pytest.mark.parametrize("name", VALID)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 0.98])
def test_cut_off_files_are_refused(name: str, part: float) -> None:
    """One policy for every format and decoder: what is not whole is refused."""
    data = VALID[name]
    with pytest.raises(UndecodablePicture):
        decode(data[: int(len(data) * part)], LIMITS)


@pytest.mark.parametrize("name", ["JPEG", "progressive", "CMYK", "PNG", "RGBA", "WebP", "BMP"])
def test_a_missing_end_is_named(name: str) -> None:
    """Without its last two bytes a file is cut off, and the error says so."""
    with pytest.raises(UndecodablePicture, match="cut off") as caught:
        decode(VALID[name][:-2], LIMITS)
    assert caught.value.details["reason"] == "cut_off"


@pytest.mark.parametrize("name", VALID)
def test_bytes_after_the_end_do_no_harm(name: str) -> None:
    """Cameras append things; the picture is the same."""
    assert np.array_equal(
        decode(VALID[name] + b"appended" * 9, LIMITS).rgb, decode(VALID[name], LIMITS).rgb
    )


@seed(20240501)
@settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(
    name=st.sampled_from(sorted(VALID)),
    changes=st.lists(
        st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=6)), min_size=1, max_size=6
    ),
    keep=st.floats(0.05, 1),
)
def test_no_bytes_raise_anything_but_picture_errors(
    name: str, changes: list[tuple[float, bytes]], keep: float
) -> None:
    """Valid files with bytes changed or cut decode or raise a PictureError, nothing else."""
    data = bytearray(VALID[name])
    for where, new in changes:
        at = int(where * (len(data) - 1))
        data[at : at + len(new)] = new
    kept = bytes(data[: max(1, int(len(data) * keep))])
    with contextlib.suppress(PictureError):
        _check_form(decode(kept, Limits(max_pixels=10**6)))


def test_a_heic_whose_pixels_are_larger_than_it_says_is_refused() -> None:
    """A false size in the boxes does not let a large bitstream through the limit."""
    data = files.encoded(files.gradient(512, 512), "HEIC")
    said, false = struct.pack(">II", 512, 512), struct.pack(">II", 64, 64)
    assert data.count(said) == 1
    with pytest.raises(UndecodablePicture, match="cannot be decoded"):
        decode(data.replace(said, false), Limits(max_pixels=10_000))


def test_too_little_memory_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the machine has no memory for the pixels, the picture is too large for it."""

    def no_memory(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("minio_proxy.picture.decode.upright", no_memory)
    with pytest.raises(PictureTooLarge, match="memory"):
        decode(VALID["PNG"], LIMITS)


def test_decoding_is_the_same_in_many_threads() -> None:
    """Warnings' filters and decoders are shared by threads; results and filters stay the same."""
    filters = list(warnings.filters)
    names = sorted(VALID) * 4
    expected = {name: decode(VALID[name], LIMITS).rgb for name in VALID}
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda name: decode(VALID[name], LIMITS).rgb, names))
    assert all(np.array_equal(r, expected[n]) for n, r in zip(names, results, strict=True))
    assert warnings.filters == filters
