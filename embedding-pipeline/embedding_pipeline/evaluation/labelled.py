"""Labelled pictures in YOLO form: ``images/NAME.*`` and ``labels/NAME.txt``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.entries import Box
from embedding_pipeline.errors import BoxseekError

FIELDS = 5  # class number, centre x, centre y, width, height


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A picture and the objects that people marked in it.

    Args:
        path: the picture.
        classes: class number of each object.
        boxes_relative: ``(N, 4)`` float64, x1 y1 x2 y2 as shares of width and height.
    """

    path: Path
    classes: tuple[int, ...]
    boxes_relative: NDArray[np.float64]

    def boxes(self, size_wh: tuple[int, int]) -> tuple[Box, ...]:
        """The marked boxes in pixels of a picture of this size."""
        pixels = self.boxes_relative * np.array([*size_wh, *size_wh], dtype=np.float64)
        return tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in pixels)


def read_yolo(folder: Path) -> list[LabelledPicture]:
    """Read a folder in YOLO form, in order of names; a picture without a file has no objects.

    Raises:
        BoxseekError: the folder has another form, or a line is not ``class cx cy w h``.
    """
    if not (folder / "images").is_dir() or not (folder / "labels").is_dir():
        raise BoxseekError(
            f"{folder} is no labelled folder: it needs images/ and labels/ "
            "(one text file a picture, a line an object: class cx cy w h, as shares)"
        )
    return [
        _read(path, folder / "labels" / f"{path.stem}.txt")
        for path in sorted((folder / "images").iterdir())
        if path.is_file()
    ]


def _read(picture: Path, labels: Path) -> LabelledPicture:
    lines = labels.read_text().splitlines() if labels.is_file() else []
    rows = [_row(labels, number, line.split()) for number, line in enumerate(lines, 1) if line]
    numbers = np.array(rows, dtype=np.float64).reshape(-1, FIELDS)
    centre, half = numbers[:, 1:3], numbers[:, 3:5] / 2
    boxes = np.clip(np.concatenate((centre - half, centre + half), axis=1), 0.0, 1.0)
    return LabelledPicture(picture, tuple(int(n) for n in numbers[:, 0]), boxes)


def _row(labels: Path, number: int, words: Sequence[str]) -> list[float]:
    try:
        row = [float(word) for word in words]
    except ValueError:
        row = []
    if len(row) != FIELDS:
        raise BoxseekError(f"{labels}, line {number}: expected `class cx cy w h`, got {words!r}")
    return row
