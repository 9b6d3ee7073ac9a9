"""The search service: a question in, pages of a frozen ranking out."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace

from embedding_pipeline.domain.entries import Detection, LabelPreference, image_key_of
from embedding_pipeline.errors import CursorExpired, DescriptionMismatch, InvalidQuery, UnknownLabel
from embedding_pipeline.pipeline.tasks import PictureTask, Select
from embedding_pipeline.ports.index import ObjectIndex
from embedding_pipeline.search.choice import class_of
from embedding_pipeline.search.folding import ALIKE
from embedding_pipeline.search.frozen import (
    FrozenRanking,
    FrozenRankings,
    make_cursor,
    read_cursor,
)
from embedding_pipeline.search.levels import LevelsOfIndex
from embedding_pipeline.search.queries import QueryStore, StoredQuery
from embedding_pipeline.search.ranking import Question, hits, rank
from embedding_pipeline.search.results import (
    Hit,
    IndexedImage,
    IndexedObject,
    QueryView,
    SearchPage,
    SearchRequest,
    Timings,
)
from embedding_pipeline.search.understanding import (
    Ask,
    QueryReader,
    Understood,
    timings_of,
)

MAX_LIMIT = 100
EXCHANGES = 3
"""How often a question is asked anew because the models were exchanged meanwhile."""


@dataclass(frozen=True, slots=True)
class Detected:
    """The objects of a picture.

    Args:
        size_wh: pixels of the upright picture.
        objects: in the order that ranks follow.
        truncated: more were found than are kept.
        timings: of decoding and detecting.
    """

    size_wh: tuple[int, int]
    objects: tuple[Detection, ...]
    truncated: bool
    timings: Timings


class SearchService:
    """Answers questions; may be used from many threads at once.

    Args:
        index: gives the index to search, or raises why there is none now.
        ask: runs one picture through the pipeline, or raises why it cannot now.
        read_original: bytes of a stored picture by image key.
        queries: where query pictures are kept.
        rankings: where frozen rankings are kept.
        labels: the detector's classes; None while they are not known.
        fetch: bytes behind an address, or None where addresses are not allowed.
        attending: entered while a question is answered; background work then waits.
        max_results: images that one search can page through.
        min_score: floor of a search that names none.
        label_weight: how much an equal class adds to a score for the order, of a search that
            names no weight; 0 ranks by looks alone.
        fold: whether near-duplicates make one result, of a search that does not say.
    """

    def __init__(
        self,
        *,
        index: Callable[[], ObjectIndex],
        ask: Ask,
        read_original: Callable[[str], bytes],
        queries: QueryStore,
        rankings: FrozenRankings,
        labels: Callable[[], Sequence[str] | None],
        fetch: Callable[[str], bytes] | None = None,
        attending: Callable[[], AbstractContextManager[object]] = nullcontext,
        max_results: int = 600,
        min_score: float = -1.0,
        label_weight: float = 0.0,
        fold: bool = False,
    ) -> None:
        self._index = index
        self._ask = ask
        self._queries = queries
        self._rankings = rankings
        self._labels = labels
        self._attending = attending
        self._max_results = max_results
        self._min_score = min_score
        self._label_weight = label_weight
        self._fold = fold
        self._levels = LevelsOfIndex()
        self._reader = QueryReader(
            ask=ask, read_original=read_original, queries=queries, fetch=fetch
        )

    def search(self, request: SearchRequest) -> SearchPage:
        """Answer a question with the first page of a ranking that is frozen for the rest.

        Args:
            request: the question.

        Raises:
            QueryError: the question makes no sense, or names what does not exist.
            IndexError_: the index cannot answer.
            ProxyError: the picture is none.
        """
        started = time.perf_counter()
        _check_limit(request.limit)
        self._check_labels(request.where.labels)
        with self._attending():
            index, understood = self._understood(request)
            searching = time.perf_counter()
            page = self._first_page(index, request, understood)
        return _timed(page, understood.timings, started, searching)

    def page(self, cursor: str, limit: int | None = None) -> SearchPage:
        """A further page of a frozen ranking.

        Pictures that were deleted meanwhile drop out, without repeating or skipping others;
        pictures added meanwhile do not come in.

        Args:
            cursor: from an earlier page.
            limit: images on this page; None takes that of the first page.

        Raises:
            CursorExpired: the ranking is gone.
            InvalidQuery: this is no cursor, or the limit is out of range.
        """
        started = time.perf_counter()
        token, offset = read_cursor(cursor)
        frozen = self._rankings.get(token)
        limit = frozen.limit if limit is None else limit
        _check_limit(limit)
        index = self._index()
        if index.version.name != frozen.version:
            raise CursorExpired("The index was exchanged since; search again.")
        found, offset = _hits_from(index, frozen, offset, limit)
        page = replace(_page(frozen, token, found, offset), levels=self._levels(index))
        return _timed(page, Timings(), started, started)

    def detect(self, data: bytes) -> Detected:
        """Find the objects of a picture; nothing is searched or kept."""
        started = time.perf_counter()
        result = self._ask(PictureTask(data, select=Select.NONE)).checked()
        total = (time.perf_counter() - started) * 1000
        timings = replace(timings_of(result), total=total)
        return Detected(result.size_wh, result.detections, result.truncated, timings)

    def query(self, query_id: str) -> StoredQuery:
        """A stored query; UnknownQuery when there is none (any more)."""
        return self._queries.get(query_id)

    def query_expires_at(self, query: StoredQuery) -> float:
        """When a stored query is forgotten, seconds since the epoch."""
        return self._queries.expires_at(query)

    def query_picture(self, query_id: str) -> bytes:
        """Bytes of the picture of a stored query."""
        return self._reader.picture_of(self._queries.get(query_id))

    def delete_query(self, query_id: str) -> bool:
        """Forget a stored query; False if there was none."""
        return self._queries.delete(query_id)

    def _understood(self, request: SearchRequest) -> tuple[ObjectIndex, Understood]:
        """An index and a question of the same models, although both may be exchanged now."""
        for _ in range(EXCHANGES):
            index = self._index()
            with suppress(DescriptionMismatch):
                return index, self._reader.understand(request, index)
        index = self._index()
        return index, self._reader.understand(request, index)

    def _first_page(
        self, index: ObjectIndex, request: SearchRequest, understood: Understood
    ) -> SearchPage:
        question, view = self._question(request, understood)
        ranking = rank(index, question, max_images=self._max_results)
        frozen = FrozenRanking(
            question=question,
            version=index.version.name,
            image_keys=ranking.image_keys,
            facets=ranking.facets,
            query=view,
            query_id=understood.query_id,
            limit=request.limit,
            folded=ranking.folded,
        )
        found, offset = _hits_from(index, frozen, 0, request.limit)
        more = offset < len(frozen.image_keys)
        token = self._rankings.keep(frozen) if more else ""
        return replace(_page(frozen, token, found, offset), levels=self._levels(index))

    def _question(
        self, request: SearchRequest, understood: Understood
    ) -> tuple[Question, QueryView]:
        """What is asked of the index, and the query as a person sees it."""
        floor = self._min_score if request.min_score is None else request.min_score
        weight = self._label_weight if request.label_weight is None else request.label_weight
        view = understood.view
        label = class_of(view.searched_box, view.objects) if weight > 0 else None
        fold = self._fold if request.fold is None else request.fold
        question = Question(
            understood.vector,
            request.where,
            floor,
            prefer=None if label is None else LabelPreference(label, weight),
            fold=ALIKE if fold else None,
            own_key=_own_key(request),
        )
        return question, replace(view, preferred_label=label)

    def _check_labels(self, wanted: Sequence[str]) -> None:
        known = self._labels()
        for label in wanted:
            if known is not None and label not in known:
                close = difflib.get_close_matches(label, known, n=3, cutoff=0.5)
                raise UnknownLabel(
                    f"The detector knows no label {label!r}"
                    + (f"; did you mean {' or '.join(close)}?" if close else "."),
                    parameter="labels",
                    actual=label,
                    close=close,
                )


def _hits_from(
    index: ObjectIndex, frozen: FrozenRanking, offset: int, limit: int
) -> tuple[list[Hit], int]:
    """Hits of a frozen ranking from a place on, and the place after the last one."""
    found: list[Hit] = []
    while len(found) < limit and offset < len(frozen.image_keys):
        keys = frozen.image_keys[offset : offset + limit - len(found)]
        offset += len(keys)
        found += [
            replace(hit, folded=frozen.folded.get(hit.image_key, 0))
            for hit in hits(index, frozen.question, keys)
        ]
    return found, offset


def _own_key(request: SearchRequest) -> str | None:
    """The picture of the index that a question names."""
    match request.source:
        case IndexedObject(name):
            return image_key_of(name)
        case IndexedImage(key):
            return key
        case _:
            return None


def _page(frozen: FrozenRanking, token: str, found: Sequence[Hit], offset: int) -> SearchPage:
    more = offset < len(frozen.image_keys)
    return SearchPage(
        query=frozen.query,
        hits=tuple(found),
        facets=frozen.facets,
        query_id=frozen.query_id,
        next_cursor=make_cursor(token, offset) if more else None,
        timings=Timings(),
        folded=sum(frozen.folded.values()),
    )


def _timed(page: SearchPage, steps: Timings, started: float, searching: float) -> SearchPage:
    now = time.perf_counter()
    timings = replace(steps, search=(now - searching) * 1000, total=(now - started) * 1000)
    return replace(page, timings=timings)


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidQuery(
            f"limit is {limit}, but a page has 1 to {MAX_LIMIT} images.",
            parameter="limit",
            actual=limit,
        )
