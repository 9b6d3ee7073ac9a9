"""Queries by whole picture: some pictures of every class ask, the others answer."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from embedding_pipeline.domain.entries import EntryFilter
from embedding_pipeline.evaluation.asking import (
    ALL_PASS,
    Answer,
    Asked,
    again,
    first_pictures,
    rate,
    sample,
)
from embedding_pipeline.evaluation.catalogue import DEEP, K
from embedding_pipeline.evaluation.gallery import key_of
from embedding_pipeline.evaluation.labelled import LabelledPicture
from embedding_pipeline.evaluation.measures import average_precision_of_found
from embedding_pipeline.evaluation.session import Session, ask_floor, guarded
from embedding_pipeline.search.results import Hit, PictureBytes, SearchRequest

WHOLE = EntryFilter(kinds=("image",))


def split(
    pictures: Sequence[LabelledPicture], gallery_a_class: int, queries_a_class: int
) -> tuple[list[LabelledPicture], list[LabelledPicture]]:
    """Which pictures are indexed and which ask.

    Of every class, in the order of names, the first are indexed and the next ask. A class with
    fewer pictures keeps one for asking as long as it has two.

    Args:
        pictures: with classes; those without are indexed.
        gallery_a_class: pictures of a class that are indexed at most; 0 for all but those that
            ask.
        queries_a_class: pictures of a class that ask at most.

    Returns:
        What is indexed and what asks, in order of names.
    """
    by_class: dict[str, list[LabelledPicture]] = defaultdict(list)
    gallery = []
    for picture in sorted(pictures, key=lambda one: one.name):
        if picture.label is None:
            gallery.append(picture)
        else:
            by_class[picture.label].append(picture)
    queries = []
    for members in by_class.values():
        most = len(members) - min(queries_a_class, max(1, len(members) - gallery_a_class))
        kept = max(1, min(gallery_a_class or len(members), most))
        gallery += members[:kept]
        queries += members[kept : kept + queries_a_class]
    return sorted(gallery, key=lambda one: one.name), sorted(queries, key=lambda one: one.name)


def ask_by_pictures(session: Session, queries: Sequence[LabelledPicture]) -> None:
    """Every query picture is sent to the search with scope image; whole pictures answer."""
    by_name = {picture.name: picture for picture in queries}
    names = sample(by_name, session.most_queries)
    totals = Counter(one.label for one in session.gallery.pictures.values())
    session.watcher.begin("pictures ask", len(names))
    for name in names:
        picture = by_name[name]
        guarded(session, name, lambda one=picture: _ask(session, one, totals))  # type: ignore[misc]
        session.watcher.advance()


def _ask(session: Session, picture: LabelledPicture, totals: Counter[str | None]) -> None:
    label, service = picture.label or "", session.boxseek.search_service
    data = picture.read(session.boxseek.settings.max_bytes)
    own = key_of(data)
    request = SearchRequest(
        PictureBytes(data),
        scope="image",
        where=WHOLE,
        min_score=ALL_PASS,
        limit=first_pictures(DEEP),
    )
    started = time.perf_counter()
    page = service.search(request)
    session.tallies["ms_per_query"].add(picture.name, (time.perf_counter() - started) * 1000)
    possible = totals[label] - int(own in session.gallery.pictures)
    if possible:
        answers = [_answer(session, hit, label) for hit in page.hits if hit.image_key != own]
        right = [answer.right for answer in answers]
        average = rate(session.tallies, "image", picture.name, right, possible)
        of_found = average_precision_of_found(np.array(right, dtype=bool), K)
        session.tallies["image_map10_found"].add(picture.name, of_found)
        asked = Asked(picture.name, own, None, label, average, tuple(answers[:K]))
        session.worst["image"].add(asked)
    stored = again(request, page)
    gallery = session.gallery

    def held_out(key: str) -> bool:
        return label not in gallery.classes.get(key, frozenset())

    ask_floor(
        session,
        SearchRequest(stored.source, stored.box, where=WHOLE),
        picture.name,
        held_out=held_out,
        others=(lambda key: key != own) if possible else None,
    )


def _answer(session: Session, hit: Hit, label: str) -> Answer:
    picture = session.gallery.pictures.get(hit.image_key)
    best = hit.matches[0]
    truth = picture.label if picture else None
    return Answer(hit.image_key, best.entry.box_xyxy, None, truth, hit.score, truth == label)
