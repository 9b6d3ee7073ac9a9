"""Reader of CIFAR-100's binary version; its Python version is pickled, so it is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from embedding_pipeline.errors import BoxseekError
from embedding_pipeline.evaluation.labelled import LabelledPicture, LabelledSet, Problem

TEST_FILE = "test.bin"
NAMES_FILE = "fine_label_names.txt"
_SIDE = 32
_ROW = 2 + 3 * _SIDE * _SIDE  # coarse class, fine class, red, green and blue planes


def read_cifar100(folder: Path) -> LabelledSet:
    """Read ``test.bin`` and ``fine_label_names.txt``: 32 x 32 pixels and 100 fine classes.

    Every picture is handed on as PNG, which loses nothing.

    Raises:
        BoxseekError: files are missing; for the Python version with what to get instead.
    """
    file, names_file = folder / TEST_FILE, folder / NAMES_FILE
    if not file.is_file() or not names_file.is_file():
        raise BoxseekError(
            f"{folder} needs {TEST_FILE} and {NAMES_FILE} of CIFAR-100's binary version; the "
            "Python version is pickled, which can run code, and is not read"
        )
    names = names_file.read_text().split()
    data = file.read_bytes()
    problems = []
    if len(data) % _ROW:
        problems.append(Problem(TEST_FILE, f"its last {len(data) % _ROW} bytes are no whole row"))
    pictures = []
    for row in range(len(data) // _ROW):
        values = np.frombuffer(data, np.uint8, _ROW, row * _ROW)
        if values[1] >= len(names):
            problems.append(Problem(f"{TEST_FILE}, row {row}", f"class {values[1]} has no name"))
            continue
        rgb = values[2:].reshape(3, _SIDE, _SIDE).transpose(1, 2, 0)
        name = f"{row:05d}.png"
        pictures.append(
            LabelledPicture(name, folder / name, label=names[values[1]], data=_png(rgb))
        )
    return LabelledSet("cifar100", tuple(pictures), tuple(problems))


def _png(rgb: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    target = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgb)).save(target, "PNG", compress_level=1)
    return target.getvalue()
