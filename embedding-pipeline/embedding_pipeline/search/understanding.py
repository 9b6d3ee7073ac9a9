"""From a question to the vector that is searched with."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.domain.entries import (
    Box,
    Detection,
    Entry,
    PictureEntries,
    image_key_of,
)
from embedding_pipeline.errors import AddressRefused, UnknownImage, UnknownObject
from embedding_pipeline.pipeline.tasks import PictureResult, PictureTask
from embedding_pipeline.ports.index import ObjectIndex
from embedding_pipeline.search.choice import choose, label_of, same_box
from embedding_pipeline.search.live_index import check_description
from embedding_pipeline.search.queries import QueryStore, StoredQuery
from embedding_pipeline.search.results import (
    EarlierQuery,
    IndexedImage,
    IndexedObject,
    PictureAddress,
    PictureBytes,
    QueryView,
    SearchRequest,
    Timings,
)

_log = logging.getLogger(__name__)

NOTHING_RUN = Timings()
Ask = Callable[[PictureTask], PictureResult]


@dataclass(frozen=True, slots=True)
class Understood:
    """A question ready to be searched.

    Args:
        view: the query picture as it was understood.
        vector: ``(dimension,)`` float32.
        query_id: names the stored query; None where it could not be stored.
        timings: of decoding, detecting and embedding.
    """

    view: QueryView
    vector: NDArray[np.float32]
    query_id: str | None
    timings: Timings = NOTHING_RUN


class QueryReader:
    """Understands questions of every source.

    Args:
        ask: runs one picture through the pipeline; its failure is in the result.
        read_original: bytes of a stored picture by image key.
        queries: where query pictures are kept.
        fetch: bytes behind an address, or None where addresses are not allowed.
    """

    def __init__(
        self,
        *,
        ask: Ask,
        read_original: Callable[[str], bytes],
        queries: QueryStore,
        fetch: Callable[[str], bytes] | None = None,
    ) -> None:
        self._ask = ask
        self._read_original = read_original
        self._queries = queries
        self._fetch = fetch

    def understand(self, request: SearchRequest, index: ObjectIndex) -> Understood:
        """Find out what is searched for.

        Args:
            request: the question.
            index: the index that will be searched.

        Raises:
            QueryError: an unknown object, image or query, a bad box, a refused address.
            ProxyError: the picture is none, or its original cannot be read.
            DescriptionMismatch: the models were exchanged since the index was opened; ask
                again with the index of now.
        """
        match request.source:
            case PictureBytes(data):
                return self._sent(data, request, index)
            case PictureAddress(url):
                return self._sent(self._fetched(url), request, index)
            case IndexedObject(object_id):
                return self._indexed_object(object_id, request, index)
            case IndexedImage(image_key):
                return self._indexed_image(image_key, request, index)
            case EarlierQuery(query_id):
                return self._earlier(query_id, request, index)

    def _fetched(self, url: str) -> bytes:
        if self._fetch is None:
            raise AddressRefused(
                "Searching by address is switched off; set BOXSEEK_ALLOW_URLS=true to allow it."
            )
        return self._fetch(url)

    def _sent(self, data: bytes, request: SearchRequest, index: ObjectIndex) -> Understood:
        def chosen(objects: tuple[Detection, ...], size_wh: tuple[int, int]) -> Sequence[Box]:
            box = choose(box=request.box, scope=request.scope, size_wh=size_wh, objects=objects)
            return (box,)

        result = _made_for(index, self._ask(PictureTask(data, select=chosen)).checked())
        box, vector = result.regions[0].box, result.vectors[0]
        stored = _query(result.size_wh, result.detections, box, vector, index)
        query_id = self._store(replace(stored, truncated=result.truncated), data)
        view = _view(result.size_wh, result.detections, box)
        return Understood(view, vector, query_id, timings_of(result))

    def _indexed_object(
        self, object_id: str, request: SearchRequest, index: ObjectIndex
    ) -> Understood:
        picture = index.picture(image_key_of(object_id))
        entries = picture.entries if picture else ()
        row = next((i for i, entry in enumerate(entries) if entry.object_id == object_id), None)
        if picture is None or row is None:
            raise UnknownObject("No entry has this object_id.", object_id=object_id[:100])
        if request.box is not None or request.scope == "image":
            return self._of_picture(picture, request, index)
        return self._stored_entry(picture, row, index)

    def _indexed_image(
        self, image_key: str, request: SearchRequest, index: ObjectIndex
    ) -> Understood:
        picture = index.picture(image_key)
        if picture is None:
            raise UnknownImage("No picture has this image_key.", image_key=image_key[:100])
        return self._of_picture(picture, request, index)

    def _of_picture(
        self, picture: PictureEntries, request: SearchRequest, index: ObjectIndex
    ) -> Understood:
        size_wh, objects = picture.entries[0].image_size_wh, detections_of(picture.entries)
        box = choose(box=request.box, scope=request.scope, size_wh=size_wh, objects=objects)
        for row in (*range(1, len(picture.entries)), 0):
            if same_box(box, picture.entries[row].box_xyxy):
                return self._stored_entry(picture, row, index)
        result = self._embed(self._read_original(picture.image_key), box, index)
        vector = result.vectors[0]
        stored = _query(size_wh, objects, box, vector, index, image_key=picture.image_key)
        return Understood(
            _view(size_wh, objects, box), vector, self._store(stored, None), timings_of(result)
        )

    def _stored_entry(self, picture: PictureEntries, row: int, index: ObjectIndex) -> Understood:
        entry, vector = picture.entries[row], picture.vectors[row]
        objects = detections_of(picture.entries)
        view = QueryView(entry.image_size_wh, objects, entry.box_xyxy, entry.label)
        stored = _query(
            entry.image_size_wh,
            objects,
            entry.box_xyxy,
            vector,
            index,
            image_key=picture.image_key,
        )
        return Understood(view, vector, self._store(stored, None))

    def _earlier(self, query_id: str, request: SearchRequest, index: ObjectIndex) -> Understood:
        stored = self._queries.get(query_id)
        if stored.models != fingerprint(index.version.description):
            return self._asked_anew(stored, request, index)
        box = choose(
            box=request.box, scope=request.scope, size_wh=stored.size_wh, objects=stored.objects
        )
        view = _view(stored.size_wh, stored.objects, box)
        known = stored.vectors.get(box)
        if known is not None:
            return Understood(view, known, query_id)
        result = self._embed(self.picture_of(stored), box, index)
        self._queries.remember(query_id, box, result.vectors[0])
        return Understood(view, result.vectors[0], query_id, timings_of(result))

    def _asked_anew(
        self, stored: StoredQuery, request: SearchRequest, index: ObjectIndex
    ) -> Understood:
        """The index was made anew with other models since, so nothing stored is of use."""
        if stored.image_key is not None:
            return self._indexed_image(stored.image_key, request, index)
        return self._sent(self._queries.picture(stored.query_id), request, index)

    def picture_of(self, stored: StoredQuery) -> bytes:
        """Bytes of the picture of a stored query."""
        if stored.image_key is not None:
            return self._read_original(stored.image_key)
        return self._queries.picture(stored.query_id)

    def _embed(self, data: bytes, box: Box, index: ObjectIndex) -> PictureResult:
        result = self._ask(PictureTask(data, select=(box,), detect=False)).checked()
        return _made_for(index, result)

    def _store(self, query: StoredQuery, data: bytes | None) -> str | None:
        """Keep a query; a full disk costs the query_id, never the answer."""
        try:
            return self._queries.put(query, data)
        except OSError as exc:
            _log.warning("the query picture could not be stored: %s", exc)
            return None


def _made_for(index: ObjectIndex, result: PictureResult) -> PictureResult:
    """This result; one of other models than the index's is never searched with."""
    check_description(index.version.description, result.models)
    return result


def fingerprint(description: ModelDescription) -> str:
    """Short name of everything in a description that decides objects and vectors."""
    parts = {
        part: {name: value for name, value in values.items() if name != "origin"}
        for part, values in description.to_json().items()
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def detections_of(entries: Sequence[Entry]) -> tuple[Detection, ...]:
    """Objects of a picture of the index as the detector found them."""
    return tuple(
        Detection(entry.box_xyxy, entry.label, entry.confidence)
        for entry in entries
        if entry.label is not None and entry.confidence is not None
    )


def timings_of(result: PictureResult) -> Timings:
    """Times of the pipeline's steps."""
    ms = result.timings_ms
    embed = ms.get("crop", 0.0) + ms.get("embed", 0.0)
    return Timings(ms.get("decode", 0.0), ms.get("detect", 0.0), embed)


def _view(size_wh: tuple[int, int], objects: tuple[Detection, ...], box: Box) -> QueryView:
    return QueryView(size_wh, objects, box, label_of(box, objects))


def _query(
    size_wh: tuple[int, int],
    objects: tuple[Detection, ...],
    box: Box,
    vector: NDArray[np.float32],
    index: ObjectIndex,
    *,
    image_key: str | None = None,
) -> StoredQuery:
    return StoredQuery(
        query_id="",
        created_at=0.0,
        models=fingerprint(index.version.description),
        image_key=image_key,
        size_bytes=0,
        size_wh=size_wh,
        objects=objects,
        truncated=False,
        searched_box=box,
        vectors={box: vector},
    )
