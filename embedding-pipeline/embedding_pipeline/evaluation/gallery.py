"""What is searched in: labelled pictures in an index, and what each of its entries really shows."""

from __future__ import annotations

import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.bootstrap import Boxseek
from embedding_pipeline.domain.entries import Box, Entry
from embedding_pipeline.evaluation.labelled import LabelledPicture, Problem, box_array
from embedding_pipeline.evaluation.measures import (
    covered_by,
    match_objects,
    true_classes,
    true_objects,
)
from embedding_pipeline.evaluation.tallies import Tally
from embedding_pipeline.ingest.library import Upload

BoolRow: TypeAlias = NDArray[np.bool_]


class Watcher(Protocol):
    """Is told how far a measurement is."""

    def begin(self, stage: str, total: int) -> None:
        """A stage with this many steps begins."""
        ...

    def advance(self, steps: int = 1) -> None:
        """So many steps of the stage are done."""
        ...


@dataclass(frozen=True, slots=True)
class Document:
    """An entry of kind object.

    Args:
        object_id: its name in the index.
        image_key: its picture's.
        box: pixels of the upright picture.
        label: what the detector says; None for one that people marked.
        truth: class of the marked object that it lies on, or None.
        marked: number of that object among its picture's, or None.
    """

    object_id: str
    image_key: str
    box: Box
    label: str | None
    truth: str | None
    marked: int | None = None

    @property
    def shorter_side(self) -> float:
        """Pixels."""
        x1, y1, x2, y2 = self.box
        return min(x2 - x1, y2 - y1)


@dataclass(slots=True)
class Gallery:
    """What an index holds, and what is true of it.

    Args:
        names: picture names by image key.
        pictures: the labelled pictures by image key.
        documents: by object id.
        classes: by image key, every class that is marked or detected in the picture.
        sizes: by image key, pixels of the upright picture, ``(width, height)``.
    """

    names: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, LabelledPicture] = field(default_factory=dict)
    documents: dict[str, Document] = field(default_factory=dict)
    classes: dict[str, frozenset[str]] = field(default_factory=dict)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    _totals: Counter[str] = field(default_factory=Counter)
    _by_picture: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    _marked: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, document: Document) -> None:
        """Add a document."""
        self.documents[document.object_id] = document
        if document.truth is not None:
            self._totals[document.truth] += 1
            self._by_picture[document.image_key][document.truth] += 1

    def possible(self, label: str, image_key: str) -> int:
        """Documents that really show this class, in other pictures than this one."""
        own = self._by_picture[image_key][label] if image_key in self._by_picture else 0
        return self._totals[label] - own

    def marked_elsewhere(self, label: str, image_key: str) -> int:
        """Marked objects of this class, in the index or not, in other pictures than this one."""
        if not self._marked:
            for key, picture in self.pictures.items():
                self._marked[key] = Counter(o.label for o in picture.objects if not o.ignored)
        return sum(counts[label] for key, counts in self._marked.items() if key != image_key)

    def truth_of(self, object_id: str) -> str | None:
        """What an entry really shows; None also for one that is not here."""
        document = self.documents.get(object_id)
        return document.truth if document else None


def fill_gallery(
    boxseek: Boxseek,
    pictures: Sequence[LabelledPicture],
    tallies: dict[str, Tally],
    problems: list[Problem],
    watcher: Watcher,
) -> Gallery:
    """Bring pictures in as uploads do, and measure what the index has of them.

    Args:
        boxseek: open and empty, its models loaded.
        pictures: labelled.
        tallies: gets ms_per_picture and, where objects are marked, coverage and its company.
        problems: gets what was not indexed, with the reason.
        watcher: told of every picture.
    """
    watcher.begin("indexing", len(pictures))
    gallery = Gallery()
    for batch in _batches(pictures, boxseek.settings.batch_pictures):
        started = time.perf_counter()
        read = list(_read(batch, boxseek.settings.max_bytes, problems))
        results = boxseek.library.add([Upload(picture.name, data) for picture, data in read])
        elapsed_ms = (time.perf_counter() - started) * 1000
        for (picture, _), result in zip(read, results, strict=True):
            tallies["ms_per_picture"].add(picture.name, elapsed_ms / len(read))
            if result.status == "indexed":
                _measure(boxseek, gallery, picture, result.image_key, tallies)
            elif result.status == "duplicate":
                same = gallery.names.get(result.image_key, "an earlier one")
                problems.append(Problem(picture.name, f"the same file as {same}; counted once"))
            else:
                problems.append(Problem(picture.name, result.reason or result.status))
        watcher.advance(len(batch))
    return gallery


def key_of(data: bytes) -> str:
    """Image key of a picture's bytes."""
    return hashlib.sha256(data).hexdigest()


def _measure(
    boxseek: Boxseek,
    gallery: Gallery,
    picture: LabelledPicture,
    key: str,
    tallies: dict[str, Tally],
) -> None:
    stored = boxseek.library.entries(key)
    entries = stored.entries if stored else ()
    gallery.names[key], gallery.pictures[key] = picture.name, picture
    size_wh = entries[0].image_size_wh if entries else (1, 1)
    gallery.sizes[key] = size_wh
    objects = [entry for entry in entries if entry.kind == "object"]
    found = box_array([entry.box_xyxy for entry in objects])
    rows = true_objects(box_array(picture.boxes(size_wh)), found)
    truths = [None if row is None else picture.objects[row].label for row in rows]
    for entry, truth, row in zip(objects, truths, rows, strict=True):
        gallery.add(Document(entry.object_id, key, entry.box_xyxy, entry.label, truth, row))
    seen = {marked.label for marked in picture.objects}
    seen |= {entry.label for entry in objects if entry.label is not None}
    gallery.classes[key] = frozenset(seen | ({picture.label} if picture.label else set()))
    if picture.objects or picture.label is None:
        _count(picture, picture.boxes(size_wh), objects, truths, tallies)


def _count(
    picture: LabelledPicture,
    boxes: Sequence[Box],
    objects: Sequence[Entry],
    truths: Sequence[str | None],
    tallies: dict[str, Tally],
) -> None:
    """Coverage, documents an object, precision and right labels of one picture."""
    asked = [row for row, marked in enumerate(picture.objects) if not marked.ignored]
    found = box_array([entry.box_xyxy for entry in objects])
    labels = [entry.label or "" for entry in objects]
    matched, right = match_objects(
        box_array([boxes[row] for row in asked]),
        [picture.objects[row].label for row in asked],
        found,
        labels,
    )
    neither = _beside_the_point(picture, boxes, objects) & ~right
    name = picture.name
    tallies["coverage"].add(name, float(matched.sum()), len(asked))
    tallies["documents_per_object"].add(name, len(objects), len(asked))
    counted = int((~neither).sum())
    tallies["document_precision"].add(name, float(right.sum()), counted)
    on_one = [(label, truth) for label, truth in zip(labels, truths, strict=True) if truth]
    same = sum(label == truth for label, truth in on_one)
    tallies["label_accuracy"].add(name, same, len(on_one))


def _beside_the_point(
    picture: LabelledPicture, boxes: Sequence[Box], objects: Sequence[Entry]
) -> BoolRow:
    """Findings that count neither way: on something ignored, or inside a crowd of their class."""
    found = box_array([entry.box_xyxy for entry in objects])
    beside: BoolRow = covered_by(box_array([]), found)
    for marked, box in zip(picture.objects, boxes, strict=True):
        if not marked.ignored:
            continue
        same = [entry.label == marked.label for entry in objects]
        if marked.crowd:
            touched = covered_by(box_array([box]), found)
        else:
            classes = true_classes(box_array([box]), [marked.label], found)
            touched = np.array([one is not None for one in classes], dtype=bool)
        beside |= touched & np.array(same, dtype=bool)
    return beside


def _read(
    batch: Sequence[LabelledPicture], max_bytes: int, problems: list[Problem]
) -> Iterator[tuple[LabelledPicture, bytes]]:
    """Pictures with their bytes; one that cannot be read is a problem."""
    for picture in batch:
        try:
            yield picture, picture.read(max_bytes)
        except OSError as exc:
            problems.append(Problem(picture.name, f"it cannot be read: {exc.strerror}"))


def _batches(pictures: Sequence[LabelledPicture], size: int) -> Iterator[Sequence[LabelledPicture]]:
    for start in range(0, len(pictures), size):
        yield pictures[start : start + size]
