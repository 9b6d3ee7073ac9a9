"""The flow of the pipeline, composed with Towhee; no other module imports it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from embedding_pipeline.pipeline.operators import Crop, Decode, Detect, Embed, Normalize
from embedding_pipeline.pipeline.work import Work


@dataclass(frozen=True, slots=True)
class Operators:
    """The five operators of the flow, in order."""

    decode: Decode
    detect: Detect
    crop: Crop
    embed: Embed
    normalize: Normalize


def compose(operators: Operators) -> Callable[[Sequence[Work]], list[Work]]:
    """Compose decode, detect, crop, embed and normalize over a batch of pictures.

    What ``window_all`` does not take and give back itself comes out as a cross product
    (towhee 1.1.3), so every crop carries its picture and rank through it; and a row that is
    empty ends the flow, so pictures without crops travel as rows without one.
    """
    pipe = _towhee_pipe()
    flow = (
        pipe.input("batch")
        .map("batch", "decoded", _step(operators.decode))
        .map("decoded", "detected", _step(operators.detect))
        .flat_map("detected", "picture", list)
        .flat_map("picture", ("owner", "rank", "crop"), _step(operators.crop))
        .window_all(("owner", "rank", "crop"), ("pictures", "vectors"), _step(operators.embed))
        .map(("pictures", "vectors"), "works", _step(operators.normalize))
        .output("works")
    )

    def run(batch: Sequence[Work]) -> list[Work]:
        works: list[Work] = flow(list(batch)).get()[0]
        return works

    return run


def compose_plainly(operators: Operators) -> Callable[[Sequence[Work]], list[Work]]:
    """The same composition in plain Python; benchmarks measure Towhee's share against it."""

    def run(batch: Sequence[Work]) -> list[Work]:
        detected = operators.detect(operators.decode(batch))
        rows = [row for work in detected for row in operators.crop(work)]
        owners, ranks, crops = zip(*rows, strict=True)
        return operators.normalize(*operators.embed(owners, ranks, crops))

    return run


def _towhee_pipe() -> Any:
    """Towhee's pipe, without the warnings that towhee 1.1.3, its last release, starts with."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from towhee import pipe  # noqa: PLC0415 - takes a second; commands start without it
    return pipe


def _step(operator: Callable[..., object]) -> Callable[..., object]:
    """The operator as a plain function: Towhee copies everything else deeply, models too."""

    def call(*values: object) -> object:
        return operator(*values)

    return call
