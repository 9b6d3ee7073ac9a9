"""Whether a cheaper precision is judged by what it finds."""

from __future__ import annotations

import numpy as np
import pytest

from embedding_pipeline.models.self_check import FEWEST_QUERIES, SelfCheck, self_check

CLASSES = 8
EACH = 12


@pytest.fixture
def crops() -> tuple[np.ndarray, list[str | None], np.ndarray]:
    """Vectors in clusters, with the clusters' names, each crop of a picture of its own."""
    rng = np.random.default_rng(5)
    centers = rng.standard_normal((CLASSES, 32))
    vectors = np.repeat(centers, EACH, axis=0) + 0.5 * rng.standard_normal((CLASSES * EACH, 32))
    labels: list[str | None] = [f"class {i // EACH}" for i in range(CLASSES * EACH)]
    return vectors.astype(np.float32), labels, np.arange(CLASSES * EACH)


def test_the_same_vectors_lose_nothing(
    crops: tuple[np.ndarray, list[str | None], np.ndarray],
) -> None:
    """Equal rankings, every crop a query, and the length of vectors does not matter."""
    vectors, labels, pictures = crops
    check = self_check(vectors, vectors * 7, labels, pictures)
    assert check.queries == len(labels)
    assert check.precision[0] == check.precision[1] > 0.8
    assert check.mean_average_precision[0] == check.mean_average_precision[1]
    assert check.overlap == 1.0
    assert check.passed


def test_noise_is_noticed(crops: tuple[np.ndarray, list[str | None], np.ndarray]) -> None:
    """Vectors that have lost their classes fail."""
    vectors, labels, pictures = crops
    noise = np.random.default_rng(6).standard_normal(vectors.shape).astype(np.float32)
    check = self_check(vectors, vectors + 3 * noise, labels, pictures)
    assert check.precision[1] < check.precision[0] - 0.01
    assert not check.passed


def test_one_name_for_all_is_not_enough(
    crops: tuple[np.ndarray, list[str | None], np.ndarray],
) -> None:
    """Where every crop is a person, P@10 says nothing, and the nearest must be the same."""
    vectors, labels, pictures = crops
    noise = np.random.default_rng(7).standard_normal(vectors.shape).astype(np.float32)
    check = self_check(vectors, noise, ["person"] * len(labels), pictures)
    assert check.precision == (1.0, 1.0)
    assert check.overlap < 0.3
    assert not check.passed


def test_crops_of_one_picture_do_not_answer_each_other(
    crops: tuple[np.ndarray, list[str | None], np.ndarray],
) -> None:
    """All crops of one picture: nothing to ask, so nothing is shown."""
    vectors, labels, pictures = crops
    check = self_check(vectors, vectors, labels, np.zeros_like(pictures))
    assert (check.queries, check.overlap, check.passed) == (0, 0.0, False)


def test_whole_pictures_ask_nothing(
    crops: tuple[np.ndarray, list[str | None], np.ndarray],
) -> None:
    """A crop without a name is no query and no right answer."""
    vectors, labels, pictures = crops
    unnamed: list[str | None] = [None] * EACH + list(labels[EACH:])
    assert self_check(vectors, vectors, unnamed, pictures).queries == len(labels) - EACH


@pytest.mark.parametrize(
    ("check", "passed"),
    [
        pytest.param(SelfCheck(100, (0.5, 0.49), (0.4, 0.4), 0.9), True, id="one-point"),
        pytest.param(SelfCheck(100, (0.5, 0.489), (0.4, 0.4), 0.9), False, id="more-p"),
        pytest.param(SelfCheck(100, (0.5, 0.5), (0.4, 0.389), 0.9), False, id="more-map"),
        pytest.param(SelfCheck(100, (0.5, 0.6), (0.4, 0.5), 0.9), True, id="better"),
        pytest.param(SelfCheck(100, (0.5, 0.5), (0.4, 0.4), 0.4), False, id="other-nearest"),
        pytest.param(
            SelfCheck(FEWEST_QUERIES - 1, (0.5, 0.5), (0.4, 0.4), 1.0), False, id="too-few"
        ),
    ],
)
def test_one_point_may_be_lost(check: SelfCheck, passed: bool) -> None:
    """P@10 and mAP@10 each, on enough queries."""
    assert check.passed is passed
