"""The newest version of a table, found without asking the table each time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from unittest.mock import PropertyMock, patch

import lancedb
import pyarrow as pa
import pytest

from embedding_pipeline.indexes.lancedb_revision import Revision


@pytest.fixture
def table(tmp_path: Path) -> lancedb.table.Table:
    """A table of one row that looks for newer data at every call."""
    return _opened(tmp_path, create=True)


def _opened(folder: Path, *, create: bool = False) -> lancedb.table.Table:
    connection = lancedb.connect(folder, read_consistency_interval=timedelta(0))
    row = pa.table({"number": [1]})
    return connection.create_table("some", row) if create else connection.open_table("some")


def test_it_is_the_table_s_whatever_changes_it(table: lancedb.table.Table, tmp_path: Path) -> None:
    """Own writes, another handle's, a deletion and tidying that drops old files."""
    revision, other = Revision(table, tmp_path / "some.lance" / "_versions"), _opened(tmp_path)
    for change in (
        lambda: table.add(pa.table({"number": [2]})),
        lambda: other.add(pa.table({"number": [3]})),
        lambda: other.delete("number = 2"),
        lambda: table.optimize(cleanup_older_than=timedelta(seconds=1)),
        lambda: other.add(pa.table({"number": [4]})),
    ):
        change()
        assert revision() == int(other.version)


def test_the_table_is_asked_only_after_a_change(table: lancedb.table.Table, tmp_path: Path) -> None:
    """Searches between two writes share one answer."""
    revision = Revision(table, tmp_path / "some.lance" / "_versions")
    number = revision()
    unasked = patch.object(type(table), "version", PropertyMock(side_effect=AssertionError))
    with unasked:
        assert [revision() for _ in range(3)] == [number] * 3
    _opened(tmp_path).add(pa.table({"number": [2]}))
    with unasked, pytest.raises(AssertionError):
        revision()


def test_without_the_folder_the_table_is_asked(table: lancedb.table.Table, tmp_path: Path) -> None:
    """A version of Lance that keeps its files elsewhere costs time, nothing else."""
    revision = Revision(table, tmp_path / "not there")
    assert revision() == int(table.version)
    table.add(pa.table({"number": [2]}))
    assert revision() == int(table.version)
