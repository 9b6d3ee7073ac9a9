"""One measurement: a labelled set through the whole product with one set of settings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from embedding_pipeline.bootstrap import ModelSource
from embedding_pipeline.evaluation.asking import Asked, Worst
from embedding_pipeline.evaluation.catalogue import MEASURES
from embedding_pipeline.evaluation.gallery import Gallery, Watcher, fill_gallery
from embedding_pipeline.evaluation.image_queries import ask_by_pictures, split
from embedding_pipeline.evaluation.index_recall import measure_recall
from embedding_pipeline.evaluation.labelled import LabelledPicture, LabelledSet, Problem
from embedding_pipeline.evaluation.object_queries import (
    ask_by_detected_crops,
    ask_by_marked_crops,
    ask_marked_among_marked,
)
from embedding_pipeline.evaluation.session import Floors, Session
from embedding_pipeline.evaluation.tallies import Figure, Tally
from embedding_pipeline.evaluation.trial import trial
from embedding_pipeline.models.samples import SAMPLE_PICTURES
from embedding_pipeline.settings import Settings

KINDS_SHOWN = ("asked", "detected", "image")
"""Kinds of queries whose worst are kept."""

SEARCH_SETTINGS = ("index", "label_weight", "fold", "min_score")
"""What decides rankings beside the models."""


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured.

    Args:
        most_queries: of one kind; more are drawn from with a fixed seed.
        gallery_a_class: pictures of a class that are indexed, where whole pictures have classes;
            0 for all but those that ask.
        queries_a_class: pictures of a class that ask.
        worst: worst queries of each kind that are kept for the report.
        embedder_alone: also index the marked crops by themselves.
    """

    most_queries: int = 2000
    gallery_a_class: int = 10
    queries_a_class: int = 1
    worst: int = 8
    embedder_alone: bool = True


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured with one set of settings.

    Args:
        name: what a person calls these settings.
        models: summary of the models' description.
        notice: what should be known of the models, or None.
        pictures: that are indexed.
        objects: marked in them and asked for.
        documents: entries of kind object.
        tallies: by key of the catalogue; a measure that this set cannot give has no items.
        floors: best scores of queries.
        worst: the worst queries by kind.
        problems: what could not be used or asked; nothing is left out silently.
        unknown_classes: marked classes that the detector does not know; it cannot find them.
        image_names: picture names by image key.
        description: of the models, as an index keeps it.
        search: settings of the search in force.
    """

    name: str
    models: str
    notice: str | None
    pictures: int
    objects: int
    documents: int
    tallies: dict[str, Tally]
    floors: Floors
    worst: dict[str, tuple[Asked, ...]]
    problems: tuple[Problem, ...]
    unknown_classes: tuple[str, ...]
    image_names: dict[str, str] = field(repr=False)
    description: dict[str, Any] = field(default_factory=dict, repr=False)
    search: dict[str, Any] = field(default_factory=dict)

    def figures(self) -> dict[str, Figure]:
        """Every measure that this set gave, in the order of the catalogue."""
        found = {m.key: self.tallies[m.key].figure() for m in MEASURES if m.key in self.tallies}
        return {key: figure for key, figure in found.items() if figure.items}


def measure(
    name: str,
    settings: Settings,
    labelled: LabelledSet,
    watcher: Watcher,
    *,
    options: Options | None = None,
    models: ModelSource | None = None,
) -> Measurement:
    """Index a labelled set in a temporary index, ask it, and count.

    Memory holds one batch of pictures, and of every document its name, box and classes.

    Args:
        name: what a person calls these settings.
        settings: of models, detection, search and index; the rest is the measurement's own.
        labelled: the set; class numbers take the detector's names.
        watcher: told of the progress.
        options: how much is measured.
        models: loads the models; None takes the real ones.

    Raises:
        BoxseekError: the models cannot be had, the index does not work.
    """
    options = options or Options()
    tallies: dict[str, Tally] = defaultdict(Tally)
    given = labelled.limited(SAMPLE_PICTURES).pictures

    def samples() -> Iterator[bytes]:
        for picture in given:
            with suppress(OSError):  # fill_gallery names it
                yield picture.read(settings.max_bytes)

    watcher.begin("loading models", 1)
    with trial(settings, models, samples) as boxseek:
        watcher.advance()
        loaded = boxseek.models
        known = loaded.detector.labels if loaded else ()
        labelled = labelled.named(known).with_aliases(known)
        problems = list(labelled.problems)
        indexed, asking = _parts(labelled, options)
        gallery = fill_gallery(boxseek, indexed, tallies, problems, watcher)
        worst = {kind: Worst(options.worst) for kind in KINDS_SHOWN}
        session = Session(
            boxseek, gallery, tallies, problems, watcher, options.most_queries, worst, Floors()
        )
        _ask(session, labelled, asking, options)
        measure_recall(boxseek.index(), tallies["ann_recall10"], watcher)
        marked = {one.label for picture in labelled.pictures for one in picture.objects}
        return Measurement(
            name=name,
            models=loaded.description.summary() if loaded else "",
            notice=loaded.notice if loaded else None,
            pictures=len(gallery.pictures),
            objects=_objects(gallery),
            documents=len(gallery.documents),
            tallies=dict(tallies),
            floors=session.floors,
            worst={kind: kept.list() for kind, kept in worst.items()},
            problems=tuple(problems),
            unknown_classes=tuple(sorted(marked - set(known))),
            image_names=dict(gallery.names),
            description=loaded.description.to_json() if loaded else {},
            search={name: getattr(settings, name) for name in SEARCH_SETTINGS},
        )


def _parts(
    labelled: LabelledSet, options: Options
) -> tuple[list[LabelledPicture], list[LabelledPicture]]:
    if not labelled.has_classes:
        return list(labelled.pictures), []
    return split(labelled.pictures, options.gallery_a_class, options.queries_a_class)


def _ask(
    session: Session, labelled: LabelledSet, asking: list[LabelledPicture], options: Options
) -> None:
    if labelled.has_objects:
        if options.embedder_alone:
            ask_marked_among_marked(session)
        ask_by_marked_crops(session)
        ask_by_detected_crops(session)
    if asking:
        ask_by_pictures(session, asking)


def _objects(gallery: Gallery) -> int:
    marked = chain.from_iterable(picture.objects for picture in gallery.pictures.values())
    return sum(not one.ignored for one in marked)
