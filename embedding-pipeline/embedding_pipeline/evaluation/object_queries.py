"""Queries by object: marked crops among each other, and both kinds of crops through the search."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from embedding_pipeline.bootstrap import Boxseek
from embedding_pipeline.domain.boxes import area, whole
from embedding_pipeline.domain.entries import Box, EntryFilter, object_id
from embedding_pipeline.errors import BoxseekError
from embedding_pipeline.evaluation.asking import (
    ALL_PASS,
    OBJECTS,
    Answer,
    Asked,
    again,
    first_pictures,
    object_answers,
    rate,
    sample,
)
from embedding_pipeline.evaluation.catalogue import DEEP, SMALLEST_SIDE, K
from embedding_pipeline.evaluation.gallery import Document, Gallery
from embedding_pipeline.evaluation.session import Session, ask_floor, guarded
from embedding_pipeline.pipeline.entries import to_entries
from embedding_pipeline.pipeline.runner import Priority
from embedding_pipeline.pipeline.tasks import PictureTask
from embedding_pipeline.ports.index import ObjectIndex
from embedding_pipeline.search.frozen import FrozenRankings
from embedding_pipeline.search.queries import QueryStore
from embedding_pipeline.search.results import IndexedImage, IndexedObject, SearchRequest
from embedding_pipeline.search.service import SearchService


@dataclass(frozen=True, slots=True)
class MarkedBox:
    """A marked object that asks a question."""

    image_key: str
    box: Box
    label: str


def marked_boxes(gallery: Gallery) -> dict[str, MarkedBox]:
    """Marked objects that may ask, by a name of their own: large enough, and not ignored."""
    found = {}
    for key, picture in gallery.pictures.items():
        boxes = picture.boxes(gallery.sizes[key])
        for rank, (marked, box) in enumerate(zip(picture.objects, boxes, strict=True)):
            side = min(box[2] - box[0], box[3] - box[1])
            if not marked.ignored and side >= SMALLEST_SIDE and area(box) > 0:
                found[f"{picture.name}#{rank:04d}"] = MarkedBox(key, box, marked.label)
    return found


def ask_by_marked_crops(session: Session) -> None:
    """Marked boxes ask the search; its own index answers."""
    gallery = session.gallery
    boxes = marked_boxes(gallery)
    names = sample(boxes, session.most_queries)
    session.watcher.begin("marked crops ask", len(names))
    for name in names:
        asked = boxes[name]
        guarded(session, name, lambda asked=asked: _ask_marked(session, asked))  # type: ignore[misc]
        session.watcher.advance()


def ask_by_detected_crops(session: Session) -> None:
    """Indexed objects that lie on a marked one ask for the others by their stored vectors."""
    documents = session.gallery.documents
    able = (
        name
        for name, one in documents.items()
        if one.truth is not None and one.shorter_side >= SMALLEST_SIDE
    )
    names = sample(able, session.most_queries)
    session.watcher.begin("detected crops ask", len(names))
    for name in names:
        document = documents[name]
        guarded(session, name, lambda one=document: _ask_detected(session, one))  # type: ignore[misc]
        session.watcher.advance()


def ask_marked_among_marked(session: Session) -> None:
    """Marked crops, without labels, in an index of their own; each asks for the others."""
    boxseek, models = session.boxseek, session.boxseek.models
    if models is None:
        raise BoxseekError("the models are not loaded")
    version = boxseek.catalog.create(models.description)
    index = boxseek.catalog.open(version.name)
    try:
        marked = _fill_with_marked(session, index)
        service = _service_on(boxseek, index)
        names = sample(marked.documents, session.most_queries)
        session.watcher.begin("marked crops ask each other", len(names))
        for name in names:
            one = marked.documents[name]
            guarded(
                session,
                name,
                lambda one=one: _ask_indexed(session, service, marked, one, "marked", OBJECTS),  # type: ignore[misc]
            )
            session.watcher.advance()
    finally:
        index.close()
        boxseek.catalog.drop(version.name)


def _ask_marked(session: Session, asked: MarkedBox) -> None:
    gallery, service = session.gallery, session.boxseek.search_service
    name = gallery.names[asked.image_key]
    request = SearchRequest(
        IndexedImage(asked.image_key),
        asked.box,
        where=OBJECTS,
        min_score=ALL_PASS,
        limit=first_pictures(DEEP),
    )
    started = time.perf_counter()
    page = service.search(request)
    session.tallies["ms_per_query"].add(name, (time.perf_counter() - started) * 1000)
    request = again(request, page)
    answers = object_answers(page, asked.image_key, gallery.truth_of, asked.label)
    marked = gallery.marked_elsewhere(asked.label, asked.image_key)
    if marked:
        rate(session.tallies, "archive", name, _each_once(gallery, answers), marked)
    possible = gallery.possible(asked.label, asked.image_key)
    if possible:
        average = rate(session.tallies, "asked", name, [a.right for a in answers], possible)
        session.worst["asked"].add(
            Asked(name, asked.image_key, asked.box, asked.label, average, tuple(answers[:K]))
        )
        for kind, variant in _variants(session, request, asked.label):
            page = service.search(variant)
            answers = object_answers(page, asked.image_key, gallery.truth_of, asked.label)
            rate(session.tallies, f"asked_{kind}", name, [a.right for a in answers], possible)
    _ask_floor(session, request, asked, answerable=bool(possible))


def _ask_floor(
    session: Session, request: SearchRequest, asked: MarkedBox, *, answerable: bool
) -> None:
    """What the floor in force does to this query, with and without true matches in the index."""
    name = session.gallery.names[asked.image_key]
    ask_floor(
        session,
        SearchRequest(request.source, request.box),
        name,
        held_out=lambda key: asked.label not in session.gallery.classes.get(key, frozenset()),
        others=(lambda key: key != asked.image_key) if answerable else None,
    )


def _ask_detected(session: Session, asked: Document) -> None:
    service, gallery = session.boxseek.search_service, session.gallery
    _ask_indexed(session, service, gallery, asked, "detected", OBJECTS)
    if session.boxseek.settings.label_weight:
        _ask_indexed(session, service, gallery, asked, "detected_looks", OBJECTS, looks=True)
    if asked.label is not None:
        where = EntryFilter(kinds=("object",), labels=(asked.label,))
        _ask_indexed(session, service, gallery, asked, "detected_label", where)


def _ask_indexed(
    session: Session,
    service: SearchService,
    gallery: Gallery,
    asked: Document,
    kind: str,
    where: EntryFilter,
    *,
    looks: bool = False,
) -> None:
    """An entry asks for the others of its class in other pictures; ``looks``: by them alone."""
    label = asked.truth or ""
    possible = gallery.possible(label, asked.image_key)
    if not possible:
        return
    source = IndexedObject(asked.object_id)
    request = SearchRequest(
        source,
        where=where,
        min_score=ALL_PASS,
        limit=first_pictures(DEEP),
        label_weight=0.0 if looks else None,
    )
    page = service.search(request)
    answers = object_answers(page, asked.image_key, gallery.truth_of, label)
    name = gallery.names[asked.image_key]
    average = rate(session.tallies, kind, name, [a.right for a in answers], possible)
    if kind in session.worst:
        session.worst[kind].add(
            Asked(name, asked.image_key, asked.box, label, average, tuple(answers[:K]))
        )


def _fill_with_marked(session: Session, index: ObjectIndex) -> Gallery:
    """An index of the marked boxes that may ask, cut out and embedded by the same pipeline."""
    boxseek, gallery = session.boxseek, session.gallery
    marked = Gallery(names=gallery.names, pictures=gallery.pictures, sizes=gallery.sizes)
    by_picture: dict[str, list[MarkedBox]] = {}
    for box in marked_boxes(gallery).values():
        by_picture.setdefault(box.image_key, []).append(box)
    session.watcher.begin("embedding marked crops", len(by_picture))
    keys = list(by_picture)
    for start in range(0, len(keys), boxseek.settings.batch_pictures):
        some = keys[start : start + boxseek.settings.batch_pictures]
        _put_marked(boxseek, index, marked, {key: by_picture[key] for key in some})
        session.watcher.advance(len(some))
    index.make_searchable()
    return marked


def _put_marked(
    boxseek: Boxseek,
    index: ObjectIndex,
    marked: Gallery,
    boxes: dict[str, list[MarkedBox]],
) -> None:
    tasks = [
        PictureTask(
            boxseek.originals.read(key),
            key=key,
            select=(whole(marked.sizes[key]), *(one.box for one in found)),
            detect=False,
        )
        for key, found in boxes.items()
    ]
    results = boxseek.runner.run(tasks, Priority.UPLOAD)
    now = datetime.now(UTC)
    report = index.put([to_entries(one.key, one, ingested_at=now) for one in results])
    if report.failures:
        raise BoxseekError(f"marked crops could not be indexed: {report.failures[0].reason}")
    for key, found in boxes.items():
        for rank, one in enumerate(found, 1):
            marked.add(Document(object_id(key, rank), key, one.box, None, one.label))


def _service_on(boxseek: Boxseek, index: ObjectIndex) -> SearchService:
    """The product's search on another index, its other parts the product's own."""
    return SearchService(
        index=lambda: index,
        ask=lambda task: boxseek.runner.run([task], Priority.SEARCH)[0],
        read_original=boxseek.originals.read,
        queries=QueryStore(
            boxseek.settings.data_dir / "marked",
            ttl_s=boxseek.settings.query_ttl_s,
            max_queries=boxseek.settings.max_queries,
            max_bytes=boxseek.settings.max_query_bytes,
        ),
        rankings=FrozenRankings(ttl_s=boxseek.settings.cursor_ttl_s),
        labels=lambda: None,
        max_results=boxseek.settings.max_results,
    )


def _labels(session: Session) -> Sequence[str]:
    models = session.boxseek.models
    return models.detector.labels if models else ()


def _each_once(gallery: Gallery, answers: Sequence[Answer]) -> list[bool]:
    """Whether each answer is right, each marked object once and those that are ignored never."""
    seen: set[tuple[str, int]] = set()
    right = []
    for answer in answers:
        marked = gallery.documents[answer.object_id].marked
        if marked is not None:
            if gallery.pictures[answer.image_key].objects[marked].ignored:
                continue
            if (answer.image_key, marked) in seen:
                continue
            seen.add((answer.image_key, marked))
        right.append(answer.right)
    return right


def _variants(
    session: Session, request: SearchRequest, label: str
) -> Iterator[tuple[str, SearchRequest]]:
    """The same question by looks alone, where the settings weigh classes, and with a filter."""
    if session.boxseek.settings.label_weight:
        yield "looks", replace(request, label_weight=0.0)
    if label in _labels(session):
        yield "label", replace(request, where=EntryFilter(kinds=("object",), labels=(label,)))
