"""Reader of COCO's JSON files of boxes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from embedding_pipeline.errors import BoxseekError
from embedding_pipeline.evaluation.labelled import (
    LabelledPicture,
    LabelledSet,
    MarkedObject,
    Problem,
    checked_box,
    pictures_below,
)

_CORNERS = 4


def read_coco(place: Path) -> LabelledSet:
    """Read a COCO file of instances (images, annotations, categories).

    Pictures are looked for below the folder of the file, and below the folder above where the
    file lies in ``annotations/``. Crowds (``iscrowd``) are ignored, as in COCO's own evaluation.

    Args:
        place: the file, or a folder with one below ``annotations/`` or directly in it.

    Raises:
        BoxseekError: no file, several that could be meant, or it is no COCO file.
    """
    file = _file(place)
    document = _document(file)
    labels = {category["id"]: str(category["name"]) for category in document["categories"]}
    problems: list[Problem] = []
    objects: dict[object, list[MarkedObject]] = defaultdict(list)
    known = {image.get("id") for image in document["images"]}
    for number, annotation in enumerate(document["annotations"], 1):
        try:
            objects[annotation["image_id"]].append(_object(annotation, labels, known))
        except (ValueError, TypeError, KeyError) as exc:
            name = annotation.get("id", number)
            problems.append(Problem(f"{file.name}, annotation {name}", _told(exc)))
    return LabelledSet("coco", *_pictures(document, file, objects, problems))


def _pictures(
    document: Mapping[str, Any],
    file: Path,
    objects: Mapping[object, list[MarkedObject]],
    problems: list[Problem],
) -> tuple[tuple[LabelledPicture, ...], tuple[Problem, ...]]:
    root = file.parent.parent if file.parent.name == "annotations" else file.parent
    found = pictures_below(root)
    by_path = {path.relative_to(root).as_posix(): path for path in found}
    by_name: dict[str, list[Path]] = defaultdict(list)
    for path in found:
        by_name[path.name].append(path)
    pictures: dict[str, LabelledPicture] = {}
    for image in document["images"]:
        name = str(image.get("file_name", ""))
        same = by_name.get(Path(name).name, [])
        there = by_path.get(name) or (same[0] if len(same) == 1 else None)
        if there is None or name in pictures:
            reason = "several files have its name" if same else "its file is not there"
            problems.append(Problem(f"image {name}", "named before" if there else reason))
            continue
        marked = tuple(objects.get(image.get("id"), ()))
        pictures[name] = LabelledPicture(name, there, objects=marked)
    return tuple(pictures[name] for name in sorted(pictures)), tuple(problems)


def _object(
    annotation: Mapping[str, Any], labels: Mapping[object, str], images: Container[object]
) -> MarkedObject:
    box = annotation["bbox"]
    if annotation["image_id"] not in images:
        raise ValueError(f"there is no image {annotation['image_id']!r}")
    if len(box) != _CORNERS:
        raise ValueError("bbox is not [x, y, width, height]")
    if annotation["category_id"] not in labels:
        raise ValueError(f"there is no category {annotation['category_id']!r}")
    x, y, width, height = (float(side) for side in box)
    crowd = bool(annotation.get("iscrowd", 0))
    corners = checked_box((x, y, x + width, y + height))
    return MarkedObject(labels[annotation["category_id"]], corners, ignored=crowd, crowd=crowd)


def _file(place: Path) -> Path:
    if place.is_file():
        return place
    files = sorted(place.glob("annotations/*.json")) or sorted(place.glob("*.json"))
    if len(files) > 1:
        files = [file for file in files if file.name.startswith("instances_")] or files
    if len(files) != 1:
        names = ", ".join(file.name for file in files) or "none"
        raise BoxseekError(f"{place} needs one COCO file, found {names}; name the one to read")
    return files[0]


def _document(file: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(file.read_bytes())
    except ValueError as exc:
        raise BoxseekError(f"{file} is no JSON: {exc}") from exc
    parts = ("images", "annotations", "categories")
    if not isinstance(document, dict) or not all(
        isinstance(document.get(part), list) for part in parts
    ):
        raise BoxseekError(f"{file} is no COCO file: it needs the lists {', '.join(parts)}")
    return document


def _told(exc: Exception) -> str:
    return f"{exc} is missing" if isinstance(exc, KeyError) else str(exc)
