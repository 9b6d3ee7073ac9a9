"""What backfills could not bring in, over HTTP."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from embedding_pipeline.bootstrap import Boxseek
from embedding_pipeline.ingest.failures import LEDGERS
from embedding_pipeline.ingest.ingest_run import ledger_path
from embedding_pipeline.ingest.ledger import Ledger, LedgerRow
from support.api_app import opened


@pytest.fixture
def app(tmp_path: Path) -> Iterator[tuple[Boxseek, TestClient]]:
    """An application without any run yet."""
    with opened(tmp_path, ready=False) as found:
        yield found


def note(boxseek: Boxseek, source: str, *rows: LedgerRow, collection: str | None = None) -> Ledger:
    """Write rows in the ledger of a source."""
    folder = boxseek.settings.data_dir / LEDGERS
    ledger = Ledger(ledger_path(folder, source, collection))
    ledger.set_facts({"source": source, "collection": collection})
    ledger.write(rows)
    return ledger


def failed(path: str, state: Any = "failed") -> LedgerRow:
    """A row that is not in."""
    return LedgerRow(
        path,
        "1-1",
        "",
        state,
        stage="read",
        reason="It is gone.",
        code="unreadable",
        retryable=True,
    )


def paths(answer: dict[str, Any]) -> list[str]:
    """Paths of a page."""
    return [one["path"] for one in answer["failures"]]


def test_without_any_run_there_is_none(app: tuple[Boxseek, TestClient]) -> None:
    """An empty list, also while the models are being loaded."""
    assert app[1].get("/v1/failures").json() == {"failures": [], "next_cursor": None}


def test_a_failure_is_told_with_all_that_is_known(app: tuple[Boxseek, TestClient]) -> None:
    """Rejected ones only when asked for; what is in never."""
    boxseek, client = app
    indexed = LedgerRow("in.jpg", "1-1", "", "indexed", image_key="a" * 64)
    odd = "caf\udce9.jpg"
    note(boxseek, "folder:/a", failed(odd), failed("n.txt", "rejected"), indexed, collection="pets")
    assert client.get("/v1/failures").json()["failures"] == [
        {
            "source": "folder:/a",
            "path": "caf\\xe9.jpg",
            "collection": "pets",
            "state": "failed",
            "stage": "read",
            "reason": "It is gone.",
            "code": "unreadable",
            "retryable": True,
        }
    ]
    both = client.get("/v1/failures", params={"rejected": True}).json()
    assert [(one["path"], one["state"]) for one in both["failures"]] == [
        ("caf\\xe9.jpg", "failed"),
        ("n.txt", "rejected"),
    ]


def test_pages_neither_repeat_nor_skip_across_sources(app: tuple[Boxseek, TestClient]) -> None:
    """Also when a failure before the cursor goes meanwhile."""
    boxseek, client = app
    first = note(boxseek, "folder:/a", *(failed(f"{n}.jpg") for n in range(5)))
    note(boxseek, "s3://b/", *(failed(f"{n}.png") for n in range(4)))
    page = client.get("/v1/failures", params={"limit": 4}).json()
    assert paths(page) == [f"{n}.jpg" for n in range(4)]
    first.forget(["0.jpg", "3.jpg"])
    page = client.get("/v1/failures", params={"limit": 4, "cursor": page["next_cursor"]}).json()
    assert paths(page) == ["4.jpg", "0.png", "1.png", "2.png"]
    page = client.get("/v1/failures", params={"limit": 4, "cursor": page["next_cursor"]}).json()
    assert (paths(page), page["next_cursor"]) == (["3.png"], None)


def test_a_run_that_writes_is_no_hindrance(app: tuple[Boxseek, TestClient]) -> None:
    """What was acknowledged before is listed while a long write goes on."""
    boxseek, client = app
    note(boxseek, "folder:/a", failed("a.jpg"))
    file = ledger_path(boxseek.settings.data_dir / LEDGERS, "folder:/a", None)
    with closing(sqlite3.connect(file)) as writing:
        writing.execute("BEGIN IMMEDIATE")
        writing.execute("DELETE FROM entries")
        assert paths(client.get("/v1/failures").json()) == ["a.jpg"]
        writing.commit()
    assert client.get("/v1/failures").json()["failures"] == []


@pytest.mark.parametrize(
    "cursor", ["!", "bm9uZQ==", "e30=", "WzEsMl0=", "WyIxIiwiMiIsInh4Il0="],
    ids=["no base64", "no JSON", "no list", "too short", "no hex"],
)  # fmt: skip
def test_a_cursor_is_checked(app: tuple[Boxseek, TestClient], cursor: str) -> None:
    """422 that names the parameter."""
    answer = app[1].get("/v1/failures", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["details"]["parameter"]) == (422, "cursor")


@pytest.mark.parametrize("limit", ["0", "1001", "x"])
def test_limits_are_checked(app: tuple[Boxseek, TestClient], limit: str) -> None:
    """As in the other lists."""
    assert app[1].get("/v1/failures", params={"limit": limit}).status_code == 422
