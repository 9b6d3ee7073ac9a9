"""The Python way in: open, add, search."""

from __future__ import annotations

from pathlib import Path

import pytest

import embedding_pipeline
from embedding_pipeline import Boxseek, Settings
from support.api_app import png, settings_of
from support.api_demo_app import fake_models


def test_a_folder_is_added_and_searched(tmp_path: Path) -> None:
    """By path, by bytes and by object_id; what is no picture is a rejected result."""
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.png").write_bytes(png(1))
    (folder / "deep" / "b.png").write_bytes(png(2))
    (folder / "notes.txt").write_text("no picture")
    with Boxseek.open(settings_of(tmp_path), models=fake_models) as boxseek:
        results = boxseek.add_folder(folder, collection="photos")
        assert [(one.filename, one.status) for one in results] == [
            ("a.png", "indexed"),
            ("b.png", "indexed"),
            ("notes.txt", "rejected"),
        ]
        for picture in (folder / "a.png", str(folder / "a.png"), png(1)):
            page = boxseek.search(picture, limit=1)
            assert page.hits[0].image_key == results[0].image_key
            assert page.hits[0].matches[0].entry.label == "person"
        page = boxseek.search(f"{results[1].image_key}-003")
        assert page.hits[0].matches[0].entry.object_id == f"{results[1].image_key}-003"
        assert page.next_cursor is None


def test_a_file_beyond_the_limit_is_rejected_without_reading_it_all(tmp_path: Path) -> None:
    """A sparse file of a gigabyte takes no gigabyte of memory."""
    huge = tmp_path / "huge.png"
    with huge.open("wb") as file:
        file.write(png(1))
        file.truncate(10**9)
    with Boxseek.open(settings_of(tmp_path, max_bytes=1000), models=fake_models) as boxseek:
        assert len(boxseek._bytes_of(huge)) == 1001
        assert [one.code for one in boxseek.add([huge])] == ["picture_too_large"]


def test_what_was_added_is_there_after_a_restart(tmp_path: Path) -> None:
    """The index's description decides which models are asked for."""
    with Boxseek.open(settings_of(tmp_path), models=fake_models) as boxseek:
        boxseek.wait_ready(30)
        (tmp_path / "a.png").write_bytes(png(1))
        boxseek.add([tmp_path / "a.png"])
    asked = []

    def models(settings: Settings, description: object) -> object:
        asked.append(description)
        return fake_models(settings, None)

    with Boxseek.open(settings_of(tmp_path), models=models) as boxseek:  # type: ignore[arg-type]
        assert boxseek.search(png(1)).hits[0].score == pytest.approx(1.0, abs=1e-5)
        assert boxseek.models is not None
        assert asked == [boxseek.models.description]


def test_closing_twice_is_harmless_and_ends_the_thread(tmp_path: Path) -> None:
    """Ctrl-C may close what a context manager closes again."""
    boxseek = Boxseek.open(settings_of(tmp_path), models=fake_models)
    boxseek.wait_ready(30)
    boxseek.close()
    boxseek.close()
    assert not boxseek.runner._thread.is_alive()


def test_the_package_exports_two_names() -> None:
    """And names what it has not."""
    assert embedding_pipeline.__all__ == ["Boxseek", "Settings"]
    with pytest.raises(AttributeError, match="Nothing"):
        _ = embedding_pipeline.Nothing  # type: ignore[attr-defined]
