"""Several runs of a detector joined: what each sees, and what comes of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from embedding_pipeline.domain.description import DetectorDescription
from embedding_pipeline.domain.entries import Detection
from embedding_pipeline.models.joined_detector import JoinedDetector, joined
from embedding_pipeline.ports.models import Detector
from support.models_fakes import LABELS, fake_description

HOW = replace(fake_description().detector, input_size=64, score_floor=0.2, join_iou=0.5)


class BrightDetector:
    """Finds the bright rectangle of a picture; its score comes from the input size.

    Args:
        description: as it is run.
        seen: input size and shape of every picture of every run, shared by all runs.
    """

    def __init__(
        self,
        description: DetectorDescription,
        seen: list[tuple[int, tuple[int, ...]]] | None = None,
    ) -> None:
        self.description = description
        self.labels = LABELS
        self.seen = [] if seen is None else seen

    def described(self, description: DetectorDescription) -> Detector:
        """The same with another description."""
        return BrightDetector(description, self.seen)

    def detect(self, images: list[NDArray[np.uint8]]) -> list[tuple[tuple[Detection, ...], bool]]:
        """One detection around what is bright."""
        found: list[tuple[tuple[Detection, ...], bool]] = []
        for image in images:
            self.seen.append((self.description.input_size, image.shape))
            ys, xs = np.nonzero(image[..., 0] > 127)
            box = (float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1))
            found.append(((Detection(box, "dog", 0.9),), False))
        return found


def picture(height: int = 40, width: int = 60) -> NDArray[np.uint8]:
    """Dark, with a bright rectangle at (10, 5, 30, 25)."""
    image = np.zeros((height, width, 3), np.uint8)
    image[5:25, 10:30] = 255
    return image


def test_one_run_is_the_detector_itself() -> None:
    """Nothing to join: nothing is wrapped."""
    detector = BrightDetector(HOW)
    assert joined(detector, replace(HOW, join_iou=0.0)) is detector


@pytest.mark.parametrize("flip", [False, True], ids=["as it is", "mirrored too"])
def test_boxes_come_back_in_pixels_of_the_picture(flip: bool) -> None:
    """Enlarged and mirrored runs agree on the rectangle, and its score stays."""
    how = replace(HOW, further_sizes=(96, 120), flip=flip)
    detector = BrightDetector(how)
    [((found,), truncated)] = joined(detector, how).detect([picture()])
    assert found.box_xyxy == pytest.approx((10, 5, 30, 25), abs=0.8)
    assert (found.label, found.confidence, truncated) == ("dog", 0.9, False)
    sizes = [size for size, _ in detector.seen]
    assert sizes == [s for s in (64, 96, 120) for _ in range(1 + flip)]


def test_runs_enlarge_up_to_twice_and_are_not_repeated() -> None:
    """A picture of 60 pixels is seen at 60, 96 and 120; 200 and 300 would be 120 again."""
    how = replace(HOW, further_sizes=(96, 200, 300))
    detector = BrightDetector(how)
    JoinedDetector(detector, how).detect([picture()])
    assert detector.seen == [(64, (40, 60, 3)), (96, (64, 96, 3)), (200, (80, 120, 3))]
    detector.seen.clear()
    JoinedDetector(detector, how).detect([picture(400, 600)])
    assert detector.seen == [(s, (400, 600, 3)) for s in (64, 96, 200, 300)]


def test_what_too_few_runs_see_falls_below_the_floor() -> None:
    """Seen by one run of three at 0.3: 0.1 is below 0.2."""
    how = replace(HOW, further_sizes=(96, 120))

    class Shy(BrightDetector):
        """Sees something at one size only."""

        def described(self, description: DetectorDescription) -> Detector:
            return Shy(description, self.seen)

        def detect(
            self, images: list[NDArray[np.uint8]]
        ) -> list[tuple[tuple[Detection, ...], bool]]:
            rare = (Detection((0.0, 0.0, 9.0, 9.0), "cat", 0.3),)
            return [(rare if self.description.input_size == 96 else (), False) for _ in images]

    assert JoinedDetector(Shy(how), how).detect([picture()]) == [((), False)]


def test_pictures_do_not_depend_on_each_other() -> None:
    """Alone or together, small or large: the same."""
    how = replace(HOW, further_sizes=(96, 200), flip=True)
    detector = JoinedDetector(BrightDetector(how), how)
    images = [picture(), picture(400, 600), picture(41, 61)]
    alone = [detector.detect([image])[0] for image in images]
    assert detector.detect(images) == alone
    assert detector.detect([]) == []


def test_small_objects_and_double_classes_are_left_out_where_wanted() -> None:
    """min_side and class_agnostic_iou work on a single run too."""

    class Two(BrightDetector):
        """A dog and a cat in one box, and a speck."""

        def described(self, description: DetectorDescription) -> Detector:
            return Two(description, self.seen)

        def detect(
            self, images: list[NDArray[np.uint8]]
        ) -> list[tuple[tuple[Detection, ...], bool]]:
            box = (0.0, 0.0, 20.0, 20.0)
            found = (
                Detection(box, "dog", 0.9),
                Detection(box, "cat", 0.5),
                Detection((30.0, 30.0, 33.0, 50.0), "car", 0.4),
            )
            return [(found, True) for _ in images]

    def names(how: DetectorDescription) -> list[str]:
        [(found, truncated)] = joined(Two(how), how).detect([picture()])
        assert truncated
        return [one.label for one in found]

    plain = replace(HOW, join_iou=0.0)
    assert names(replace(plain, min_side=4.0)) == ["dog", "cat"]
    assert names(replace(plain, class_agnostic_iou=0.9)) == ["dog", "car"]
    assert names(replace(plain, min_side=4.0, class_agnostic_iou=0.9, max_objects=1)) == ["dog"]
