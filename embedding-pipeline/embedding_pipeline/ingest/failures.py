"""Every picture that is not in, from all ledgers of a data folder."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from embedding_pipeline.errors import InvalidQuery
from embedding_pipeline.ingest.ledger import Ledger
from embedding_pipeline.ingest.source_items import State, path_bytes, readable

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


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a list of failures stands, in its order.

    Args:
        source: the source's name.
        ledger: file name of its ledger.
        path: bytes of the path inside the source; empty before the first.
    """

    source: str
    ledger: str
    path: bytes = b""


def failures(
    data_dir: Path,
    *,
    states: Sequence[State] = ("failed",),
    cursor: str = "",
    limit: int = 1000,
) -> tuple[list[FailedPicture], str | None]:
    """One page of what failed, by source and path, and the cursor of the next.

    A page neither repeats nor skips what stays failed while others come and go.

    Args:
        data_dir: the data folder.
        states: ``failed`` (may work another time), ``rejected`` (no picture we take), or both.
        cursor: of the page before; empty for the first.
        limit: at most so many.

    Raises:
        InvalidQuery: this is no cursor.
    """
    after = _place(cursor) if cursor else None
    found = list(islice(_placed(data_dir, states, after), limit + 1))
    page = found[:limit]
    following = _cursor(page[-1][0]) if len(found) > limit and page else None
    return [picture for _, picture in page], following


def all_failures(data_dir: Path, states: Sequence[State]) -> Iterator[FailedPicture]:
    """Everything that is in one of the states, read in pages."""
    return (picture for _, picture in _placed(data_dir, states, None))


def _placed(
    data_dir: Path, states: Sequence[State], after: Place | None
) -> Iterator[tuple[Place, FailedPicture]]:
    ledgers = [Ledger(path) for path in (data_dir / LEDGERS).glob("*.sqlite") if _is_ledger(path)]
    placed = [(Place(one.fact("source") or "", one.name), one) for one in ledgers]
    begin = replace(after, path=b"") if after is not None else None
    for place, ledger in sorted(placed, key=lambda pair: pair[0]):
        if begin is not None and place < begin:
            continue
        collection = ledger.fact("collection")
        behind = after.path if after is not None and place == begin else b""
        for row in ledger.with_states(states, after=behind):
            yield (
                replace(place, path=path_bytes(row.path)),
                FailedPicture(
                    source=place.source,
                    collection=collection,
                    path=readable(row.path),
                    state=row.state,
                    stage=row.stage or "",
                    reason=row.reason or "",
                    code=row.code or "",
                    retryable=row.retryable,
                ),
            )


def _cursor(place: Place) -> str:
    text = json.dumps([place.source, place.ledger, place.path.hex()])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _place(cursor: str) -> Place:
    try:
        values = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
        source, ledger, path = values
        return Place(str(source), str(ledger), bytes.fromhex(path))
    except (binascii.Error, ValueError, TypeError) as exc:
        raise InvalidQuery(
            "This is no cursor of the list of failures.", parameter="cursor", actual=cursor[:80]
        ) from exc


def _is_ledger(path: Path) -> bool:
    return path.stem != "spool"
