"""What a label adds to a rank."""

import pytest

from embedding_pipeline.domain.entries import Candidate, LabelPreference


@pytest.mark.parametrize(
    ("label", "confidence", "expected"),
    [
        pytest.param("dog", 0.9, 0.7, id="sure"),
        pytest.param("dog", 0.6, 0.7, id="just sure"),
        pytest.param("dog", 0.3, 0.35, id="half sure"),
        pytest.param("dog", None, 0.0, id="no detector score"),
        pytest.param("cat", 0.9, 0.0, id="another label"),
        pytest.param(None, None, 0.0, id="whole picture"),
    ],
)
def test_the_bonus_grows_with_the_detectors_score(
    label: str | None, confidence: float | None, expected: float
) -> None:
    """Up to sure_from it is a share of the bonus, from there all of it."""
    assert LabelPreference("dog", 0.7, 0.6).bonus_of(label, confidence) == pytest.approx(expected)


def test_rank_score_is_score_and_bonus() -> None:
    """The score itself stays what it is."""
    one = Candidate("a-001", "dog", 0.25, 0.5)
    assert (one.score, one.rank_score) == (0.25, 0.75)
