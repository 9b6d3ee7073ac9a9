"""Measurements without a measurement, for tests of tables and reports."""

from __future__ import annotations

from pathlib import Path

from embedding_pipeline.evaluation.asking import Answer, Asked
from embedding_pipeline.evaluation.labelled import LabelledPicture, LabelledSet, Problem
from embedding_pipeline.evaluation.measuring import Measurement
from embedding_pipeline.evaluation.session import Floors
from embedding_pipeline.evaluation.tallies import Tally


def sample_measurement(name: str, **tallies: Tally) -> Measurement:
    """A measurement with these tallies, one query and one problem."""
    answers = (
        Answer("k2", (0.0, 0.0, 20.0, 20.0), "cat", "cat", 0.9, right=True),
        Answer("k3", (0.0, 0.0, 20.0, 20.0), None, None, 0.4, right=False),
    )
    asked = Asked("a.png", "k1", (5.0, 5.0, 30.0, 30.0), "cat", 0.5, answers)
    return Measurement(
        name=name,
        models="detector@640 fp32 + embedder 16-d fp32",
        notice="The models are <fakes>.",
        pictures=2,
        objects=3,
        documents=4,
        tallies=tallies,
        floors=Floors([0.1, 0.2, 0.3], [0.25, 0.5, 0.9]),
        worst={"asked": (asked,), "detected": (), "image": ()},
        problems=(Problem("x<y>.png", "no picture"),),
        unknown_classes=("owl",),
        image_names={"k1": "a.png", "k2": "b.png", "k3": "gone.png"},
    )


def sample_set(folder: Path) -> LabelledSet:
    """Two pictures, one of which is there."""
    names = ("a.png", "b.png")
    return LabelledSet("yolo", tuple(LabelledPicture(name, folder / name) for name in names))
