"""Two versions of the index asked the same, so that wrong weights show before the flip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.boxes import iou_matrix
from embedding_pipeline.domain.entries import Entry, EntryFilter, PictureEntries
from embedding_pipeline.errors import IndexConflict
from embedding_pipeline.ports.index import ObjectIndex

QUERIES = 100
NEIGHBOURS = 10
CANDIDATES = 60
"""Entries that are asked for to get NEIGHBOURS other pictures."""
SAME_OBJECT_IOU = 0.5
SAME_SCORE = 1e-4
"""Entries within this of the best score tie with it: equal crops have equal vectors."""

LEAST_SELF_FOUND = 0.95
LEAST_SHARED = 0.25
"""Of what chance leaves over. Random weights reach about 0.1, because pictures that look alike
in brightness and colour stay near each other."""

LEAST_LABELS = 0.8
"""Of the version before: one that shares too little but keeps labels together is no worse."""
LEAST_PICTURES = 50
"""In a smaller index neighbours are shared by chance, so their share says nothing."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Answers of two versions to the same questions.

    Args:
        queries: objects (whole pictures where there are none) of the new version that were
            asked with.
        self_found: share of them that the new version finds first, ties counted as first.
        compared: queries whose object the old version has too (boxes overlap by at least
            SAME_OBJECT_IOU).
        shared: mean share of the NEIGHBOURS nearest other pictures that both versions give.
        by_chance: what two unrelated orders would share.
        same_label: share of an object's NEIGHBOURS that have its label, in the old and in the
            new version; the detector's labels know nothing of the embedder, so this tells
            which of two versions that do not agree is the better one.
        pictures: of the old and of the new version.
        objects: likewise.
    """

    queries: int
    self_found: float
    compared: int
    shared: float
    by_chance: float
    same_label: tuple[float, float]
    pictures: tuple[int, int]
    objects: tuple[int, int]

    def line(self) -> str:
        """One sentence for people."""
        return (
            f"{self.queries} sample queries: {self.self_found:.1%} find themselves first; "
            f"{self.shared:.0%} of the {NEIGHBOURS} nearest pictures are those of the version "
            f"before (chance: {self.by_chance:.0%}, {self.compared} compared); objects beside them "
            f"have their label in {self.same_label[1]:.0%}, before in {self.same_label[0]:.0%}"
        )


def sample_pictures(index: ObjectIndex, count: int) -> list[PictureEntries]:
    """Pictures spread over the key space; keys are hashes, so this is a fair sample."""
    keys: dict[str, None] = {}
    for number in range(count):
        start = f"{number * 2**32 // count:08x}"
        page = index.pictures(after=start, limit=1) or index.pictures(limit=1)
        keys |= {entry.image_key: None for entry in page}
    found = (index.picture(key) for key in keys)
    return [one for one in found if one is not None and one.entries]


def compare(old: ObjectIndex, new: ObjectIndex, *, queries: int = QUERIES) -> Comparison:
    """Ask both versions with objects of the new one; both must be searchable."""
    asked = self_found = 0
    shares: list[float] = []
    labelled: list[tuple[float, float]] = []
    for number, picture in enumerate(sample_pictures(new, queries)):
        row = 1 + number % (len(picture.entries) - 1) if len(picture.entries) > 1 else 0
        entry, vector = picture.entries[row], picture.vectors[row]
        asked += 1
        self_found += finds_itself(new, entry, vector)
        earlier = _earlier_vector(old, entry)
        if earlier is not None:
            mine = _neighbours(new, entry, vector)
            theirs = _neighbours(old, entry, earlier)
            if theirs:
                shares.append(len(mine.keys() & theirs.keys()) / len(theirs))
            if mine and theirs and entry.label is not None:
                labelled.append((_same_label(entry, theirs), _same_label(entry, mine)))
    counts = old.count(), new.count()
    others = max(counts[1].pictures - 1, 1)
    return Comparison(
        queries=asked,
        self_found=self_found / asked if asked else 1.0,
        compared=len(shares),
        shared=float(np.mean(shares)) if shares else 1.0,
        by_chance=min(1.0, NEIGHBOURS / others),
        same_label=_means(labelled),
        pictures=(counts[0].pictures, counts[1].pictures),
        objects=(counts[0].objects, counts[1].objects),
    )


def check_sane(comparison: Comparison, version: str) -> None:
    """Refuse a version that wrong weights must have made.

    Raises:
        IndexConflict: objects do not find themselves, or the neighbours have nothing to do
            with those of the version before; says what to do.
    """
    problem = None
    if comparison.self_found < LEAST_SELF_FOUND:
        problem = f"only {comparison.self_found:.0%} of the sampled objects find themselves first"
    elif comparison.compared >= LEAST_PICTURES and comparison.pictures[1] >= LEAST_PICTURES:
        above = (comparison.shared - comparison.by_chance) / max(1 - comparison.by_chance, 1e-9)
        before, after = comparison.same_label
        if above < LEAST_SHARED and after < LEAST_LABELS * before:
            problem = "what lies near an object has little to do with the version before"
    if problem is None:
        return
    raise IndexConflict(
        f"Version {version} was filled but is not made active: {problem}. {comparison.line()}. "
        "The weights may be wrong (random, or another model's): look at `boxseek index status`. "
        "If the version before is the bad one, run the same command again with --force; "
        f"`boxseek index drop {version}` removes the new one.",
        version=version,
    )


def finds_itself(index: ObjectIndex, entry: Entry, vector: NDArray[np.float32]) -> bool:
    """Whether a search with an entry's own vector gives it first.

    Equal crops tie; when everything ties, the vectors say nothing and it counts as not found.
    """
    found = index.nearest(vector, limit=CANDIDATES, where=EntryFilter())
    tied = [one for one in found if found[0].score - one.score <= SAME_SCORE]
    if len(tied) > NEIGHBOURS and len(tied) == len(found):
        return False
    return entry.object_id in {one.object_id for one in tied}


def _earlier_vector(old: ObjectIndex, entry: Entry) -> NDArray[np.float32] | None:
    """Vector of the same object in the version before."""
    picture = old.picture(entry.image_key)
    if picture is None:
        return None
    rows = [row for row, one in enumerate(picture.entries) if one.kind == entry.kind]
    if not rows:
        return None
    boxes = np.array([picture.entries[row].box_xyxy for row in rows])
    overlaps = iou_matrix(np.array([entry.box_xyxy]), boxes)[0]
    best = int(overlaps.argmax())
    vector: NDArray[np.float32] = picture.vectors[rows[best]]
    return vector if overlaps[best] >= SAME_OBJECT_IOU else None


def _neighbours(
    index: ObjectIndex, entry: Entry, vector: NDArray[np.float32]
) -> dict[str, str | None]:
    """The nearest other pictures, at most NEIGHBOURS, and the label of what is near in each."""
    near: dict[str, str | None] = {}
    for one in index.nearest(vector, limit=CANDIDATES, where=EntryFilter(kinds=(entry.kind,))):
        if one.image_key != entry.image_key and len(near) < NEIGHBOURS:
            near.setdefault(one.image_key, one.label)
    return near


def _same_label(entry: Entry, near: Mapping[str, str | None]) -> float:
    return sum(label == entry.label for label in near.values()) / len(near)


def _means(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    if not pairs:
        return 0.0, 0.0
    old, new = np.mean(np.array(pairs), axis=0)
    return float(old), float(new)
