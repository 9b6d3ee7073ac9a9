"""What would be faster than what an index uses, and how to get it: pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.models.network import Precision, Way
from embedding_pipeline.models.speeds import INT8, Speed
from embedding_pipeline.models.ways import WORTH, fastest

Role = Literal["detector", "embedder"]
_PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "int8")


def used_way(description: ModelDescription, role: Role) -> Way | None:
    """How an index computes a model; None if this version knows no such precision."""
    part = description.detector if role == "detector" else description.embedder
    for precision in _PRECISIONS:
        if part.precision == precision:
            return Way(part.runtime, precision)
    return None


def advice(in_index: ModelDescription | None, found: Sequence[Speed]) -> list[str]:
    """Sentences for people.

    Args:
        in_index: description of the active index; None without one.
        found: what was measured.
    """
    lines: list[str] = []
    for role in ("detector", "embedder"):
        rates = {
            speed.way: speed.rate
            for speed in found
            if speed.role == role and speed.rate is not None
        }
        if rates and in_index is None:
            lines.extend(_without_index(role, rates))
        elif rates and in_index is not None:
            lines.extend(_with_index(role, used_way(in_index, role), rates))
    return lines


def _without_index(role: str, rates: dict[Way, float]) -> Iterator[str]:
    exact = {way: rate for way, rate in rates.items() if way != INT8}
    if exact:
        yield f"A new index would run its {role} on {fastest(exact)}, by these figures."
    if exact and INT8 in rates and rates[INT8] >= WORTH * max(exact.values()):
        yield (
            f"{INT8} would be {rates[INT8] / max(exact.values()):.1f} times as fast. It is "
            "calibrated on your own pictures: BOXSEEK_PRECISION=int8 boxseek ingest FOLDER."
        )


def _with_index(role: str, used: Way | None, rates: dict[Way, float]) -> Iterator[str]:
    yield (
        f"The index runs its {role} on {used}: settled when it was made, because an index holds "
        "vectors and boxes of one way only."
    )
    best = fastest({way: rates[way] for way in sorted(rates, key=lambda way: way != used)})
    if used not in rates:
        yield f"It cannot be measured here; {best} is the fastest that can."
    elif best != used and rates[best] >= WORTH * rates[used]:
        wish = f"BOXSEEK_RUNTIME={best.runtime} BOXSEEK_PRECISION={best.precision}"
        yield (
            f"{best} would be {rates[best] / rates[used]:.1f} times as fast here: "
            f"{wish} boxseek reindex makes the index anew (the old one serves meanwhile)."
        )
