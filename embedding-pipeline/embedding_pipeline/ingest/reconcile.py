"""What is in the source, what the ledger says, what is stored and indexed: the difference."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Literal, Protocol, TypeAlias

from embedding_pipeline.ingest.ledger import Ledger, LedgerRow, metadata_text
from embedding_pipeline.ingest.source_items import Source, SourceItem, path_bytes
from embedding_pipeline.ports.index import ObjectIndex

PAGE_KEYS = 1000
ANNOUNCE_EVERY = 1000
Side: TypeAlias = Literal["both", "store", "index"]


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
        self.add(keys)

    def add(self, keys: Iterable[str]) -> None:
        """Put keys in; those that are there already change nothing."""
        with self._database:
            self._database.executemany(
                "INSERT OR IGNORE INTO keys VALUES (?)", ([bytes.fromhex(key)] for key in keys)
            )

    def __iter__(self) -> Iterator[str]:
        """All of them, in order."""
        after = b""
        while page := self._database.execute(
            "SELECT key FROM keys WHERE key > ? ORDER BY key LIMIT ?", [after, PAGE_KEYS]
        ).fetchall():
            yield from (key.hex() for (key,) in page)
            after = page[-1][0]

    def __len__(self) -> int:
        return int(self._database.execute("SELECT count(*) FROM keys").fetchone()[0])

    def __contains__(self, key: str) -> bool:
        found = self._database.execute("SELECT 1 FROM keys WHERE key = ?", [bytes.fromhex(key)])
        return found.fetchone() is not None

    def close(self) -> None:
        """Drop the file."""
        self._database.close()


def compared_keys(originals: StoredKeys, index: ObjectIndex) -> Iterator[tuple[str, Side]]:
    """Every key in order, and who has it, by merging two sorted listings."""
    stored = _paged(lambda after: originals.keys(after=after, limit=PAGE_KEYS))
    indexed = _paged(
        lambda after: [e.image_key for e in index.pictures(after=after, limit=PAGE_KEYS)]
    )
    left, right = next(stored, None), next(indexed, None)
    while left is not None or right is not None:
        if left is not None and left == right:
            yield left, "both"
            left, right = next(stored, None), next(indexed, None)
        elif left is not None and (right is None or left < right):
            yield left, "store"
            left = next(stored, None)
        elif right is not None:
            yield right, "index"
            right = next(indexed, None)


def sort_keys(
    compared: Iterable[tuple[str, Side]], *, both: KeySet, store: KeySet, index: KeySet
) -> None:
    """Put every compared key into the set of its side."""
    sets = {"both": both, "store": store, "index": index}
    compared = iter(compared)
    while page := list(islice(compared, PAGE_KEYS)):
        for side, keys in sets.items():
            keys.add(key for key, found in page if found == side)


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
    source: Source,
    ledger: Ledger,
    judge: Judge,
    announce: Callable[[int], None],
    only: Sequence[str] | None = None,
) -> Plan:
    """List the source once, merge it with the ledger and leave the plan in the ledger.

    Args:
        source: sorted by path.
        ledger: sorted by path.
        judge: what still holds.
        announce: told from time to time how much there is to do so far.
        only: paths of files and folders to look at; None for the whole source.
    """
    plan = Plan()
    if only is None:
        ledger.plan(_steps(source.items(), ledger.rows(), judge, plan, announce))
        return plan
    steps = (
        _steps(source.items_below(path), ledger.rows_below(path), judge, plan, announce)
        for path in _outermost(only)
    )
    ledger.plan(chain.from_iterable(steps))
    return plan


def _outermost(paths: Sequence[str]) -> list[str]:
    """Paths without those that lie below another of them."""
    kept: list[str] = []
    for path in sorted(set(paths), key=lambda path: path_bytes(path) + b"/"):
        if not kept or not path.startswith(f"{kept[-1]}/"):
            kept.append(path)
    return kept


def _steps(
    items: Iterator[SourceItem],
    rows: Iterator[LedgerRow],
    judge: Judge,
    plan: Plan,
    announce: Callable[[int], None],
) -> Iterator[SourceItem | LedgerRow]:
    row = next(rows, None)
    shut = b""
    for item in items:
        here = path_bytes(item.path)
        while row is not None and path_bytes(row.path) < here:
            if _is_gone(plan, row, shut):
                yield row
            row = next(rows, None)
        shut = here if _is_shut_folder(item) else shut
        known = row if row is not None and path_bytes(row.path) == here else None
        if known is not None:
            row = next(rows, None)
        plan.found += 1
        if _count(plan, item, known, judge):
            yield item
        if plan.found % ANNOUNCE_EVERY == 0:
            announce(plan.todo)
    while row is not None:
        if _is_gone(plan, row, shut):
            yield row
        row = next(rows, None)


def _is_shut_folder(item: SourceItem) -> bool:
    return item.problem is not None and item.path.endswith("/")


def _is_gone(plan: Plan, row: LedgerRow, shut: bytes) -> bool:
    """Count a row that was not listed; below a folder that cannot be read nothing is gone."""
    if shut and row.state != "gone" and path_bytes(row.path).startswith(shut):
        plan.found += 1
        plan.unchanged[row.state] += 1
        return False
    plan.gone += 1
    return True


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
