"""The state file of the embedded index, and what LanceDB's errors become."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from embedding_pipeline.errors import (
    IndexDenied,
    IndexError_,
    IndexFormatMismatch,
    IndexFull,
    IndexNotFound,
    IndexUnavailable,
)
from embedding_pipeline.indexes.lancedb_catalog import LanceDbCatalog
from embedding_pipeline.indexes.lancedb_errors import lancedb_errors
from support.indexes_samples import description, fill, picture


@pytest.mark.parametrize("text", ['{"format": 0}', '{"format": 2}', "{}", "[]", "", "{"])
def test_other_format_is_refused(tmp_path: Path, text: str) -> None:
    """A file of another format is never misread; the error says to rebuild."""
    (tmp_path / "state.json").write_text(text)
    catalog = LanceDbCatalog(tmp_path)
    for call in (catalog.versions, catalog.active, catalog.open, catalog.rollback):
        with pytest.raises(IndexFormatMismatch, match="rebuild"):
            call()


def test_change_leaves_no_temporary_file(tmp_path: Path) -> None:
    """After changes the folder holds the state, its lock and the tables."""
    folder = tmp_path / "index"
    catalog = LanceDbCatalog(folder)
    catalog.activate(catalog.create(description()).name)
    assert {path.name for path in folder.iterdir()} == {"state.json", "state.lock", "tables"}
    assert json.loads((folder / "state.json").read_text())["format"] == 1


def test_table_without_state_is_removed(tmp_path: Path) -> None:
    """A crash between making a table and writing the state leaves nothing in the way."""
    catalog = LanceDbCatalog(tmp_path)
    first = catalog.create(description())
    state = json.loads((tmp_path / "state.json").read_text())
    (tmp_path / "state.json").unlink()
    again = LanceDbCatalog(tmp_path)
    assert again.versions() == []
    assert again.create(description(8)).name == first.name == "v000001"
    assert state["next_number"] == 2
    index = again.open("v000001")
    fill(index, [picture(1, dimension=8)])
    index.close()


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (OSError(errno.ENOSPC, "no"), IndexFull),
        (RuntimeError("lance error: IO: No space left on device (os error 28)"), IndexFull),
        (PermissionError(13, "no"), IndexDenied),
        (RuntimeError("lance error: Not found: x/_versions"), IndexNotFound),
        (ValueError("Table 'x' was not found"), IndexNotFound),
        (RuntimeError("Retryable commit conflict for version 4"), IndexUnavailable),
        (RuntimeError("something else"), IndexError_),
        (OSError("no text from LanceDB"), IndexError_),
    ],
)
def test_vendor_errors_are_mapped(raised: Exception, expected: type[IndexError_]) -> None:
    """What LanceDB raises becomes an error of the port that names the place."""
    with pytest.raises(expected, match="/the/place") as caught, lancedb_errors("/the/place"):
        raise raised
    assert type(caught.value) is expected
    assert caught.value.__cause__ is raised
