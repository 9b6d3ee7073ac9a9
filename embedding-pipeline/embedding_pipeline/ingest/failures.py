"""Every picture that is not in, from all ledgers of a data folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from embedding_pipeline.ingest.ledger import Ledger
from embedding_pipeline.ingest.source_items import State, readable

LEDGERS = "ledgers"
"""Folder below the data folder."""


@dataclass(frozen=True, slots=True)
class FailedPicture:
    """A picture of a source that is not in the index, and why.

    Args:
        source: the source's name.
        collection: that it was to be put in; None for none.
        path: inside the source, readable.
        state: failed or rejected.
        stage: list, read, decode, detect, embed, store or index.
        reason: one sentence.
        code: the error's stable code.
        retryable: the same content may work later.
    """

    source: str
    collection: str | None
    path: str
    state: str
    stage: str
    reason: str
    code: str
    retryable: bool


def failures(
    data_dir: Path,
    *,
    states: Sequence[State] = ("failed",),
    offset: int = 0,
    limit: int = 1000,
) -> list[FailedPicture]:
    """One page of what failed, by source and path.

    Args:
        data_dir: the data folder.
        states: ``failed`` (may work another time), ``rejected`` (no picture we take), or both.
        offset: skip so many.
        limit: at most so many.
    """
    return list(islice(all_failures(data_dir, states), offset, offset + limit))


def all_failures(data_dir: Path, states: Sequence[State]) -> Iterator[FailedPicture]:
    """Everything that is in one of the states, read in pages."""
    ledgers = [Ledger(path) for path in (data_dir / LEDGERS).glob("*.sqlite") if _is_ledger(path)]
    for ledger in sorted(ledgers, key=lambda one: (one.fact("source") or "", one.name)):
        source, collection = ledger.fact("source") or "", ledger.fact("collection")
        for row in ledger.with_states(states):
            yield FailedPicture(
                source=source,
                collection=collection,
                path=readable(row.path),
                state=row.state,
                stage=row.stage or "",
                reason=row.reason or "",
                code=row.code or "",
                retryable=row.retryable,
            )


def _is_ledger(path: Path) -> bool:
    return path.stem != "spool"
