"""Where tiles lie, and what a detector that looks at them finds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from embedding_pipeline.domain.description import DetectorDescription
from embedding_pipeline.domain.entries import Detection
from embedding_pipeline.models.joined_detector import TILES_AT_ONCE, joined
from embedding_pipeline.models.tiling import counted, tiles_of, whole_in, whole_in_any
from embedding_pipeline.pipeline.levels import least_side
from embedding_pipeline.ports.models import Detector
from support.models_fakes import LABELS, fake_description

HOW = replace(fake_description().detector, input_size=64, score_floor=0.2, join_iou=0.5, tiles=16)


class BlobDetector:
    """Finds every bright square of which the network's input still has ``seen`` pixels.

    Args:
        description: as it is run.
        seen: pixels of a side that it needs; a picture is shrunk to the input size, as it would
            be.
        calls: sizes of every picture of every call, shared by all runs.
    """

    def __init__(
        self,
        description: DetectorDescription,
        seen: float = 0.0,
        calls: list[list[tuple[int, int]]] | None = None,
    ) -> None:
        self.description = description
        self.labels = LABELS
        self.seen = seen
        self.calls = [] if calls is None else calls

    def described(self, description: DetectorDescription) -> Detector:
        """The same with another description."""
        return BlobDetector(description, self.seen, self.calls)

    def detect(self, images: list[NDArray[np.uint8]]) -> list[tuple[tuple[Detection, ...], bool]]:
        """One detection a brightness, around all that has it."""
        self.calls.append([(image.shape[1], image.shape[0]) for image in images])
        return [(self._found(image), False) for image in images]

    def _found(self, image: NDArray[np.uint8]) -> tuple[Detection, ...]:
        scale = min(1.0, self.description.input_size / max(image.shape[:2]))
        boxes = []
        for value in np.unique(image[image > 0]):
            ys, xs = np.nonzero(image[..., 0] == value)
            box = (float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1))
            if min(box[2] - box[0], box[3] - box[1]) * scale >= self.seen:
                boxes.append(Detection(box, "dog", 0.9))
        return tuple(boxes)


def picture(size_wh: tuple[int, int], *boxes: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Dark, with rectangles of brightness 101, 102, ..."""
    image = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    for number, (x1, y1, x2, y2) in enumerate(boxes, start=101):
        image[y1:y2, x1:x2] = number
    return image


def found(how: DetectorDescription, seen: float, image: NDArray[np.uint8]) -> list[Detection]:
    """What the joined detector finds."""
    [(detections, truncated)] = joined(BlobDetector(how, seen), how).detect([image])
    assert not truncated
    return list(detections)


@pytest.mark.parametrize(
    ("size_wh", "most"),
    [
        pytest.param((64, 64), 16, id="as large as the input"),
        pytest.param((95, 40), 16, id="hardly larger than the input"),
        pytest.param((1, 1), 16, id="one pixel"),
        pytest.param((400, 400), 0, id="none wanted"),
        pytest.param((400, 400), 1, id="one would be the whole"),
    ],
)
def test_no_tiles_where_they_show_nothing_new(size_wh: tuple[int, int], most: int) -> None:
    """A picture that is seen nearly as large already has none."""
    assert tiles_of(size_wh, 64, 64, most) == []


def test_no_tiles_where_another_run_sees_as_much() -> None:
    """At 200 pixels a run at 160 sees nearly what tiles do."""
    assert tiles_of((200, 150), 64, 64, 16)
    assert tiles_of((200, 150), 64, 160, 16) == []


@pytest.mark.parametrize("size_wh", [(200, 150), (150, 200), (300, 40), (999, 64), (5000, 3001)])
@pytest.mark.parametrize("most", [2, 4, 9, 16])
def test_tiles_cover_the_picture_and_overlap(size_wh: tuple[int, int], most: int) -> None:
    """No more than wanted; every pixel is in one, and a fifth of a tile is whole in one."""
    tiles = tiles_of(size_wh, 64, 64, most)
    assert len(tiles) <= most
    if not tiles:
        assert most < 4  # two tiles of a picture that is not long are nearly the picture
        return
    assert len(set(tiles)) == len(tiles)
    assert all(
        0 <= x1 < x2 <= size_wh[0] and 0 <= y1 < y2 <= size_wh[1] for x1, y1, x2, y2 in tiles
    )
    side = max(tiles[0][2] - tiles[0][0], tiles[0][3] - tiles[0][1])
    small = side // 5 - 2 * (side // 100 + 2)
    rng = np.random.default_rng(5)
    corners = rng.integers(0, np.maximum(1, np.array(size_wh) - small), (200, 2)).astype(float)
    boxes = np.concatenate((corners, np.minimum(corners + max(1, small), size_wh)), axis=1)
    assert whole_in_any(boxes, tiles, size_wh).all()


def test_only_inner_edges_cut() -> None:
    """A box at the picture's own edge is whole, one at a tile's inner edge may not be."""
    boxes = np.array([(0, 0, 9, 9), (90, 0, 100, 9), (0, 90, 9, 99.5), (50, 50, 98, 98)], float)
    assert whole_in(boxes, (0, 0, 100, 100), (200, 200)).tolist() == [True, False, False, True]
    assert whole_in(boxes, (0, 0, 100, 100), (100, 100)).all()
    assert whole_in(np.zeros((0, 4)), (0, 0, 100, 100), (100, 100)).tolist() == []


def test_the_silence_of_those_who_could_see_counts() -> None:
    """A run on the whole counts from 24 pixels of its input, tiles where one has it whole."""
    boxes = np.array([(10, 10, 18, 20), (10, 10, 30, 42), (50, 0, 150, 60)], float)
    tiles = [(0, 0, 100, 100), (80, 0, 200, 100)]
    assert counted(boxes, (100, 200), tiles, (200, 100)).tolist() == [
        [False, False, True],
        [False, True, True],
        [True, True, False],
    ]
    assert counted(np.zeros((0, 4)), (100, 200), tiles, (200, 100)).shape == (0, 3)


def test_what_only_a_tile_shows_is_found() -> None:
    """Eight pixels of 400 are 1.3 in the whole picture's input, and nearly all in a tile's."""
    small = (301, 203, 309, 211)
    image = picture((400, 300), small)
    assert found(replace(HOW, tiles=0), 4, image) == []
    [one] = found(HOW, 4, image)
    assert one == Detection(tuple(map(float, small)), "dog", 0.9)


def test_what_a_tile_cuts_is_found_once_and_whole() -> None:
    """Wherever it lies, an object is one object with its own sides and an undivided score."""
    for x in range(0, 180, 7):
        box = (x, 60, x + 20, 80)
        assert found(HOW, 0, picture((200, 150), box)) == [
            Detection(tuple(map(float, box)), "dog", 0.9)
        ], x


def test_what_is_larger_than_a_tile_keeps_its_score() -> None:
    """Tiles see only pieces of it, which are dropped, and their silence says nothing."""
    box = (10, 10, 190, 140)
    assert found(HOW, 0, picture((200, 150), box)) == [
        Detection(tuple(map(float, box)), "dog", 0.9)
    ]


def test_small_pictures_are_seen_as_without_tiles() -> None:
    """The same calls and the same answer."""
    image = picture((90, 60), (10, 10, 30, 30), (50, 20, 58, 28))
    answers = []
    for how in (HOW, replace(HOW, tiles=0)):
        detector = BlobDetector(how)
        answers.append((joined(detector, how).detect([image]), detector.calls))
    assert answers[0] == answers[1]
    assert len(answers[0][0][0][0]) == 2


def test_pictures_do_not_depend_on_each_other() -> None:
    """Alone or together, in any order, again: the same; with further sizes and mirrored too."""
    how = replace(HOW, further_sizes=(96,), flip=True, score_floor=0.1)
    detector = joined(BlobDetector(how, 4), how)
    images = [
        picture((400, 300), (301, 203, 309, 211), (20, 30, 120, 150)),
        picture((90, 60), (10, 10, 30, 30)),
        picture((301, 999), (40, 900, 52, 912)),
    ]
    alone = [detector.detect([image])[0] for image in images]
    assert all(objects for objects, _ in alone)
    assert detector.detect(images) == alone
    assert detector.detect(images[::-1]) == alone[::-1]


def test_few_tiles_are_looked_at_at_a_time() -> None:
    """A call gets a bounded number of pieces, none larger than the picture."""
    detector = BlobDetector(HOW)
    joined(detector, HOW).detect([picture((400, 300), (5, 5, 9, 9))])
    assert [len(call) for call in detector.calls] == [1, TILES_AT_ONCE, TILES_AT_ONCE // 2]
    assert len({size for call in detector.calls[1:] for size in call}) == 1


def test_tiles_are_cut_from_all_pixels() -> None:
    """Large pictures are not halved for a detector that looks at tiles."""
    how = replace(HOW, decode_long_side=128)
    assert (least_side(replace(how, tiles=0)), least_side(how)) == (64, 0)
