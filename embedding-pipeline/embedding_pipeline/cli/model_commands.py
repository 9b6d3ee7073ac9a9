"""``boxseek models``: what weights there are, and fetching others ahead of time."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from embedding_pipeline.errors import UnknownModel, WeightsNotFound
from embedding_pipeline.models.choose import Chooser, packaged_detector, packaged_embedder
from embedding_pipeline.models.downloads import DownloadProgress
from embedding_pipeline.models.sources import (
    DEFAULT_DETECTOR,
    DEFAULT_EMBEDDER,
    Source,
    check_detector_name,
    detector_source,
    embedder_source,
)
from embedding_pipeline.models.weights import EMBEDDER_SUFFIX, Weights, WeightsFolder
from embedding_pipeline.settings import Settings

TOLD_EVERY = 0.1
"""A line a tenth of a download."""


@dataclass(frozen=True, slots=True)
class ModelRow:
    """Weights that can be loaded without a hub.

    Args:
        name: the model's.
        role: ``detector`` or ``embedder``.
        origin: ``local`` or ``packaged``.
        sha256: of the file.
        path: of the file.
    """

    name: str
    role: str
    origin: str
    sha256: str
    path: str


def show_models(settings: Settings, *, as_json: bool) -> int:
    """Print the weights on this machine, and what the defaults are."""
    rows = list(_rows(settings))
    for row in rows:
        _print(row, as_json=as_json)
    if not as_json:
        print(
            f"A new index takes BOXSEEK_DETECTOR={settings.detector or DEFAULT_DETECTOR} and "
            f"BOXSEEK_EMBEDDER={settings.embedder or DEFAULT_EMBEDDER}, "
            f"BOXSEEK_MODELS={settings.models}."
        )
    return 0


def pull_models(settings: Settings, names: Sequence[str]) -> int:
    """Download weights by name into the local folder; no names mean both defaults.

    Raises:
        UnknownModel: neither Ultralytics nor timm knows the name.
        WeightsNotFound: the hub cannot be reached or does not have it.
    """
    wanted = names or (
        settings.detector or DEFAULT_DETECTOR,
        settings.embedder or DEFAULT_EMBEDDER,
    )
    chooser = Chooser(settings, WeightsFolder.of(settings), _Teller())
    for name in wanted:
        pulled = chooser.local_or_hub(_source(name, settings))
        print(f"{pulled.name}  {pulled.origin}  {pulled.sha256}  {pulled.path}")
    return 0


def show_one_model(settings: Settings, name: str) -> int:
    """Print where a model's weights are, or from where they would come.

    Raises:
        UnknownModel: neither Ultralytics nor timm knows the name.
    """
    found = [row for row in _rows(settings) if name in {row.name, row.name.partition(".")[0]}]
    for row in found:
        _print(row, as_json=False)
    if not found:
        source = _source(name, settings)
        print(f"{source.name} is not on this machine; boxseek models pull {name} fetches")
        print(source.remote.url)
    return 0


class _Teller:
    """Tells of downloads in steps on standard error."""

    def __init__(self) -> None:
        self._told = -1.0

    def __call__(self, progress: DownloadProgress) -> None:
        share = progress.done_bytes / progress.total_bytes if progress.total_bytes else 0.0
        if share >= 1 or share - self._told >= TOLD_EVERY:
            self._told = 0.0 if share >= 1 else share
            print(
                f"{progress.name}: {progress.done_bytes / 1e6:.1f} MB, {share:.0%}",
                file=sys.stderr,
                flush=True,
            )


def _rows(settings: Settings) -> Iterator[ModelRow]:
    folder = WeightsFolder.of(settings)
    for path in folder.files():
        role = "embedder" if path.suffix == EMBEDDER_SUFFIX else "detector"
        name = path.parent.name if path.name == f"model{EMBEDDER_SUFFIX}" else path.stem
        yield ModelRow(name, role, "local", folder.verified(path), str(path))
    for role, packaged in (("detector", packaged_detector), ("embedder", packaged_embedder)):
        try:
            yield _packaged_row(role, packaged(folder))
        except WeightsNotFound as exc:
            print(exc.message, file=sys.stderr)


def _packaged_row(role: str, weights: Weights) -> ModelRow:
    return ModelRow(weights.name, role, "packaged", weights.sha256, str(weights.path))


def _source(name: str, settings: Settings) -> Source:
    """A detector where Ultralytics knows the name, else an embedder of timm."""
    try:
        check_detector_name(name.removesuffix(".pt"), settings)
    except UnknownModel:
        return embedder_source(name, settings)
    return detector_source(name, settings)


def _print(row: ModelRow, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(row)))
    else:
        print(f"{row.name:<24} {row.role:<8} {row.origin:<8} {row.sha256[:16]}  {row.path}")
