"""The report: one HTML file with everything in it, no script and nothing from outside."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from embedding_pipeline.evaluation.catalogue import (
    MEASURES,
    Group,
    Measure,
    change_written,
    written,
)
from embedding_pipeline.evaluation.comparing import Comparison
from embedding_pipeline.evaluation.labelled import LabelledSet, Problem
from embedding_pipeline.evaluation.measuring import Measurement
from embedding_pipeline.evaluation.report_pictures import PictureShelf, worst_html
from embedding_pipeline.evaluation.report_plots import floors_svg, intervals_svg
from embedding_pipeline.evaluation.report_style import STYLE
from embedding_pipeline.evaluation.tallies import Difference, Figure
from minio_proxy.picture.header import Limits

_GROUPS: tuple[tuple[Group, str], ...] = (
    ("objects", "Objects"),
    ("crops", "Retrieval by object"),
    ("images", "Retrieval by whole picture"),
    ("answers", "Nothing like this"),
    ("index", "Index"),
    ("time", "Time"),
)
_WORST = (
    ("asked", "Marked crops asked through the search"),
    ("detected", "Indexed objects asking for others"),
    ("image", "Whole pictures"),
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_MOST_PROBLEMS = 200


def report_html(
    labelled: LabelledSet,
    rows: Sequence[Measurement],
    limits: Limits,
    comparison: Comparison | None = None,
) -> str:
    """Write the report.

    Args:
        labelled: the set; pictures of the worst queries are read from it again.
        rows: one measurement a column of the table; the first one's worst queries are shown,
            and the second one's where two are compared.
        limits: of pictures' size and pixels.
        comparison: of two rows, or None.

    Returns:
        The whole document.
    """
    by_name = {picture.name: picture for picture in labelled.pictures}
    shown = rows[:2] if comparison else rows[:1]
    shelves = [PictureShelf(by_name, row.image_names, limits) for row in shown]
    body = [
        _head(labelled, rows),
        _difference(comparison) if comparison else "",
        *(_group(group, title, rows) for group, title in _GROUPS),
        *(_floors(row) for row in shown),
        *(_worst(row, shelf) for row, shelf in zip(shown, shelves, strict=True)),
        _problems(rows),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Boxseek evaluation</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _head(labelled: LabelledSet, rows: Sequence[Measurement]) -> str:
    keys = "".join(
        f'<li><span class="key bar{number % 4}">{number + 1}</span>'
        f"<div><b>{escape(row.name)}</b><br>"
        f"{escape(row.models)}; {row.documents:,} documents"
        + (f'<br><em class="notice">{escape(row.notice)}</em>' if row.notice else "")
        + "</div></li>"
        for number, row in enumerate(rows)
    )
    first = rows[0]
    return (
        "<h1>Boxseek evaluation</h1>"
        f"<p>{first.pictures:,} pictures indexed, {first.objects:,} marked objects, read "
        f"as {labelled.form}. 95 % bootstrap intervals; the pictures are resampled.</p>"
        f'<ol class="keys">{keys}</ol>'
    )


def _group(group: Group, title: str, rows: Sequence[Measurement]) -> str:
    figures = [row.figures() for row in rows]
    measures = [m for m in MEASURES if m.group == group and any(m.key in one for one in figures)]
    if not measures:
        return ""
    columns = "".join(
        f'<th scope="col"><span class="key bar{n % 4}">{n + 1}</span></th>'
        for n in range(len(rows))
    )
    lines = "".join(
        f'<tr><th scope="row">{escape(m.title)}<small>{escape(m.meaning)}</small></th>'
        f"<td>{next(one[m.key].items for one in figures if m.key in one):,}</td>"
        + "".join(f"<td>{_cell(m, one.get(m.key))}</td>" for one in figures)
        + "</tr>"
        for m in measures
    )
    plots = "".join(
        intervals_svg([m for m in measures if m.unit == unit], rows)
        for unit in ("percent", "number", "ms")
    )
    return (
        f"<section><h2>{title}</h2>{plots}<div class='wide'><table><thead><tr>"
        f'<th scope="col">measure</th><th scope="col">n</th>{columns}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div></section>"
    )


def _cell(measure: Measure, figure: Figure | None) -> str:
    if figure is None:
        return "-"
    low, high = written(measure, figure.low), written(measure, figure.high)
    return f"<b>{written(measure, figure.value)}</b><small>{low} to {high}</small>"


def _difference(comparison: Comparison) -> str:
    lines = "".join(
        f'<tr><th scope="row">{escape(m.title)}</th>'
        f"{_change(m, comparison.differences[m.key])}</tr>"
        for m in MEASURES
        if m.key in comparison.differences
    )
    return (
        "<section><h2>Difference, 2 less 1</h2><p>Paired: both are resampled with the same "
        "pictures. An interval without 0 is a difference that such pictures would show again.</p>"
        '<div class="wide"><table><thead><tr><th scope="col">measure</th>'
        '<th scope="col">difference</th><th scope="col">interval</th>'
        '<th scope="col"></th></tr></thead>'
        f"<tbody>{lines}</tbody></table></div></section>"
    )


def _change(measure: Measure, found: Difference) -> str:
    low, high = change_written(measure, found.low), change_written(measure, found.high)
    return (
        f"<td><b>{change_written(measure, found.value)}</b></td><td>{low} to {high}</td>"
        f"<td>{found.verdict(more_is_better=measure.more_is_better)}</td>"
    )


def _floors(row: Measurement) -> str:
    plot = floors_svg(row.floors)
    if not plot:
        return ""
    return (
        f"<section><h2>What a score floor would do: {escape(row.name)}</h2><p>"
        '<span class="key line0"></span> queries whose class is not in the index, answered by '
        'nothing (right) &nbsp; <span class="key line1"></span> queries with a true match, '
        f"answered by nothing (wrong)</p>{plot}</section>"
    )


def _worst(row: Measurement, shelf: PictureShelf) -> str:
    parts = [
        f"<h3>{title}</h3>{worst_html(row.worst[kind], shelf)}"
        for kind, title in _WORST
        if row.worst.get(kind)
    ]
    if not parts:
        return ""
    return (
        f"<section><h2>Worst queries: {escape(row.name)}</h2><p>What was asked for, then the first "
        "ten answers: what each really shows, and its score.</p>" + "".join(parts) + "</section>"
    )


def _problems(rows: Sequence[Measurement]) -> str:
    problems = list(dict.fromkeys(problem for row in rows for problem in row.problems))
    unknown = sorted({label for row in rows for label in row.unknown_classes})
    if not problems and not unknown:
        return ""
    more = len(problems) - _MOST_PROBLEMS
    lines = "".join(_problem(one) for one in problems[:_MOST_PROBLEMS])
    rest = f"<li>... and {more:,} more</li>" if more > 0 else ""
    classes = (
        f"<p>Marked classes that the detector does not know: {escape(', '.join(unknown))}</p>"
        if unknown
        else ""
    )
    return f"<section><h2>Not used: {len(problems):,}</h2>{classes}<ul>{lines}{rest}</ul></section>"


def _problem(problem: Problem) -> str:
    return f"<li>{escape(problem.where)}: {escape(problem.reason)}</li>"
