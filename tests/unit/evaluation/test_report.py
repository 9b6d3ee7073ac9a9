"""The report and the JSON of measurements."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embedding_pipeline.evaluation.catalogue import BY_KEY, MEASURES, change_written, written
from embedding_pipeline.evaluation.comparing import compare
from embedding_pipeline.evaluation.report_html import report_html
from embedding_pipeline.evaluation.report_plots import floor_curve, floors_svg, intervals_svg
from embedding_pipeline.evaluation.results_json import results_json
from embedding_pipeline.evaluation.session import Floors
from embedding_pipeline.evaluation.tallies import Tally
from minio_proxy.picture.header import Limits
from support.evaluation_samples import sample_measurement, sample_set

VOID = {"meta", "img", "br", "rect", "line", "polyline"}


class _Checker(HTMLParser):
    """Collects tags and addresses, and that what opens is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember the tag and its address."""
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """It must be the one that was opened last."""
        if tag not in VOID:
            assert self._open.pop() == tag

    def close(self) -> None:
        """Nothing is left open."""
        super().close()
        assert self._open == []


def _tally(value: float) -> Tally:
    tally = Tally()
    for number in range(10):
        tally.add(str(number), value)
    return tally


def test_the_report_holds_everything_and_asks_for_nothing(tmp_path: Path) -> None:
    """Well formed, escaped, no script, no address but data:, a missing picture is told."""
    for name in ("a.png", "b.png"):
        pixels = np.random.default_rng(1).integers(0, 255, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    a = sample_measurement("<A>", coverage=_tally(0.5), ms_per_picture=_tally(20.0))
    b = sample_measurement("B", coverage=_tally(0.75))
    page = report_html(sample_set(tmp_path), [a, b], Limits(), compare(a, b))
    checker = _Checker()
    checker.feed(page)
    checker.close()
    assert "script" not in checker.tags
    assert checker.sources
    assert all(source.startswith("data:image/jpeg;base64,") for source in checker.sources)
    assert "&lt;A&gt;" in page
    assert "x&lt;y&gt;.png" in page
    assert "<A>" not in page
    assert "\u2713 cat" in page
    assert "nothing marked in gone.png" in page
    assert "+25.0 points" in page
    assert "owl" in page


def test_json_has_every_figure_and_query(tmp_path: Path) -> None:
    """Plain JSON values; a measure without items is absent."""
    a = sample_measurement("A", coverage=_tally(0.5), image_p10=Tally())
    value = json.loads(json.dumps(results_json(sample_set(tmp_path), [a], compare(a, a))))
    (row,) = value["rows"]
    assert row["figures"] == {"coverage": {"value": 0.5, "low": 0.5, "high": 0.5, "items": 10}}
    assert row["worst"]["asked"][0]["answers"][0]["right"] is True
    assert row["best_scores"]["unanswerable"] == [0.1, 0.2, 0.3]
    assert value["difference"]["measures"]["coverage"]["pictures"] == 10
    assert set(value["measures"]) == {measure.key for measure in MEASURES}


def test_floor_curve_counts_what_lies_below() -> None:
    """At the lowest score nothing is cut; a score at the floor passes it."""
    curve = floor_curve(Floors([0.0, 0.5], [0.5, 1.0]))
    assert (curve.floors[0], curve.right[0], curve.wrong[0]) == (0.0, 0.0, 0.0)
    middle = curve.floors.index(0.5)
    assert (curve.right[middle], curve.wrong[middle]) == (0.5, 0.0)
    assert (curve.right[-1], curve.wrong[-1]) == (1.0, 0.5)
    assert floors_svg(Floors([], [0.5])) == ""


def test_plots_without_a_figure_are_empty() -> None:
    """A measure that no measurement has is not drawn; zero has a bar of a pixel."""
    measure = BY_KEY["coverage"]
    assert intervals_svg([measure], [sample_measurement("A")]) == ""
    assert 'width="1.0"' in intervals_svg([measure], [sample_measurement("A", coverage=_tally(0))])


@pytest.mark.parametrize(
    ("key", "value", "as_value", "as_change"),
    [
        ("coverage", 0.1234, "12.3%", "+12.3 points"),
        ("asked_p10", -0.5, "-0.500", "-0.500"),
        ("ms_per_picture", 1234.5, "1,234 ms", "+1,234 ms"),
    ],
)
def test_values_are_written_with_their_unit(
    key: str, value: float, as_value: str, as_change: str
) -> None:
    """Shares in per cent, their differences in points, times in milliseconds."""
    assert written(BY_KEY[key], value) == as_value
    assert change_written(BY_KEY[key], value) == as_change
