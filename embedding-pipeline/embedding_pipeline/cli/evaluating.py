"""``boxseek eval``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from embedding_pipeline.bootstrap import ModelSource, limits_of
from embedding_pipeline.cli.evaluation_progress import watching
from embedding_pipeline.cli.evaluation_tables import (
    show_comparison,
    show_measurements,
    show_problems,
)
from embedding_pipeline.evaluation.comparing import (
    BASELINES,
    IN_FORCE,
    Comparison,
    baseline_settings,
    compare,
    named_settings,
    overridden,
    run_like,
)
from embedding_pipeline.evaluation.labelled import LabelledSet
from embedding_pipeline.evaluation.measuring import Measurement, Options, measure
from embedding_pipeline.evaluation.reading import form_named, read_labelled
from embedding_pipeline.evaluation.recipes import (
    RECIPES,
    Recipe,
    recipe_models,
    recipe_settings,
)
from embedding_pipeline.evaluation.report_html import report_html
from embedding_pipeline.evaluation.results_json import results_json
from embedding_pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run of ``boxseek eval`` shall do.

    Args:
        place: the labelled set.
        form: its form; None finds it out.
        options: how much is measured.
        most_pictures: of the set, spread evenly; None for all.
        baselines: measure the seed's two ways too.
        index: where entries lie; None as the settings say.
        compare: two sides of a comparison, see named_settings; None for none.
        recipe: models, crops and split of an earlier system; the baselines are left out then.
        json_file: gets everything; ``-`` is standard output.
        html_file: gets a report.
    """

    place: Path
    form: str | None = None
    options: Options = field(default_factory=Options)
    most_pictures: int | None = None
    baselines: bool = True
    index: str | None = None
    compare: tuple[str, str] | None = None
    recipe: Recipe | None = None
    json_file: Path | None = None
    html_file: Path | None = None


def run_evaluation(settings: Settings, wanted: Wanted, models: ModelSource | None = None) -> int:
    """Measure a labelled set through the product; what is indexed elsewhere stays untouched.

    Args:
        settings: in force.
        wanted: what to do.
        models: loads the models; None takes the real ones.

    Returns:
        0, or 1 when something of the set could not be used.
    """
    settings = overridden(settings, {"index": wanted.index} if wanted.index else {})
    recipe, options = wanted.recipe, wanted.options
    if recipe is not None:
        settings, models = recipe_settings(recipe, settings), models or recipe_models(recipe)
        options = replace(recipe.options, most_queries=options.most_queries)
    labelled = read_labelled(wanted.place, form_named(wanted.form)).limited(wanted.most_pictures)
    sides = _sides(settings, wanted)
    rows: list[Measurement] = []
    with watching(sys.stderr) as watcher_of:
        for name, side in sides:
            watcher = watcher_of(name)
            alike = run_like(side, rows[0]) if rows else side
            rows.append(measure(name, alike, labelled, watcher, options=options, models=models))
    comparison = compare(rows[0], rows[1]) if wanted.compare else None
    _write(wanted, labelled, rows, comparison)
    if wanted.html_file is not None:
        page = report_html(labelled, rows, limits_of(settings), comparison)
        wanted.html_file.write_text(page, encoding="utf-8")
    return int(any(row.problems for row in rows))


def list_recipes() -> int:
    """Show every recipe: model, data, published figures."""
    table = Table()
    table.add_column("recipe", no_wrap=True)
    for title in ("what", "data", "published"):
        table.add_column(title)
    for recipe in RECIPES:
        table.add_row(recipe.name, recipe.title, recipe.data, recipe.published or "-")
    Console().print(table)
    return 0


def _sides(settings: Settings, wanted: Wanted) -> list[tuple[str, Settings]]:
    if wanted.recipe is not None:
        return [(wanted.recipe.title, settings)]
    if wanted.compare:
        sides = [named_settings(settings, text) for text in wanted.compare]
    else:
        sides = [(IN_FORCE, settings)]
    if wanted.baselines:
        sides += [(one.name, baseline_settings(settings, one)) for one in BASELINES]
    return sides


def _write(
    wanted: Wanted,
    labelled: LabelledSet,
    rows: Sequence[Measurement],
    comparison: Comparison | None,
) -> None:
    to_stdout = wanted.json_file == Path("-")
    console = Console(stderr=to_stdout)
    show_measurements(console, rows)
    if comparison:
        show_comparison(console, comparison)
    show_problems(console, rows)
    if wanted.recipe is not None and wanted.recipe.published:
        console.print(f"published: {wanted.recipe.published}")
    if wanted.json_file is not None:
        text = json.dumps(results_json(labelled, rows, comparison), indent=1)
        if to_stdout:
            print(text)
        else:
            wanted.json_file.write_text(text + "\n")
