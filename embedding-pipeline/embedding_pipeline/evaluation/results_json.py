"""Measurements as JSON for machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from embedding_pipeline.evaluation.catalogue import MEASURES
from embedding_pipeline.evaluation.comparing import Comparison
from embedding_pipeline.evaluation.labelled import LabelledSet
from embedding_pipeline.evaluation.measuring import Measurement

FORMAT = 2


def results_json(
    labelled: LabelledSet, rows: Sequence[Measurement], comparison: Comparison | None = None
) -> dict[str, Any]:
    """What was measured, as plain JSON values.

    Args:
        labelled: the set.
        rows: one measurement a row of the table.
        comparison: of two of them, or None.
    """
    value: dict[str, Any] = {
        "format": FORMAT,
        "set": {
            "form": labelled.form,
            "pictures": len(labelled.pictures),
            "problems": [asdict(problem) for problem in labelled.problems],
        },
        "measures": {
            m.key: {"title": m.title, "unit": m.unit, "meaning": m.meaning} for m in MEASURES
        },
        "rows": [_row(row) for row in rows],
    }
    if comparison is not None:
        value["difference"] = {
            "first": comparison.first.name,
            "second": comparison.second.name,
            "measures": {key: asdict(one) for key, one in comparison.differences.items()},
        }
    return value


def _row(row: Measurement) -> dict[str, Any]:
    return {
        "name": row.name,
        "models": row.models,
        "description": row.description,
        "search": row.search,
        "notice": row.notice,
        "pictures": row.pictures,
        "objects": row.objects,
        "documents": row.documents,
        "figures": {key: asdict(figure) for key, figure in row.figures().items()},
        "best_scores": asdict(row.floors),
        "worst": {kind: [asdict(one) for one in asked] for kind, asked in row.worst.items()},
        "problems": [asdict(problem) for problem in row.problems],
        "unknown_classes": list(row.unknown_classes),
    }
