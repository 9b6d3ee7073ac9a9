"""What is in the source, what the ledger says, what is stored and indexed: the difference."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from embedding_pipeline.ingest.ledger import Ledger, LedgerRow, metadata_text
from embedding_pipeline.ingest.source_items import Source, SourceItem, path_bytes
from embedding_pipeline.ports.index import ObjectIndex

PAGE_KEYS = 1000
ANNOUNCE_EVERY = 1000


class StoredKeys(Protocol):
    """The part of Originals that lists."""

    def keys(self, *, after: str = "", limit: int = 1000) -> list[str]:
        """Image keys greater than ``after``, in order."""
        ...


@dataclass(slots=True)
class Plan:
    """What a run has to do, and what it need not.

    Args:
        found: items that the source lists.
        new: of them, those that the ledger does not know.
        changed: those whose content changed, or whose picture is no longer there.
        retried: those that failed before and are tried again.
        unchanged: those that stay as they are, by state.
        gone: ledger rows that the source no longer has.
    """

    found: int = 0
    new: int = 0
    changed: int = 0
    retried: int = 0
    unchanged: Counter[str] = field(default_factory=Counter)
    gone: int = 0

    @property
    def todo(self) -> int:
        """Items to work on."""
        return self.new + self.changed + self.retried


class KeySet:
    """Image keys on disk: a million of them cost no memory worth naming."""

    def __init__(self, keys: Iterable[str]) -> None:
        # The empty name is SQLite's private file that vanishes when it is closed.
        self._database = sqlite3.connect("")
        self._database.execute("CREATE TABLE keys (key BLOB PRIMARY KEY) WITHOUT ROWID")
        with self._database:
            self._database.executemany(
                "INSERT OR IGNORE INTO keys VALUES (?)", ([bytes.fromhex(key)] for key in keys)
            )

    def __contains__(self, key: str) -> bool:
        found = self._database.execute("SELECT 1 FROM keys WHERE key = ?", [bytes.fromhex(key)])
        return found.fetchone() is not None

    def close(self) -> None:
        """Drop the file."""
        self._database.close()


def complete_keys(originals: StoredKeys, index: ObjectIndex) -> Iterator[str]:
    """Keys that are both stored and indexed, in order, by merging two sorted listings."""
    stored = _paged(lambda after: originals.keys(after=after, limit=PAGE_KEYS))
    indexed = _paged(
        lambda after: [e.image_key for e in index.pictures(after=after, limit=PAGE_KEYS)]
    )
    left, right = next(stored, None), next(indexed, None)
    while left is not None and right is not None:
        if left == right:
            yield left
            left, right = next(stored, None), next(indexed, None)
        elif left < right:
            left = next(stored, None)
        else:
            right = next(indexed, None)


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides whether a row still holds for what the source lists now.

    Args:
        checksum: trust no row: every file is read again.
        retry_failed: failed rows are tried again.
        recheck_rejected: limits changed since, so rejected rows are tried again.
        is_complete: whether a picture is stored and indexed.
    """

    checksum: bool
    retry_failed: bool
    recheck_rejected: bool
    is_complete: Callable[[str], bool]

    def holds(self, item: SourceItem, row: LedgerRow) -> bool:
        """Whether nothing is to be done for this item."""
        if self.checksum or row.version != item.version:
            return False
        if row.metadata != metadata_text(item.metadata):
            return False
        if row.state == "failed":
            return not self.retry_failed and _same_problem(item, row)
        if row.state == "rejected":
            return not self.recheck_rejected and _same_problem(item, row)
        return (
            row.state in {"indexed", "duplicate"}
            and item.problem is None
            and row.image_key is not None
            and self.is_complete(row.image_key)
        )


def make_plan(
    source: Source, ledger: Ledger, judge: Judge, announce: Callable[[int], None]
) -> Plan:
    """List the source once, merge it with the ledger and leave the plan in the ledger.

    Args:
        source: sorted by path.
        ledger: sorted by path.
        judge: what still holds.
        announce: told from time to time how much there is to do so far.
    """
    plan = Plan()
    ledger.plan(_steps(source.items(), ledger.rows(), judge, plan, announce))
    return plan


def _steps(
    items: Iterator[SourceItem],
    rows: Iterator[LedgerRow],
    judge: Judge,
    plan: Plan,
    announce: Callable[[int], None],
) -> Iterator[SourceItem | LedgerRow]:
    row = next(rows, None)
    for item in items:
        here = path_bytes(item.path)
        while row is not None and path_bytes(row.path) < here:
            plan.gone += 1
            yield row
            row = next(rows, None)
        known = row if row is not None and path_bytes(row.path) == here else None
        if known is not None:
            row = next(rows, None)
        plan.found += 1
        if _count(plan, item, known, judge):
            yield item
        if plan.found % ANNOUNCE_EVERY == 0:
            announce(plan.todo)
    while row is not None:
        plan.gone += 1
        yield row
        row = next(rows, None)


def _count(plan: Plan, item: SourceItem, row: LedgerRow | None, judge: Judge) -> bool:
    """Count one item; True when there is something to do for it."""
    if row is None or row.state == "gone":
        plan.new += 1
    elif judge.holds(item, row):
        plan.unchanged[row.state] += 1
        return False
    elif row.state == "failed" and row.version == item.version:
        plan.retried += 1
    else:
        plan.changed += 1
    return True


def _same_problem(item: SourceItem, row: LedgerRow) -> bool:
    return item.problem is None or item.problem.code == row.code


def _paged(page_after: Callable[[str], list[str]]) -> Iterator[str]:
    after = ""
    while page := page_after(after):
        yield from page
        after = page[-1]
