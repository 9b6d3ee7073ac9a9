"""Reading labelled folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from embedding_pipeline.errors import BoxseekError
from embedding_pipeline.evaluation.labelled import read_yolo


def _folder(path: Path, labels: str | None) -> Path:
    (path / "images").mkdir(parents=True)
    (path / "labels").mkdir()
    (path / "images" / "a.jpg").write_bytes(b"picture")
    if labels is not None:
        (path / "labels" / "a.txt").write_text(labels)
    return path


def test_boxes_become_pixels(tmp_path: Path) -> None:
    """Centre and size, as shares, give corners in pixels; what lies outside is cut."""
    (picture,) = read_yolo(_folder(tmp_path / "set", "3 0.5 0.5 0.5 0.25\n0 0.0 0.5 0.4 1.0\n"))
    assert picture.classes == (3, 0)
    assert picture.boxes((200, 100)) == ((50.0, 37.5, 150.0, 62.5), (0.0, 0.0, 40.0, 100.0))


@pytest.mark.parametrize("labels", [None, ""])
def test_a_picture_without_labels_has_no_objects(tmp_path: Path, labels: str | None) -> None:
    """No file and an empty file mean the same."""
    (picture,) = read_yolo(_folder(tmp_path / "set", labels))
    assert picture.classes == ()
    assert picture.boxes((10, 10)) == ()


@pytest.mark.parametrize("line", ["1 0.5 0.5 0.5", "cat 0.5 0.5 0.5 0.5", "1 2 3 4 5 6"])
def test_a_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    """The message has the file and the line."""
    with pytest.raises(BoxseekError, match=r"a\.txt, line 1"):
        read_yolo(_folder(tmp_path / "set", line))


def test_another_folder_is_refused_with_the_form(tmp_path: Path) -> None:
    """The message says what a labelled folder looks like."""
    with pytest.raises(BoxseekError, match="images/ and labels/"):
        read_yolo(tmp_path)
