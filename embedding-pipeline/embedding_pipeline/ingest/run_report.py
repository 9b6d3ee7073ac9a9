"""What a backfill did: for people, for machines, and whether its sums agree."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from embedding_pipeline.errors import IngestError
from embedding_pipeline.ingest.ledger import Ledger, LedgerRow
from embedding_pipeline.ingest.settling import Settled
from embedding_pipeline.ingest.source_items import STATES, readable
from embedding_pipeline.ingest.wording import counted

_ROW_FIELDS = ("path", "state", "stage", "reason", "code", "retryable", "image_key")


@dataclass(frozen=True, slots=True)
class RunReport:
    """The end of a run.

    Args:
        source: what was ingested.
        collection: the collection its pictures are in; None for none.
        found: items that the source lists.
        states: how many of them are in which state now; their sum is ``found`` unless the
            run was interrupted.
        worked: how many this run worked on, by the state they ended in.
        gone: pictures that are stored although the source no longer has them.
        deleted: of them, those that this run removed.
        refusal: why some were not removed although that was asked for; else empty.
        settled: pictures that had come or gone behind the index's back.
        objects: entries of kind object that this run wrote.
        elapsed_s: time of the work.
        interrupted: it was asked to stop before its end.
        dry_run: nothing was done; ``plan`` says what would be.
        plan: new, changed, retried and unchanged items.
    """

    source: str
    collection: str | None
    found: int
    states: dict[str, int]
    worked: dict[str, int]
    gone: int = 0
    deleted: int = 0
    refusal: str = ""
    settled: Settled = field(default_factory=Settled)
    objects: int = 0
    elapsed_s: float = 0.0
    interrupted: bool = False
    dry_run: bool = False
    plan: dict[str, int] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0: every picture is in its state; 1: some failed, or a run was cut short or refused."""
        refused = self.refusal or self.settled.refusal or self.settled.problems
        return int(bool(self.states.get("failed") or refused) or self.interrupted)

    def check_sums(self) -> None:
        """Raise IngestError when pictures were lost from the counts; a safeguard, never seen."""
        total = sum(self.states.get(state, 0) for state in STATES)
        if not (self.interrupted or self.dry_run) and total != self.found:
            raise IngestError(
                f"the sums do not agree: {self.found} found, {total} in a state; "
                "run again with --checksum and report this",
                expected=self.found,
                actual=total,
            )

    def lines(self) -> list[str]:
        """The report in lines for people."""
        plan = self.plan
        if self.dry_run:
            text = (
                f"{self.source}: {self.found:,} found: {plan['new']:,} new, "
                f"{plan['changed']:,} changed, {plan['retried']:,} to try again, "
                f"{plan['unchanged']:,} unchanged; {self.gone:,} no longer there. Nothing was done."
            )
            return [text]
        parts = ", ".join(f"{self.states.get(state, 0):,} {state}" for state in STATES)
        worked = sum(self.worked.values())
        this_run = (
            f"this run: {worked:,} worked on, {plan.get('unchanged', 0):,} unchanged, "
            f"{counted(self.objects, 'object')}, {self.elapsed_s:.1f} s"
        )
        lines = [f"{self.source}: {self.found:,} found = {parts}", this_run]
        if self.gone:
            advice = "they stay; --delete removes them" if not self.deleted else ""
            told = f" ({self.refusal or advice})" if self.refusal or advice else ""
            lines.append(
                f"{self.gone:,} no longer in the source, {self.deleted:,} of them removed{told}"
            )
        return lines + self.settled_lines()

    def settled_lines(self) -> list[str]:
        """What was brought in step beside the source, in lines for people."""
        settled = self.settled
        lines = []
        if settled.changed:
            lines.append(
                "came or went without the index: "
                f"{counted(settled.written, 'picture')} brought in step, "
                f"{settled.removed:,} removed"
            )
        if settled.refusal:
            lines.append(settled.refusal)
        if settled.problems:
            key, why = next(iter(settled.problems.items()))
            lines.append(
                f"{counted(len(settled.problems), 'stored picture')} could not be indexed; "
                f"{key[:16]}: {why}"
            )
        return lines

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON object."""
        return {
            "source": self.source,
            "collection": self.collection,
            "found": self.found,
            "states": {state: self.states.get(state, 0) for state in STATES},
            "worked": self.worked,
            "gone": self.gone,
            "deleted": self.deleted,
            "refusal": self.refusal,
            "settled": self.settled.to_json(),
            "objects": self.objects,
            "elapsed_s": round(self.elapsed_s, 3),
            "interrupted": self.interrupted,
            "dry_run": self.dry_run,
            "plan": self.plan,
        }


def row_json(row: LedgerRow) -> dict[str, Any]:
    """A failed or rejected picture as a JSON object."""
    values = {name: getattr(row, name) for name in _ROW_FIELDS}
    return values | {"path": readable(row.path)}


def write_report(path: Path, report: RunReport, ledger: Ledger) -> None:
    """Write a report for machines: JSON with the sums, or CSV with one failure a line.

    Raises:
        IngestError: the file's ending is neither ``.json`` nor ``.csv``, or it cannot be
            written.
    """
    rows = (row_json(row) for row in ledger.with_states(("failed", "rejected")))
    try:
        if path.suffix == ".csv":
            _write_csv(path, rows)
        elif path.suffix == ".json":
            body = report.to_json() | {"problems": list(rows)}
            path.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
        else:
            raise IngestError(f"--report {path}: the name must end in .json or .csv")
    except OSError as exc:
        raise IngestError(f"cannot write the report {path}: {exc.strerror}") from exc


def _write_csv(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _ROW_FIELDS)
        writer.writeheader()
        writer.writerows(rows)
