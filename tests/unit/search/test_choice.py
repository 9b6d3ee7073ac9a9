"""Which part of a query picture is searched for."""

from __future__ import annotations

import math

import pytest

from embedding_pipeline.domain.entries import Box, Detection
from embedding_pipeline.errors import InvalidQuery, NoObjectFound
from embedding_pipeline.search.choice import (
    choose,
    class_of,
    clipped_box,
    label_of,
    most_prominent,
    prominence,
)

SIZE = (200, 100)


def found(box: Box, confidence: float = 0.9, label: str = "dog") -> Detection:
    """A detection."""
    return Detection(box, label, confidence)


def test_nothing_detected_has_no_most_prominent() -> None:
    """The empty case gives None."""
    assert most_prominent((), SIZE) is None


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        pytest.param(found((50, 25, 150, 75), 0.9), found((50, 25, 150, 75), 0.4), id="confidence"),
        pytest.param(found((50, 25, 150, 75)), found((90, 45, 110, 55)), id="size"),
        pytest.param(found((75, 25, 125, 75)), found((0, 0, 50, 50)), id="centre"),
        pytest.param(found((0, 0, 200, 100), 0.5), found((90, 45, 110, 55), 0.9), id="whole"),
    ],
)
def test_prominence_grows_with_confidence_size_and_closeness(
    better: Detection, worse: Detection
) -> None:
    """Each of the three counts, other things being equal."""
    assert prominence(better, SIZE) > prominence(worse, SIZE)
    assert most_prominent((worse, better), SIZE) is better


def test_prominence_of_the_whole_picture_is_its_confidence() -> None:
    """The scale ends at the confidence: full size and centred."""
    assert prominence(found((0, 0, 200, 100), 0.8), SIZE) == pytest.approx(0.8)


def test_equally_prominent_objects_give_the_first() -> None:
    """The order of ranks decides ties, so that every run chooses alike."""
    first, second = found((0, 0, 50, 50), label="a"), found((150, 50, 200, 100), label="b")
    assert most_prominent((first, second), SIZE) is first


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        pytest.param((10, 10, 20, 20), (10, 10, 20, 20), id="inside"),
        pytest.param((-5, -5, 20, 20), (0, 0, 20, 20), id="top left out"),
        pytest.param((190, 90, 900, 900), (190, 90, 200, 100), id="bottom right out"),
        pytest.param((-1, -1, 201, 101), (0, 0, 200, 100), id="around"),
        pytest.param((0, 0, 1, 1), (0, 0, 1, 1), id="one pixel"),
    ],
)
def test_a_box_is_clipped_to_the_picture(box: Box, inside: Box) -> None:
    """What lies outside is cut off."""
    assert clipped_box(box, SIZE) == inside


@pytest.mark.parametrize(
    ("box", "problem"),
    [
        pytest.param((200, 0, 300, 50), "outside", id="right of it"),
        pytest.param((-50, -50, 0, 0), "outside", id="touches the corner"),
        pytest.param((0, 1000, 50, 2000), "outside", id="below"),
        pytest.param((20, 10, 10, 20), "inverted", id="x inverted"),
        pytest.param((10, 20, 20, 10), "inverted", id="y inverted"),
        pytest.param((10, 10, 10, 20), "inverted or empty", id="empty"),
        pytest.param((10, 10, 10.4, 20), "less than one pixel", id="too thin"),
        pytest.param((-9, 10, 0.5, 20), "less than one pixel", id="too thin inside"),
        pytest.param((math.nan, 0, 10, 10), "no number", id="nan"),
        pytest.param((0, 0, math.inf, 10), "no number", id="infinite"),
    ],
)
def test_a_senseless_box_is_refused_and_named(box: Box, problem: str) -> None:
    """The error names the parameter and says what is wrong."""
    with pytest.raises(InvalidQuery, match=problem) as caught:
        clipped_box(box, SIZE)
    assert caught.value.details["parameter"] == "box"


def test_the_given_box_wins() -> None:
    """With a box, auto and object embed that box."""
    dog = found((50, 25, 150, 75))
    for scope in ("auto", "object"):
        chosen = choose(box=(1, 2, 30, 40), scope=scope, size_wh=SIZE, objects=(dog,))
        assert chosen == (1, 2, 30, 40)


def test_auto_takes_the_most_prominent_object_else_the_whole_picture() -> None:
    """Auto always finds something to search for."""
    dog = found((50, 25, 150, 75))
    assert choose(box=None, scope="auto", size_wh=SIZE, objects=(dog,)) == dog.box_xyxy
    assert choose(box=None, scope="auto", size_wh=SIZE, objects=()) == (0, 0, 200, 100)


def test_object_insists_on_an_object() -> None:
    """Without any the answer is an error that says what to do."""
    with pytest.raises(NoObjectFound, match="scope=image"):
        choose(box=None, scope="object", size_wh=SIZE, objects=())


def test_image_takes_the_whole_picture_and_no_box() -> None:
    """A box beside scope image is a contradiction."""
    dog = found((50, 25, 150, 75))
    assert choose(box=None, scope="image", size_wh=SIZE, objects=(dog,)) == (0, 0, 200, 100)
    with pytest.raises(InvalidQuery, match="scope=image"):
        choose(box=(1, 1, 9, 9), scope="image", size_wh=SIZE, objects=(dog,))


def test_a_detections_own_box_has_its_label() -> None:
    """Any other box has none."""
    dog = found((50, 25, 150, 75))
    assert label_of((50.04, 25, 150, 75), (dog,)) == "dog"
    assert label_of((55, 25, 150, 75), (dog,)) is None


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        pytest.param((50, 25, 150, 75), "dog", id="its very box"),
        pytest.param((55, 25, 150, 75), "dog", id="much the same"),
        pytest.param((50, 25, 100, 75), "dog", id="half of it"),
        pytest.param((50, 25, 99, 75), None, id="less than half"),
        pytest.param((0, 0, 10, 10), None, id="elsewhere"),
        pytest.param((0, 0, 200, 100), None, id="the whole picture"),
    ],
)
def test_a_box_is_about_the_object_that_it_overlaps(box: Box, expected: str | None) -> None:
    """A drawn box has the class of a detection that it covers by half; other boxes have none."""
    dog = Detection((50.0, 25.0, 150.0, 75.0), "dog", 0.9)
    assert class_of(box, (dog,)) == expected
    assert class_of(box, ()) is None
