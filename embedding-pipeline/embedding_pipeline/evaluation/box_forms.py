"""Readers of boxes in text files (YOLO) and XML files (VOC), one file a picture."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

from embedding_pipeline.domain.entries import Box
from embedding_pipeline.errors import BoxseekError
from embedding_pipeline.evaluation.labelled import (
    LabelledPicture,
    LabelledSet,
    MarkedObject,
    Problem,
    checked_box,
    pictures_below,
)

_FIELDS = 5  # class number, centre x, centre y, width, height
_MOST_XML_BYTES = 16 * 1024 * 1024
_NAMES = ("data.yaml", "dataset.yaml", "classes.txt")
_YAML_LIST = re.compile(r"^names:\s*\[(.*)\]\s*$", re.MULTILINE)
_YAML_ITEM = re.compile(r"^\s+(?:(\d+):|-)\s*(.+?)\s*$")


def read_yolo(folder: Path) -> LabelledSet:
    """Read ``images/NAME.*`` and ``labels/NAME.txt``, lines of ``class cx cy w h`` as shares.

    Also with subfolders (``images/val/NAME.jpg``, ``labels/val/NAME.txt``). A picture without a
    text file has no objects. Class names come from data.yaml or classes.txt; without them the
    labels stay numbers, those of the detector in force.

    Raises:
        BoxseekError: one of the two folders is missing.
    """
    images, labels = folder / "images", folder / "labels"
    if not images.is_dir() or not labels.is_dir():
        raise BoxseekError(
            f"{folder} is no labelled folder: it needs images/ and labels/ "
            "(one text file a picture, a line an object: class cx cy w h, as shares)"
        )
    problems: list[Problem] = []
    pictures = []
    for path in pictures_below(images):
        name = path.relative_to(images)
        objects = tuple(_yolo_objects(labels / name.with_suffix(".txt"), problems))
        pictures.append(LabelledPicture(name.as_posix(), path, objects=objects, in_shares=True))
    unnamed = LabelledSet("yolo", tuple(pictures), tuple(problems), numbered=True)
    class_names = _class_names(folder)
    return unnamed.named(class_names) if class_names else unnamed


def read_voc(folder: Path) -> LabelledSet:
    """Read VOC's ``Annotations/NAME.xml`` and ``JPEGImages/NAME.jpg``, or XML beside pictures.

    Corners count from 1 and belong to the box (the VOC2007 development kit), so that x1 and y1
    become one less. Objects marked difficult are ignored, as in VOC's own evaluation. Documents
    with a DTD are refused: expanding entities is how XML files attack their readers.
    """
    inside = folder / "Annotations"
    files = sorted((inside if inside.is_dir() else folder).glob("*.xml"))
    images = folder / "JPEGImages"
    images = images if images.is_dir() else folder
    by_stem = {path.stem: path for path in pictures_below(images)}
    problems: list[Problem] = []
    pictures = []
    for file in files:
        try:
            root = safe_xml(file.read_bytes())
        except (ValueError, OSError) as exc:
            problems.append(Problem(file.name, str(exc)))
            continue
        path = by_stem.get(Path(root.findtext("filename") or "").stem) or by_stem.get(file.stem)
        if path is None:
            problems.append(Problem(file.name, "its picture is not there"))
            continue
        objects = tuple(_voc_objects(root, file, problems))
        pictures.append(LabelledPicture(path.relative_to(images).as_posix(), path, objects=objects))
    return LabelledSet("voc", tuple(pictures), tuple(problems))


def safe_xml(data: bytes) -> ET.Element:
    """Parse an XML document without DTD, and so without entities; ValueError for any other."""
    if len(data) > _MOST_XML_BYTES:
        raise ValueError(f"the document has more than {_MOST_XML_BYTES} bytes")
    builder = ET.TreeBuilder()
    parser = expat.ParserCreate()

    def refuse(*_told: object) -> None:
        raise ValueError("the document has a DTD, which is refused")

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(data, True)  # noqa: FBT003 - expat takes no keyword
    except expat.ExpatError as exc:
        raise ValueError(f"no XML: {exc}") from exc
    return builder.close()


def _yolo_objects(file: Path, problems: list[Problem]) -> Iterator[MarkedObject]:
    text = file.read_text(errors="replace") if file.is_file() else ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield _yolo_object(line.split())
            except ValueError as exc:
                problems.append(Problem(f"{file.name}, line {number}", str(exc)))


def _yolo_object(words: list[str]) -> MarkedObject:
    if len(words) != _FIELDS:
        raise ValueError(f"expected `class cx cy w h`, got {' '.join(words)[:60]!r}")
    values = [float(word) for word in words]
    number, cx, cy, width, height = values
    if not math.isfinite(number) or number != int(number) or number < 0:
        raise ValueError(f"{words[0]!r} is no class number")
    corners = (cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2)
    x1, y1, x2, y2 = (min(max(side, 0.0), 1.0) for side in checked_box(corners))
    return MarkedObject(str(int(number)), checked_box((x1, y1, x2, y2)))


def _class_names(folder: Path) -> list[str]:
    """Names by class number from the set's own files; empty when it has none."""
    path = next((folder / name for name in _NAMES if (folder / name).is_file()), None)
    if path is None:
        return []
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".txt":
        return [line.strip() for line in text.splitlines() if line.strip()]
    listed = _YAML_LIST.search(text)
    if listed:
        return [_unquoted(name) for name in listed.group(1).split(",")]
    _, _, block = text.partition("\nnames:") if "\nnames:" in text else ("", "", "")
    block = block or (text.partition("names:")[2] if text.startswith("names:") else "")
    return list(_yaml_items(block))


def _yaml_items(block: str) -> Iterator[str]:
    """Items of the indented list or numbered map below ``names:``."""
    for expected, line in enumerate(block.splitlines()[1:]):
        found = _YAML_ITEM.match(line.split(" #")[0]) or re.match(r"^(?:(\d+):|-)\s*(.+)$", line)
        if not found:
            return
        if found.group(1) is not None and int(found.group(1)) != expected:
            raise BoxseekError(f"class names are not numbered in order: {line.strip()!r}")
        yield _unquoted(found.group(2))


def _unquoted(name: str) -> str:
    return name.strip().strip("'\"")


def _voc_objects(root: ET.Element, file: Path, problems: list[Problem]) -> Iterator[MarkedObject]:
    for number, found in enumerate(root.iter("object"), 1):
        try:
            yield _voc_object(found)
        except ValueError as exc:
            problems.append(Problem(f"{file.name}, object {number}", str(exc)))


def _voc_object(found: ET.Element) -> MarkedObject:
    label = (found.findtext("name") or "").strip()
    if not label:
        raise ValueError("no class is named")
    difficult = (found.findtext("difficult") or "0").strip() == "1"
    return MarkedObject(label, _voc_box(found), ignored=difficult)


def _voc_box(found: ET.Element) -> Box:
    def side(name: str) -> float:
        text = found.findtext(f"bndbox/{name}")
        if text is None:
            raise ValueError(f"the box has no {name}")
        return float(text)

    return checked_box((side("xmin") - 1, side("ymin") - 1, side("xmax"), side("ymax")))
