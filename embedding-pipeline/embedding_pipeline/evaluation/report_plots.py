"""Plots of the report as SVG text: intervals side by side, and what every floor would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from embedding_pipeline.evaluation.catalogue import Measure, written
from embedding_pipeline.evaluation.measuring import Measurement
from embedding_pipeline.evaluation.session import Floors
from embedding_pipeline.evaluation.tallies import Figure

_LABELS, _WIDTH, _VALUES, _BAR = 320, 450, 90, 13
_PLOT_H, _PAD = 240, 46
_POINTS = 101


@dataclass(frozen=True, slots=True)
class Curve:
    """What floors do to the queries of one measurement.

    Args:
        floors: score floors, rising.
        right: share of unanswerable queries that each floor answers by nothing.
        wrong: share of answerable queries that it answers by nothing.
    """

    floors: tuple[float, ...]
    right: tuple[float, ...]
    wrong: tuple[float, ...]


def intervals_svg(measures: Sequence[Measure], rows: Sequence[Measurement]) -> str:
    """Bars with their intervals: a group of bars a measure, a bar a measurement.

    All measures of one plot share a scale that begins at 0.
    """
    figures = [row.figures() for row in rows]
    shown = [m for m in measures if any(m.key in one for one in figures)]
    if not shown:
        return ""
    group_h = _BAR * len(rows) + 14
    height = group_h * len(shown) + 8
    top = max(one[m.key].high for m in shown for one in figures if m.key in one) or 1.0
    parts = []
    for place, measure in enumerate(shown):
        y = place * group_h + 8
        middle = y + _BAR * len(rows) / 2 + 4
        parts.append(f'<text class="name" x="0" y="{middle:.1f}">{escape(measure.title)}</text>')
        for number, one in enumerate(figures):
            if measure.key in one:
                parts += _bar(measure, one[measure.key], number, y + number * _BAR, top)
    title = ", ".join(measure.title for measure in shown)
    return _svg(_LABELS + _WIDTH + _VALUES, height, f"Bars: {title}", parts)


def floor_curve(floors: Floors) -> Curve:
    """Shares of queries that each floor answers by nothing, from the best scores of the queries.

    A query is answered by nothing when its best answer scores below the floor.
    """
    scores = [*floors.unanswerable, *floors.answerable]
    low, high = (min(scores), max(scores)) if scores else (0.0, 1.0)
    steps = np.linspace(low, high, _POINTS)
    return Curve(
        tuple(float(step) for step in steps),
        _below(floors.unanswerable, steps),
        _below(floors.answerable, steps),
    )


def floors_svg(floors: Floors) -> str:
    """Both shares over the floor; empty without queries of both kinds."""
    if not floors.unanswerable or not floors.answerable:
        return ""
    curve = floor_curve(floors)
    width = _LABELS + _WIDTH
    left, right, bottom = _PAD, width - 12, _PLOT_H - _PAD + 12
    span = (curve.floors[-1] - curve.floors[0]) or 1.0

    def x(floor: float) -> float:
        return left + (floor - curve.floors[0]) / span * (right - left)

    def y(share: float) -> float:
        return bottom - share * (bottom - 12)

    parts = [_gridline(left, right, y(share), share) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    ticks = np.linspace(curve.floors[0], curve.floors[-1], 7)
    parts += [
        f'<text class="tick" x="{x(t):.1f}" y="{bottom + 18}" text-anchor="middle">{t:.2f}</text>'
        for t in ticks
    ]
    parts.append(
        f'<text class="tick" x="{(left + right) / 2:.1f}" y="{_PLOT_H - 2}" '
        'text-anchor="middle">score floor</text>'
    )
    for shares, kind in ((curve.right, "line0"), (curve.wrong, "line1")):
        points = " ".join(
            f"{x(f):.1f},{y(s):.1f}" for f, s in zip(curve.floors, shares, strict=True)
        )
        parts.append(f'<polyline class="{kind}" points="{points}"/>')
    told = "Share of queries answered by nothing over the score floor"
    return _svg(width, _PLOT_H, told, parts)


def _bar(measure: Measure, figure: Figure, number: int, y: float, top: float) -> list[str]:
    def x(value: float) -> float:
        return _LABELS + max(0.0, value) / top * _WIDTH

    middle = y + _BAR / 2
    value = written(measure, figure.value)
    span = f"{written(measure, figure.low)} to {written(measure, figure.high)}"
    rect = (
        f'<rect class="bar{number % 4}" x="{_LABELS}" y="{y:.1f}" height="{_BAR - 3}" '
        f'width="{max(1.0, x(figure.value) - _LABELS):.1f}">'
        f"<title>{value} ({span})</title></rect>"
    )
    line = (
        f'<line class="span" x1="{x(figure.low):.1f}" x2="{x(figure.high):.1f}" '
        f'y1="{middle - 1.5:.1f}" y2="{middle - 1.5:.1f}"/>'
    )
    text = f'<text class="value" x="{x(figure.high) + 8:.1f}" y="{middle + 3:.1f}">{value}</text>'
    return [rect, line, text]


def _gridline(left: float, right: float, y: float, share: float) -> str:
    return (
        f'<line class="grid" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="tick" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>'
    )


def _below(
    scores: Sequence[float], steps: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> tuple[float, ...]:
    if not scores:
        return (0.0,) * len(steps)
    ordered = np.sort(np.array(scores))
    shares = np.searchsorted(ordered, steps, side="left") / len(ordered)
    return tuple(float(share) for share in shares)


def _svg(width: int, height: float, told: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height:.0f}" role="img" aria-label="{escape(told)}">'
        + "".join(parts)
        + "</svg>"
    )
