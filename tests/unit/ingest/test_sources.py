"""What folders and lists give, however odd."""

from __future__ import annotations

import inspect
import os
import socket
import sys
from pathlib import Path

import pytest

from embedding_pipeline.errors import IngestError
from embedding_pipeline.ingest import file_reading
from embedding_pipeline.ingest.folder_source import FolderSource
from embedding_pipeline.ingest.list_source import ListSource
from embedding_pipeline.ingest.source_items import (
    SourceItem,
    SourceProblem,
    path_bytes,
    path_from_bytes,
    readable,
)
from embedding_pipeline.ingest.sources import open_source
from support.ingest_workshop import LIMITS, jpeg


def items(folder: Path, *, hidden: bool = False) -> list[SourceItem]:
    """Everything that a folder lists."""
    return list(FolderSource(folder, limits=LIMITS, hidden=hidden).items())


def paths(folder: Path) -> list[str]:
    """Paths that a folder lists."""
    return [item.path for item in items(folder)]


def test_paths_come_sorted_by_their_bytes(tmp_path: Path) -> None:
    """A file beside a folder of the same beginning stands where its bytes put it."""
    for name in ("a/z.jpg", "a-b.jpg", "a.jpg", "a/b/c.jpg", "Z.jpg", "é.jpg", "a0.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    found = paths(tmp_path)
    assert found == sorted(found, key=path_bytes)
    assert len(found) == 7


def test_hidden_names_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    """Files and folders that begin with a dot."""
    (tmp_path / ".hidden.jpg").write_bytes(b"x")
    (tmp_path / ".folder").mkdir()
    (tmp_path / ".folder" / "a.jpg").write_bytes(b"x")
    (tmp_path / "a.jpg").write_bytes(b"x")
    assert paths(tmp_path) == ["a.jpg"]
    assert len(items(tmp_path, hidden=True)) == 3


def test_link_loops_end(tmp_path: Path) -> None:
    """Links to folders above or inside are not followed, so nothing is listed twice."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "x.jpg").write_bytes(b"x")
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "self").symlink_to(".")
    (tmp_path / "root").symlink_to(tmp_path.parent)
    (tmp_path / "loop").symlink_to("loop")
    found = {item.path: item.problem for item in items(tmp_path)}
    assert set(found) == {"a/x.jpg", "loop"}
    problem = found["loop"]
    assert problem is not None
    assert problem.state == "failed"


def test_links_out_of_the_source_are_followed_once(tmp_path: Path) -> None:
    """Two links to the same outside folder give its pictures once; file links are read."""
    outside, source = tmp_path / "outside", tmp_path / "source"
    outside.mkdir()
    source.mkdir()
    (outside / "o.jpg").write_bytes(jpeg(1))
    (source / "one").symlink_to(outside)
    (source / "two").symlink_to(outside)
    (source / "file.jpg").symlink_to(outside / "o.jpg")
    assert paths(source) == ["file.jpg", "one/o.jpg"]


def test_pipes_and_sockets_are_told_and_not_read(tmp_path: Path) -> None:
    """A FIFO never stops the run."""
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        problems = [item.problem for item in items(tmp_path)]
    assert [problem and problem.code for problem in problems] == ["not_a_file", "not_a_file"]


def test_a_pipe_that_takes_a_files_place_is_refused(tmp_path: Path) -> None:
    """Between listing and reading anything may happen."""
    os.mkfifo(tmp_path / "a.jpg")
    source = FolderSource(tmp_path, limits=LIMITS)
    with pytest.raises(SourceProblem) as caught:
        source.load(SourceItem("a.jpg", "1-1", 1))
    assert caught.value.problem.code == "not_a_file"


def test_names_that_are_not_utf8_are_read_and_readable(tmp_path: Path) -> None:
    """The bytes of a name survive; people see them escaped."""
    name = b"caf\xe9 \xff.jpg"
    with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:  # noqa: PTH118, PTH123
        file.write(jpeg(1))
    source = FolderSource(tmp_path, limits=LIMITS)
    (item,) = source.items()
    assert path_bytes(item.path) == name
    assert path_from_bytes(name) == item.path
    assert readable(item.path) == "caf\\xe9 \\xff.jpg"
    assert source.load(item).data == jpeg(1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_files_and_folders_are_failures(tmp_path: Path) -> None:
    """A folder without permission is one failure, a file another."""
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.jpg").write_bytes(jpeg(1))
    (tmp_path / "closed").chmod(0)
    (tmp_path / "a.jpg").chmod(0)
    try:
        found = items(tmp_path)
        with pytest.raises(SourceProblem) as caught:
            FolderSource(tmp_path, limits=LIMITS).load(found[0])
    finally:
        (tmp_path / "closed").chmod(0o700)
    assert caught.value.problem.code == "unreadable"
    assert [item.problem and item.problem.code for item in found] == [None, "unreadable"]


def test_a_vanished_file_is_a_failure(tmp_path: Path) -> None:
    """What goes between listing and reading may come back."""
    source = FolderSource(tmp_path, limits=LIMITS)
    with pytest.raises(SourceProblem) as caught:
        source.load(SourceItem("a.jpg", "1-1", 1))
    problem = caught.value.problem
    assert (problem.state, problem.retryable) == ("failed", True)


def test_a_file_that_changes_while_it_is_read_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of one picture and half of another is never stored."""
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(1))
    check = file_reading.check_head

    def growing(head: bytes, size_bytes: int, limits: object) -> None:
        check(head, size_bytes, LIMITS)
        with path.open("ab") as file:
            file.write(b"more")

    monkeypatch.setattr(file_reading, "check_head", growing)
    with pytest.raises(SourceProblem) as caught:
        FolderSource(tmp_path, limits=LIMITS).load(SourceItem("a.jpg", "1-1", 1))
    assert caught.value.problem.code == "file_changed"


def test_large_files_that_are_no_pictures_are_not_read(tmp_path: Path) -> None:
    """A sparse file of a gigabyte is refused by its head."""
    with (tmp_path / "film.mp4").open("wb") as file:
        file.truncate(1024**3)
    source = FolderSource(tmp_path, limits=LIMITS)
    (item,) = source.items()
    with pytest.raises(SourceProblem) as caught:
        source.load(item)
    assert caught.value.problem.code == "unsupported_format"


def test_deep_folders_need_no_deep_stack(tmp_path: Path) -> None:
    """A folder in a folder in a folder, deeper than a small stack would allow."""
    path = tmp_path
    for _ in range(100):
        path /= "d"
        path.mkdir()
    (path / "a.jpg").write_bytes(b"x")
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 60)
    try:
        found = paths(tmp_path)
    finally:
        sys.setrecursionlimit(before)
    assert found == ["d/" * 100 + "a.jpg"]


def test_a_missing_folder_cannot_be_a_source(tmp_path: Path) -> None:
    """The message names the folder."""
    with pytest.raises(IngestError, match="nowhere"):
        FolderSource(tmp_path / "nowhere", limits=LIMITS)
    with pytest.raises(IngestError, match="nowhere"):
        open_source(str(tmp_path / "nowhere"), limits=LIMITS)


def test_a_list_names_files_relative_to_itself(tmp_path: Path) -> None:
    """Comments, empty lines and repeats are left out; order is by path."""
    (tmp_path / "b.jpg").write_bytes(jpeg(1))
    (tmp_path / "a b.jpg").write_bytes(jpeg(2))
    text = f"# photos\nb.jpg\n\na b.jpg\r\n{tmp_path / 'b.jpg'}\nb.jpg\n"
    (tmp_path / "list.txt").write_text(text)
    source = open_source(str(tmp_path / "list.txt"), limits=LIMITS)
    found = list(source.items())
    assert [item.path for item in found] == [str(tmp_path / "b.jpg"), "a b.jpg", "b.jpg"]
    assert [source.load(item).data for item in found] == [jpeg(1), jpeg(2), jpeg(1)]


def test_a_csv_needs_a_path_column(tmp_path: Path) -> None:
    """The message lists the columns that are there."""
    (tmp_path / "t.csv").write_text("name,sku\na.jpg,1\n")
    with pytest.raises(IngestError, match="name, sku"):
        ListSource(tmp_path / "t.csv", limits=LIMITS)
