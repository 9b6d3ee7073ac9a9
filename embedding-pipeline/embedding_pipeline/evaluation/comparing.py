"""Several settings side by side: the seed's two ways, and A against B."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationError

from embedding_pipeline.evaluation.catalogue import MEASURES
from embedding_pipeline.evaluation.measuring import Measurement
from embedding_pipeline.evaluation.tallies import Difference, difference
from embedding_pipeline.settings import Settings
from minio_proxy.errors import SettingsError

IN_FORCE = "settings in force"
_BETWEEN = re.compile(r",(?=\s*[A-Za-z][A-Za-z0-9_]*=)")
_PREFIX = "boxseek_"


@dataclass(frozen=True, slots=True)
class Baseline:
    """How an earlier system did it, as settings of this one.

    Args:
        name: what a person reads.
        settings: by name; the rest stays as it is in force, so that models and machine are the
            same.
    """

    name: str
    settings: Mapping[str, object]


PLAIN_SEARCH: Mapping[str, object] = {"label_weight": 0.0, "fold": False, "min_score": -1.0}
"""A search by looks alone, without a floor and without folding."""

PLAIN_MODELS: Mapping[str, object] = {
    "quality": "plain",
    "further_sizes": "",
    "detector_flip": False,
    "detector_tiles": 0,
    "flip_average": False,
    "pooling": "own",
    "class_agnostic_iou": 0.0,
    "min_side": 0.0,
    "dimensions": 0,
}
"""One run of the detector, the embedder's own vectors."""

_ARTICLE: Mapping[str, object] = {
    **PLAIN_SEARCH,
    **PLAIN_MODELS,
    "detector_input_size": 640,
    "score_floor": 0.5,
    "nms_iou": 0.7,
    "max_objects": 300,
    "crop_rule": "squash",
    "min_score": -0.3,
}
"""What the seed's article describes: YOLO's own input size, every detection above 0.5, crops
stretched to a square, and a floor of its search that cuts nothing."""

BASELINES = (
    Baseline("the seed's article: every detection above 0.5, squashed crop", _ARTICLE),
    Baseline(
        "the seed's code: the best detection above 0.5, one picture at a time",
        {**_ARTICLE, "max_objects": 1, "batch_pictures": 1},
    ),
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two measurements of one set.

    Args:
        first: A.
        second: B.
        differences: by key of the catalogue, B less A, on the pictures that both have.
    """

    first: Measurement
    second: Measurement
    differences: dict[str, Difference]


def compare(first: Measurement, second: Measurement) -> Comparison:
    """Every measure that both have, with the paired difference."""
    shared = [m.key for m in MEASURES if m.key in first.tallies and m.key in second.tallies]
    found = {key: difference(first.tallies[key], second.tallies[key]) for key in shared}
    return Comparison(first, second, {key: one for key, one in found.items() if one.pictures})


def baseline_settings(settings: Settings, baseline: Baseline) -> Settings:
    """The settings of a baseline on top of those in force."""
    return overridden(settings, baseline.settings)


def run_like(settings: Settings, first: Measurement) -> Settings:
    """Settings with the runtime and precision that the first measurement settled on.

    What computes the models is settled by measuring, which a busy machine can upset; a difference
    shall come from what differs. What the settings name stays, and so does everything where
    detector and embedder run differently or another embedder is named.
    """
    how = first.description
    if not how or how["detector"]["runtime"] != how["embedder"]["runtime"]:
        return settings
    named = settings.embedder.removeprefix("random:").partition(".")[0]
    if named and named not in how["embedder"]["name"]:
        return settings
    found = {name: how["embedder"][name] for name in ("runtime", "precision")}
    given = settings.model_fields_set
    return overridden(settings, {name: one for name, one in found.items() if name not in given})


def named_settings(settings: Settings, text: str) -> tuple[str, Settings]:
    """The settings that one side of ``--compare`` names.

    Args:
        settings: in force.
        text: a file of settings (``.env`` form), ``NAME=VALUE,NAME=VALUE``, or nothing for the
            settings in force; names with or without BOXSEEK_.

    Returns:
        What a person calls them, and the settings.

    Raises:
        SettingsError: no such file, an unknown name, or a value that cannot work.
    """
    text = text.strip()
    if not text:
        return IN_FORCE, settings
    if "=" in text and not Path(text).is_file():
        pairs = [part.partition("=") for part in _BETWEEN.split(text)]
        return text, overridden(settings, {name.strip(): value for name, _, value in pairs})
    if not Path(text).is_file():
        raise SettingsError(f"{text} is neither a file of settings nor NAME=VALUE,NAME=VALUE")
    values = {name: value for name, value in dotenv_values(text).items() if value is not None}
    return Path(text).name, overridden(settings, values)


def overridden(settings: Settings, changes: Mapping[str, object]) -> Settings:
    """Settings with these changes, checked as those from the environment are.

    Raises:
        SettingsError: an unknown name, or a value that cannot work.
    """
    named: dict[str, Any] = {}
    for name, value in changes.items():
        field = name.lower().removeprefix(_PREFIX)
        if field not in Settings.model_fields:
            raise SettingsError(f"there is no setting {name}")
        named[field] = value
    kept = {name: getattr(settings, name) for name in settings.model_fields_set}
    try:
        return Settings(**{**kept, **named})
    except ValidationError as exc:
        first = exc.errors()[0]
        place = "_".join(str(part) for part in first["loc"]).upper()
        raise SettingsError(f"{place}={first['input']!r}: {first['msg']}") from exc
