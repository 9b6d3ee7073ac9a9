"""``boxseek eval``."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from embedding_pipeline.bootstrap import build_catalog, limits_of, real_models
from embedding_pipeline.evaluation.labelled import read_yolo
from embedding_pipeline.evaluation.measures import Share
from embedding_pipeline.evaluation.objects import Evaluation, evaluate
from embedding_pipeline.pipeline import PicturePipeline
from embedding_pipeline.settings import Settings


def run_evaluation(settings: Settings, folder: Path, *, as_json: bool) -> int:
    """Measure the index's models, or those the settings would choose; indexes nothing.

    Returns:
        0, or 1 when a picture could not be read.
    """
    pictures = read_yolo(folder)
    with closing(build_catalog(settings)) as catalog:
        active = catalog.active()
    models = real_models(settings, active.description if active else None)
    batch = settings.batch_pictures
    with (
        PicturePipeline(
            models.detector, models.embedder, limits_of(settings), batch_pictures=batch
        ) as pipeline,
        Progress(console=Console(stderr=True)) as progress,
    ):
        task = progress.add_task("pictures", total=len(pictures))
        result = evaluate(
            pipeline,
            pictures,
            batch_pictures=batch,
            advance=lambda count: progress.advance(task, count),
        )
    summary = models.description.summary()
    if as_json:
        print(json.dumps({"models": summary, **asdict(result)}))
    else:
        _show(result, summary)
    return int(bool(result.unreadable))


def _show(result: Evaluation, summary: str) -> None:
    console = Console()
    console.print(f"{result.pictures} pictures, {result.objects} marked objects; {summary}")
    table = Table("what is indexed", "objects found again", "documents")
    for way in result.ways:
        table.add_row(way.name, _percent(way.coverage), f"{way.documents:,}")
    console.print(table)
    found = result.by_marked_crop
    table = Table(f"retrieval by marked crop, {found.queries:,} queries", "P@10", "mAP@10")
    table.add_row(
        "same class in another picture",
        _number(found.precision),
        _number(found.mean_average_precision),
    )
    console.print(table)
    for path, reason in result.unreadable:
        console.print(f"not read: {path}: {reason}", markup=False)


def _percent(share: Share) -> str:
    return f"{share.value:.1%} ({share.low:.1%} to {share.high:.1%})"


def _number(share: Share) -> str:
    return f"{share.value:.3f} ({share.low:.3f} to {share.high:.3f})"
