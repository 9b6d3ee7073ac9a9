"""Readers of whole pictures with a class: a folder per class, or a CSV of path and class."""

from __future__ import annotations

import csv
from pathlib import Path

from embedding_pipeline.errors import BoxseekError
from embedding_pipeline.evaluation.labelled import (
    LabelledPicture,
    LabelledSet,
    Problem,
    pictures_below,
)

PATH_COLUMNS = ("path", "file", "filename", "image")
CLASS_COLUMNS = ("class", "label", "category")


def read_folders(folder: Path) -> LabelledSet:
    """Read a folder per class: every picture below ``folder/CLASS/`` is of that class.

    Files beside the class folders, and class folders without pictures, are problems.
    """
    problems: list[Problem] = []
    pictures = []
    for place in sorted(folder.iterdir()):
        if place.name.startswith("."):
            continue
        found = pictures_below(place) if place.is_dir() else []
        if not found:
            what = "a folder without pictures" if place.is_dir() else "not in a class folder"
            problems.append(Problem(place.name, what))
        pictures += [
            LabelledPicture(path.relative_to(folder).as_posix(), path, label=place.name)
            for path in found
        ]
    return LabelledSet("folders", tuple(pictures), tuple(problems))


def read_csv(place: Path) -> LabelledSet:
    """Read a CSV with a path and a class column; paths are relative to the file.

    Args:
        place: the file, or a folder with one ``.csv`` file.

    Raises:
        BoxseekError: no such file, or no columns of these names.
    """
    file = place if place.is_file() else next(iter(sorted(place.glob("*.csv"))), None)
    if file is None:
        raise BoxseekError(f"{place} has no .csv file")
    problems: list[Problem] = []
    pictures: dict[str, LabelledPicture] = {}
    with file.open(newline="", encoding="utf-8-sig", errors="replace") as opened:
        rows = csv.DictReader(opened)
        path_column = _column(rows.fieldnames, PATH_COLUMNS, file)
        class_column = _column(rows.fieldnames, CLASS_COLUMNS, file)
        for row in rows:
            where = f"{file.name}, line {rows.line_num}"
            name, label = (
                (row.get(path_column) or "").strip(),
                (row.get(class_column) or "").strip(),
            )
            reason = _reason(file.parent / name, name, label, pictures)
            if reason:
                problems.append(Problem(where, reason))
            else:
                pictures[name] = LabelledPicture(name, file.parent / name, label=label)
    ordered = tuple(pictures[name] for name in sorted(pictures))
    return LabelledSet("csv", ordered, tuple(problems))


def _reason(path: Path, name: str, label: str, seen: dict[str, LabelledPicture]) -> str | None:
    """Why a row cannot be used, or None."""
    if not name or not label:
        return "path or class is missing"
    if name in seen:
        return f"{name} was named before"
    return None if path.is_file() else f"there is no file {name}"


def _column(names: object, wanted: tuple[str, ...], file: Path) -> str:
    columns = [str(name) for name in names] if isinstance(names, list | tuple) else []
    for column in columns:
        if column.strip().lower() in wanted:
            return column
    there = ", ".join(columns) or "none"
    raise BoxseekError(f"{file} has no column {' or '.join(wanted)}; its columns are {there}")
