from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from minio_proxy.picture.decode import decode
from minio_proxy.picture.header import Limits
from support.picture_files import encoded, exif, photo

LIMITS = Limits()


@pytest.mark.parametrize(
    ("size_wh", "long_side", "decoded_wh"),
    [
        pytest.param((400, 300), 0, (400, 300), id="switched-off"),
        pytest.param((400, 300), 201, (400, 300), id="would-be-too-small"),
        pytest.param((400, 300), 200, (200, 150), id="half"),
        pytest.param((300, 400), 100, (75, 100), id="quarter-on-end"),
        pytest.param((801, 33), 100, (101, 5), id="eighth-odd"),
        pytest.param((4000, 16), 10, (500, 2), id="no-less-than-an-eighth"),
    ],
)
def test_a_large_jpeg_is_decoded_smaller(
    size_wh: tuple[int, int], long_side: int, decoded_wh: tuple[int, int]
) -> None:
    """Its longer side keeps what is asked for; its size is still said in full."""
    picture = decode(encoded(photo(*size_wh), "JPEG"), LIMITS, long_side=long_side)
    assert picture.size_wh == size_wh
    assert (picture.rgb.shape[1], picture.rgb.shape[0]) == decoded_wh
    assert picture.rgb.flags.c_contiguous


@pytest.mark.parametrize("name", ["PNG", "WebP", "BMP"])
def test_other_formats_are_decoded_in_full(name: str) -> None:
    """Only JPEG can be decoded smaller at less cost."""
    picture = decode(encoded(photo(400, 300), name), LIMITS, long_side=50)
    assert picture.rgb.shape == (300, 400, 3)
    assert picture.size_wh == (400, 300)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_shrunk_picture_is_upright(orientation: int) -> None:
    """It shows what the full one shows, whatever the camera's position."""
    data = encoded(photo(400, 300), "JPEG", quality=95, exif=exif(orientation))
    full, small = decode(data, LIMITS), decode(data, LIMITS, long_side=100)
    assert small.size_wh == full.size_wh
    resized = Image.fromarray(full.rgb).resize(
        (small.rgb.shape[1], small.rgb.shape[0]), Image.Resampling.BOX
    )
    difference = np.abs(np.asarray(resized).astype(int) - small.rgb.astype(int))
    assert difference.mean() < 3


def test_a_shrunk_cmyk_picture_is_rgb() -> None:
    """What OpenCV does not decode right is shrunk by Pillow."""
    data = encoded(Image.fromarray(photo(400, 300)).convert("CMYK"), "JPEG")
    picture = decode(data, LIMITS, long_side=100)
    assert picture.rgb.shape == (75, 100, 3)
    assert picture.size_wh == (400, 300)
