from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from embedding_pipeline.domain.description import DetectorDescription
from embedding_pipeline.pipeline import PicturePipeline, PictureTask
from embedding_pipeline.pipeline.levels import level_for, levels_of
from minio_proxy.picture.decode import decode
from minio_proxy.picture.header import Limits
from support.models_fakes import FakeDetector, FakeEmbedder
from support.picture_files import encoded, photo


class ShrinkingDetector(FakeDetector):
    """A detector whose description allows shrinking."""

    def __init__(self, long_side: int) -> None:
        super().__init__()
        self._long_side = long_side

    @property
    def description(self) -> DetectorDescription:
        """With the longer side that is kept."""
        return replace(super().description, decode_long_side=self._long_side)


def test_boxes_are_in_pixels_of_the_full_picture() -> None:
    """The detector sees a quarter of the width, its boxes are scaled back."""
    detector = ShrinkingDetector(100)
    data = encoded(photo(400, 300), "JPEG")
    with PicturePipeline(detector, FakeEmbedder(), Limits()) as pipeline:
        [result] = pipeline.run([PictureTask(data)])
    assert detector.calls == [[(75, 100, 3)]]
    assert result.checked().size_wh == (400, 300)
    assert [region.box for region in result.regions] == [
        (0, 0, 400, 300),
        (0, 0, 200, 150),
        (200, 0, 400, 150),
        (0, 150, 200, 300),
        (200, 150, 400, 300),
    ]


@pytest.mark.parametrize("long_side", [0, 100, 150])
def test_upload_and_query_by_box_cut_the_same_crop(long_side: int) -> None:
    """A stored box that is asked for again gives its very vector, with and without detection."""
    data = encoded(photo(400, 301), "JPEG")
    with PicturePipeline(ShrinkingDetector(long_side), FakeEmbedder(), Limits()) as pipeline:
        [stored] = pipeline.run([PictureTask(data)])
        boxes = tuple(region.box for region in stored.checked().regions)
        [asked] = pipeline.run([PictureTask(data, select=boxes, detect=False)])
    assert [region.box for region in asked.checked().regions] == list(boxes)
    assert (asked.vectors == stored.vectors).all()


def test_a_small_picture_is_not_shrunk() -> None:
    """The rule that large pictures need changes nothing for others."""
    data = encoded(photo(127, 95), "JPEG")
    with (
        PicturePipeline(ShrinkingDetector(100), FakeEmbedder(), Limits()) as shrinking,
        PicturePipeline(FakeDetector(), FakeEmbedder(), Limits()) as plain,
    ):
        [one], [other] = (made.run([PictureTask(data)]) for made in (shrinking, plain))
    assert one.regions == other.regions
    assert (one.vectors == other.vectors).all()


def test_large_pictures_fill_the_pixel_budget_as_decoded() -> None:
    """Eight large pictures that are decoded small are one batch."""
    detector = ShrinkingDetector(100)
    files = [encoded(photo(800, 600, seed), "JPEG") for seed in range(8)]
    with PicturePipeline(detector, FakeEmbedder(), Limits(), pixel_budget=60_000) as pipeline:
        pipeline.run([PictureTask(data) for data in files])
    assert [len(call) for call in detector.calls] == [8]


def test_a_picture_that_is_decoded_already_has_the_same_levels() -> None:
    """Its boxes are in pixels of its own size."""
    detector = ShrinkingDetector(100)
    picture = decode(encoded(Image.fromarray(np.zeros((300, 400, 3), np.uint8)), "PNG"), Limits())
    with PicturePipeline(detector, FakeEmbedder(), Limits()) as pipeline:
        [result] = pipeline.run([PictureTask(picture)])
    assert detector.calls == [[(75, 100, 3)]]
    assert result.checked().regions[4].box == (200, 150, 400, 300)


@pytest.mark.parametrize(
    ("size_wh", "least", "levels_wh"),
    [
        pytest.param((400, 300), 0, [(400, 300)], id="switched-off"),
        pytest.param((199, 300), 151, [(199, 300)], id="too-small"),
        pytest.param((401, 301), 100, [(401, 301), (200, 150), (100, 75)], id="odd"),
        pytest.param((400, 1), 50, [(400, 1)], id="a-line"),
    ],
)
def test_levels_are_halves(
    size_wh: tuple[int, int], least: int, levels_wh: list[tuple[int, int]]
) -> None:
    """As many as stay large enough; each is the mean of two by two pixels of the one before."""
    rgb = photo(*size_wh)
    levels = levels_of(rgb, least)
    assert [(level.shape[1], level.shape[0]) for level in levels] == levels_wh
    assert levels[0] is rgb
    for larger, smaller in pairwise(levels):
        height, width = smaller.shape[:2]
        blocks = larger[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3)
        assert np.abs(blocks.mean(axis=(1, 3)) - smaller).max() <= 1


@pytest.mark.parametrize(
    ("box", "width"),
    [
        pytest.param((0.0, 0.0, 400.0, 300.0), 100, id="whole"),
        pytest.param((10.0, 10.0, 210.0, 20.0), 100, id="long"),
        pytest.param((10.0, 10.0, 110.0, 20.0), 200, id="shorter"),
        pytest.param((10.0, 10.0, 60.0, 20.0), 400, id="just-enough"),
        pytest.param((10.0, 10.0, 20.0, 20.0), 400, id="small"),
        pytest.param((10.0, 10.0, 10.0, 10.0), 400, id="empty"),
    ],
)
def test_a_crop_comes_from_the_smallest_level_that_is_sharp(
    box: tuple[float, float, float, float], width: int
) -> None:
    """A box keeps 50 pixels where the picture has them."""
    levels = levels_of(photo(400, 300), 100)
    assert level_for(levels, (400, 300), box, 50).shape[1] == width
