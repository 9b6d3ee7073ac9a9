"""Labelled pictures of any form behind one type, and what their readers share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.boxes import area, clip
from embedding_pipeline.domain.entries import Box

Form: TypeAlias = Literal["yolo", "coco", "voc", "csv", "folders", "cifar100"]
"""yolo: images/ and labels/; coco: a JSON file of boxes; voc: XML files of boxes; csv: a table of
path and class; folders: one folder a class; cifar100: the binary version of CIFAR-100."""

FORMS: tuple[Form, ...] = get_args(Form)

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif"}
)
"""Files that count as pictures; whether they are is found out when they are decoded."""

ALIASES = {
    "aeroplane": "airplane",
    "diningtable": "dining table",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "sofa": "couch",
    "tvmonitor": "tv",
}
"""What VOC calls its classes, and what COCO calls the same."""


@dataclass(frozen=True, slots=True)
class MarkedObject:
    """An object that people marked in a picture.

    Args:
        label: its class; the number of one as text where the set has only numbers.
        box: x1 y1 x2 y2, in the unit of its picture.
        ignored: crowds and what is marked as too difficult: neither asked for nor counted.
        crowd: the box is a region of many; findings inside it count neither way.
    """

    label: str
    box: Box
    ignored: bool = False
    crowd: bool = False


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A picture, its class or the objects in it, or both.

    Args:
        name: unique in its set; its path below the set's folder.
        path: the file; where ``data`` is given, only for messages.
        label: class of the whole picture, or None.
        objects: what is marked in it.
        in_shares: boxes are shares of width and height instead of pixels.
        data: the file's bytes where it is no file of its own, else None.
    """

    name: str
    path: Path
    label: str | None = None
    objects: tuple[MarkedObject, ...] = ()
    in_shares: bool = False
    data: bytes | None = field(default=None, repr=False)

    def boxes(self, size_wh: tuple[int, int]) -> tuple[Box, ...]:
        """The marked boxes in pixels, clipped to a picture of this size."""
        width, height = size_wh if self.in_shares else (1, 1)
        return tuple(
            clip((x1 * width, y1 * height, x2 * width, y2 * height), size_wh)
            for x1, y1, x2, y2 in (marked.box for marked in self.objects)
        )

    def read(self, max_bytes: int) -> bytes:
        """The picture's bytes; of a file that is too large, just enough to see that it is."""
        if self.data is not None:
            return self.data
        with self.path.open("rb") as file:
            return file.read(max_bytes + 1)


@dataclass(frozen=True, slots=True)
class Problem:
    """A row, file or picture of the set that could not be used.

    Args:
        where: file, and line or entry.
        reason: one sentence.
    """

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """A set of labelled pictures.

    Args:
        form: how it was read.
        pictures: in order of names.
        problems: what could not be used; nothing is left out silently.
        numbered: labels are class numbers still.
    """

    form: Form
    pictures: tuple[LabelledPicture, ...]
    problems: tuple[Problem, ...] = ()
    numbered: bool = False

    @property
    def has_objects(self) -> bool:
        """Whether anything is marked in any picture."""
        return any(picture.objects for picture in self.pictures)

    @property
    def has_classes(self) -> bool:
        """Whether whole pictures have classes."""
        return any(picture.label is not None for picture in self.pictures)

    def named(self, class_names: Sequence[str]) -> LabelledSet:
        """The set with class names for class numbers; one with names stays as it is.

        Numbers without a name become problems, and their objects are left out.
        """
        if not self.numbered:
            return self
        names = {str(number): name for number, name in enumerate(class_names)}
        problems = list(self.problems)
        pictures = [
            replace(picture, objects=tuple(_named(picture, names, problems)))
            for picture in self.pictures
        ]
        return replace(self, pictures=tuple(pictures), problems=tuple(problems), numbered=False)

    def with_aliases(self, known: Sequence[str]) -> LabelledSet:
        """The set with the detector's name for classes that it calls otherwise (VOC's names)."""
        other = {a: b for a, b in ALIASES.items() if a not in known and b in known}
        pictures = tuple(
            replace(
                picture,
                objects=tuple(
                    replace(one, label=other.get(one.label, one.label)) for one in picture.objects
                ),
            )
            for picture in self.pictures
        )
        return replace(self, pictures=pictures) if other else self

    def limited(self, pictures: int | None) -> LabelledSet:
        """The same set with at most this many pictures, spread evenly over it."""
        if pictures is None or pictures >= len(self.pictures):
            return self
        rows = np.linspace(0, len(self.pictures) - 1, pictures).round().astype(int)
        return replace(self, pictures=tuple(self.pictures[row] for row in dict.fromkeys(rows)))


def box_array(boxes: Sequence[Box]) -> NDArray[np.float64]:
    """``(N, 4)`` float64, also for no box."""
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)


def checked_box(box: Sequence[float]) -> Box:
    """A box with area and finite sides, else ValueError with the reason."""
    x1, y1, x2, y2 = (float(side) for side in box)
    if not np.isfinite((x1, y1, x2, y2)).all():
        raise ValueError("the box has a side that is no number")
    if area((x1, y1, x2, y2)) <= 0:
        raise ValueError(f"the box {[x1, y1, x2, y2]} is empty or inverted")
    return (x1, y1, x2, y2)


def pictures_below(folder: Path) -> list[Path]:
    """Every picture file below a folder, sorted; names that begin with a dot are left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _named(
    picture: LabelledPicture, names: dict[str, str], problems: list[Problem]
) -> Iterator[MarkedObject]:
    for marked in picture.objects:
        if marked.label in names:
            yield replace(marked, label=names[marked.label])
        else:
            reason = f"class number {marked.label} has no name"
            problems.append(Problem(picture.name, reason))
