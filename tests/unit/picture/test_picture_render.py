"""Thumbnails and crops: small, upright, right in colour, without anything private."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from minio_proxy.errors import InvalidBox, PictureTooLarge, UndecodablePicture
from minio_proxy.picture.decode import Limits, decode
from minio_proxy.picture.render import (
    RenderedType,
    fitted,
    render_crop,
    render_thumbnail,
    resize,
    whole_pixels,
)
from support import picture_files as files

LIMITS = Limits()
WEBP: RenderedType = "image/webp"
JPEG: RenderedType = "image/jpeg"


def _pixels(data: bytes) -> NDArray[np.uint8]:
    return decode(data, LIMITS).rgb


def _difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


@pytest.mark.parametrize("media_type", [WEBP, JPEG])
@pytest.mark.parametrize("name", ["JPEG", "PNG", "HEIC"])
@pytest.mark.parametrize("width", [40, 100, 320])
def test_a_thumbnail_looks_like_the_picture(
    name: str, width: int, media_type: RenderedType
) -> None:
    """Whatever shrinking on load was used, it is the whole picture resized."""
    source = files.gradient(641, 427)
    data = render_thumbnail(files.encoded(source, name), width, media_type, 90, LIMITS)
    assert decode(data, LIMITS).format == ("WebP" if media_type == WEBP else "JPEG")
    expected = resize(source, fitted((641, 427), width))
    assert _pixels(data).shape == expected.shape
    assert _difference(_pixels(data), expected) < 5


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "L"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_thumbnail_is_upright(orientation: int, mode: str) -> None:
    """All orientations give the same thumbnail, also when the JPEG is shrunk on load."""
    source = files.gradient(480, 320)
    stored = Image.fromarray(files.stored_as(source, orientation)).convert(mode)
    original = files.encoded(stored, "JPEG", exif=files.exif(orientation), quality=95)
    rgb = _pixels(render_thumbnail(original, 60, JPEG, 90, LIMITS))
    upright = np.asarray(Image.fromarray(source).convert(mode).convert("RGB"))
    assert _difference(rgb, resize(upright, (60, 40))) < 6


@pytest.mark.parametrize("media_type", [WEBP, JPEG])
def test_nothing_private_is_left(media_type: RenderedType) -> None:
    """EXIF, GPS, XMP and colour profiles of the original don't reach the thumbnail."""
    tags = Image.Exif()
    tags[0x010F] = "SecretCamera"
    tags.get_ifd(0x8825)[1] = "N"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    original = files.encoded(
        files.gradient(), "JPEG", exif=tags.tobytes(), icc_profile=profile, comment=b"SecretWords"
    )
    assert b"Secret" in original
    data = render_thumbnail(original, 32, media_type, 70, LIMITS)
    assert b"Secret" not in data
    with Image.open(BytesIO(data)) as image:
        assert not image.getexif()
        assert not {"exif", "icc_profile", "xmp", "comment"} & set(image.info)


def test_colours_are_converted_to_srgb() -> None:
    """A picture in another colour space looks the same without its profile."""
    lab = ImageCms.createProfile("LAB")
    broken = b"no profile at all"
    for profile in (broken, ImageCms.ImageCmsProfile(lab).tobytes()):
        original = files.encoded(files.gradient(), "PNG", icc_profile=profile)
        rgb = _pixels(render_thumbnail(original, 320, JPEG, 95, LIMITS))
        assert _difference(rgb, files.gradient()) < 8


@pytest.mark.parametrize(
    ("size_wh", "width", "expected"),
    [
        ((640, 480), 320, (320, 240)),
        ((640, 480), 640, (640, 480)),
        ((100, 50), 320, (100, 50)),
        ((1, 1), 64, (1, 1)),
        ((1, 20000), 64, (1, 256)),
        ((20000, 1), 64, (64, 1)),
        ((3000, 3), 1000, (1000, 1)),
    ],
)
def test_sizes_fit_and_are_never_enlarged(
    size_wh: tuple[int, int], width: int, expected: tuple[int, int]
) -> None:
    """At most the width and four times that in height, at least one pixel."""
    assert fitted(size_wh, width) == expected
    original = files.encoded(Image.new("RGB", size_wh, "red"), "PNG")
    for media_type in (WEBP, JPEG):
        rendered = render_thumbnail(original, width, media_type, 70, LIMITS)
        assert decode(rendered, LIMITS).size_wh == expected


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("name", ["JPEG", "PNG"])
def test_a_crop_is_the_box_of_the_upright_picture(name: str, orientation: int) -> None:
    """A crop shows what lies in the box, also when the JPEG is shrunk on load."""
    source = files.gradient(640, 400)
    stored = files.stored_as(source, orientation)
    original = files.encoded(stored, name, exif=files.exif(orientation))
    box = (320.0, 80.0, 640.0, 400.0)
    rgb = _pixels(render_crop(original, box, 64, JPEG, 95, LIMITS))
    assert rgb.shape == (64, 64, 3)
    assert _difference(rgb, resize(source[80:400, 320:640], (64, 64))) < 6


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10)),
        ((1.2, 2.7, 3.1, 4.0), (1, 2, 4, 4)),
        ((-5, -5, 500, 500), (0, 0, 100, 50)),
        ((99.9, 49.9, 100, 50), (99, 49, 100, 50)),
    ],
)
def test_boxes_are_widened_and_cut(
    box: tuple[float, float, float, float], expected: tuple[int, int, int, int]
) -> None:
    """Parts of pixels count as whole ones; what lies outside is cut away."""
    assert whole_pixels(box, (100, 50)) == expected


@pytest.mark.parametrize(
    "box",
    [
        (10, 0, 5, 10),
        (0, 10, 10, 5),
        (5, 5, 5, 9),
        (100, 0, 120, 10),
        (-20, 0, -1, 10),
        (0, 0, float("nan"), 10),
        (0, 0, float("inf"), 10),
    ],
)
def test_boxes_without_pixels_are_refused(box: tuple[float, float, float, float]) -> None:
    """Inverted, empty, outside or not finite boxes are errors that name box and size."""
    original = files.encoded(files.gradient(100, 50), "PNG")
    with pytest.raises(InvalidBox, match="100 x 50") as caught:
        render_crop(original, box, 64, WEBP, 70, LIMITS)
    assert caught.value.details["size"] == [100, 50]


def test_limits_and_damage_are_as_in_decode() -> None:
    """Too large and cut off pictures are refused here too, also when shrunk on load."""
    original = files.encoded(files.photo(800, 600), "JPEG")
    with pytest.raises(PictureTooLarge):
        render_thumbnail(original, 64, WEBP, 70, Limits(max_pixels=1000))
    with pytest.raises(UndecodablePicture, match="cut off"):
        render_thumbnail(original[: len(original) // 2], 64, WEBP, 70, LIMITS)
    with pytest.raises(UndecodablePicture, match="cut off"):
        render_crop(original[:-2], (0, 0, 800, 600), 64, WEBP, 70, LIMITS)
