"""Measurements as tables on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from embedding_pipeline.evaluation.catalogue import MEASURES, Measure, change_written, written
from embedding_pipeline.evaluation.comparing import Comparison
from embedding_pipeline.evaluation.measuring import Measurement
from embedding_pipeline.evaluation.tallies import Figure

_MOST_PROBLEMS = 20


def show_measurements(console: Console, rows: Sequence[Measurement]) -> None:
    """Every measure, a column a measurement."""
    for number, row in enumerate(rows, 1):
        console.print(f"({number}) {row.name}: {row.models}", markup=False)
        if row.notice and row.notice not in {one.notice for one in rows[: number - 1]}:
            console.print(f"    {row.notice}", markup=False)
        console.print(
            f"    {row.pictures:,} pictures, {row.objects:,} marked objects, "
            f"{row.documents:,} documents"
        )
    table = Table("95 % intervals, pictures resampled", "n")
    for number in range(1, len(rows) + 1):
        table.add_column(f"({number})", justify="right")
    figures = [row.figures() for row in rows]
    group = ""
    for measure in MEASURES:
        found = [one.get(measure.key) for one in figures]
        if not any(found):
            continue
        if group and measure.group != group:
            table.add_section()
        group = measure.group
        items = next(one.items for one in found if one)
        table.add_row(
            measure.title, f"{items:,}", *(interval(measure, one) if one else "-" for one in found)
        )
    console.print(table)


def show_comparison(console: Console, comparison: Comparison) -> None:
    """Differences with their paired intervals."""
    table = Table("(2) less (1), paired", "difference", "")
    for measure in MEASURES:
        found = comparison.differences.get(measure.key)
        if found:
            low, high = (change_written(measure, side) for side in (found.low, found.high))
            table.add_row(
                measure.title,
                f"{change_written(measure, found.value)} ({low} to {high})",
                found.verdict(more_is_better=measure.more_is_better),
            )
    console.print(table)


def show_problems(console: Console, rows: Sequence[Measurement]) -> None:
    """What could not be used: all counted, the first ones named."""
    problems = list(dict.fromkeys(problem for row in rows for problem in row.problems))
    if problems:
        console.print(f"{len(problems):,} rows, pictures or queries could not be used:")
    for problem in problems[:_MOST_PROBLEMS]:
        console.print(f"  {problem.where}: {problem.reason}", markup=False)
    if len(problems) > _MOST_PROBLEMS:
        console.print(f"  ... and {len(problems) - _MOST_PROBLEMS:,} more (--json has all)")
    unknown = sorted({label for row in rows for label in row.unknown_classes})
    if unknown:
        console.print(
            f"{len(unknown):,} marked classes are none of the detector's and cannot be found: "
            + ", ".join(unknown[:_MOST_PROBLEMS]),
            markup=False,
        )


def interval(measure: Measure, figure: Figure) -> str:
    """A figure, and below it its interval."""
    low, high = written(measure, figure.low), written(measure, figure.high)
    value = written(measure, figure.value)
    return f"{value}\n[dim]{low} to {high}[/dim]"
