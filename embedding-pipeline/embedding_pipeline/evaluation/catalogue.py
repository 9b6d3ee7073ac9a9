"""What is measured: one row for every figure, with its unit and its meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Unit: TypeAlias = Literal["percent", "number", "ms"]
Group: TypeAlias = Literal["objects", "crops", "images", "index", "answers", "time"]

K = 10
"""Ranks that count, unless a measure says otherwise."""

DEEP = 50
"""Ranks of recall: what somebody who pages a little gets to see."""

SMALLEST_SIDE = 32
"""Pixels; objects with a shorter side ask no question, as in docs/benchmarks.md."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure.

    Args:
        key: its name in JSON.
        title: what a person reads.
        group: what it belongs to.
        unit: how its value is written.
        meaning: one sentence.
        more_is_better: False where a smaller value is better; None where neither is.
    """

    key: str
    title: str
    group: Group
    unit: Unit
    meaning: str
    more_is_better: bool | None = True


_CROP_MEANING = {
    "marked": "Marked crops of at least 32 x 32 pixels ask for each other: the embedder alone.",
    "asked": "A marked box of a picture is asked through the search; indexed objects answer.",
    "archive": "The same against all that is marked: what the index lacks is missed, and a second "
    "entry on one marked object is passed over.",
    "asked_looks": "By marked crop, without the weight of the class that the settings give.",
    "asked_label": "By marked crop, with the filter on the marked class.",
    "detected": "An indexed object asks for the others through the search.",
    "detected_looks": "The same, without the weight of the class that the settings give.",
    "detected_label": "The same, with the filter on the detector's label.",
}
CROP_TITLES = {
    "marked": "marked crop among marked crops",
    "asked": "by marked crop",
    "archive": "by marked crop, of all marked",
    "asked_looks": "by marked crop, looks alone",
    "asked_label": "by marked crop, label filter",
    "detected": "by detected crop",
    "detected_looks": "by detected crop, looks alone",
    "detected_label": "by detected crop, label filter",
}


def _retrieval(kind: str, title: str, group: Group, meaning: str) -> tuple[Measure, ...]:
    right = " Right is an answer of the same class from another picture."
    return (
        Measure(f"{kind}_p10", f"{title}: P@{K}", group, "number", meaning + right),
        Measure(f"{kind}_map10", f"{title}: mAP@{K}", group, "number", meaning + right),
        Measure(f"{kind}_recall50", f"{title}: recall@{DEEP}", group, "number", meaning + right),
    )


MEASURES: tuple[Measure, ...] = (
    Measure(
        "coverage",
        "objects found again",
        "objects",
        "percent",
        "Marked objects that the index has, with the right class and IoU of at least 0.5.",
    ),
    Measure(
        "documents_per_object",
        "documents per marked object",
        "objects",
        "number",
        "Entries of objects in the index over marked objects: what coverage costs.",
        more_is_better=None,
    ),
    Measure(
        "document_precision",
        "documents that are right",
        "objects",
        "percent",
        "Entries that are a marked object, each object once; people mark less than there is, so "
        "this is a lower bound.",
    ),
    Measure(
        "label_accuracy",
        "right labels",
        "objects",
        "percent",
        "Of the entries that lie on a marked object, those with its class.",
    ),
    *(
        measure
        for kind, title in CROP_TITLES.items()
        for measure in _retrieval(kind, title, "crops", _CROP_MEANING[kind])
    ),
    *_retrieval(
        "image",
        "whole pictures",
        "images",
        "A picture that is not in the index asks for others of its class, scope image.",
    ),
    Measure(
        "image_map10_found",
        f"whole pictures: mAP@{K} of the found",
        "images",
        "number",
        "Average precision over the right answers found, whatever is missing: what earlier systems "
        "publish as mAP; compare published values with this one only.",
    ),
    Measure(
        "ann_recall10",
        f"index: recall@{K} against exact",
        "index",
        "percent",
        "Of the ten nearest entries by exact comparison, those that the index gives.",
    ),
    Measure(
        "nothing_right",
        "unanswerable, answered by nothing",
        "answers",
        "percent",
        "Queries whose class was held out of the index and that the floor in force answers by "
        "nothing.",
    ),
    Measure(
        "nothing_wrong",
        "answerable, answered by nothing",
        "answers",
        "percent",
        "Queries with a true match in another picture that the floor in force answers by nothing.",
        more_is_better=False,
    ),
    Measure(
        "ms_per_picture",
        "indexing a picture",
        "time",
        "ms",
        "From bytes to durable entries, in batches as in use; compare within one run only.",
        more_is_better=False,
    ),
    Measure(
        "ms_per_query",
        "answering a query",
        "time",
        "ms",
        "From a box or picture to the first page, one after another.",
        more_is_better=False,
    ),
)
BY_KEY = {measure.key: measure for measure in MEASURES}


def change_written(measure: Measure, value: float) -> str:
    """A difference of two values as people read it, with its sign; of shares in points."""
    if measure.unit == "percent":
        return f"{100 * value:+.1f} points"
    return f"{value:+,.0f} ms" if measure.unit == "ms" else f"{value:+.3f}"


def written(measure: Measure, value: float) -> str:
    """A value as people read it."""
    if measure.unit == "percent":
        return f"{value:.1%}"
    return f"{value:,.0f} ms" if measure.unit == "ms" else f"{value:.3f}"
