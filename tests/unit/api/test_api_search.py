"""POST /v1/search, /v1/detect and the stored queries, with fake models over the real index."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from embedding_pipeline.bootstrap import Boxseek
from support.api_app import add, opened, png, refused, search

COUNT = 6


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Boxseek, TestClient]]:
    """Six pictures, the even ones in a collection of their own."""
    with opened(tmp_path_factory.mktemp("search"), allow_urls=False) as (boxseek, client):
        add(client, *(png(n) for n in range(0, COUNT, 2)), collection="even", metadata='{"n": 0}')
        add(client, *(png(n) for n in range(1, COUNT, 2)), collection="odd", metadata='{"n": 1}')
        yield boxseek, client


@pytest.fixture
def client(app: tuple[Boxseek, TestClient]) -> TestClient:
    """The client alone."""
    return app[1]


def test_an_upload_finds_itself_first_in_the_documented_form(client: TestClient) -> None:
    """Every field of the answer is there, and the best match is the very same crop."""
    answer = search(client, png(2), limit=3)
    assert set(answer) == {
        "query", "hits", "facets", "query_id", "next_cursor", "folded", "levels", "timings_ms",
    }  # fmt: skip
    assert (answer["query"]["width"], answer["query"]["height"]) == (64, 48)
    assert answer["query"]["searched"] == {"box": [0.0, 0.0, 32.0, 24.0], "label": "person"}
    assert [found["label"] for found in answer["query"]["objects"]] == [
        "person", "car", "dog", "cat",
    ]  # fmt: skip
    assert len(answer["hits"]) == 3
    best = answer["hits"][0]
    assert best["score"] == pytest.approx(1.0, abs=1e-5)
    assert best["image_url"] == f"/objects/{best['image_key']}"
    assert re.fullmatch(rf"/thumbnails/\d+/{best['image_key']}", best["thumbnail_url"])
    assert best["matches"][0]["box"] == [0.0, 0.0, 32.0, 24.0]
    assert best["matches"][0]["object_id"] == f"{best['image_key']}-001"
    assert set(answer["timings_ms"]) == {"decode", "detect", "embed", "search", "total"}
    assert re.fullmatch(r"[A-Za-z0-9_-]+", answer["next_cursor"])


def test_every_matching_box_of_a_hit_is_listed_best_first(client: TestClient) -> None:
    """Four objects and the whole picture, in the order of their scores."""
    for hit in search(client, png(0), limit=100, label_weight=0)["hits"]:
        scores = [match["score"] for match in hit["matches"]]
        assert len(scores) == 5
        assert scores == sorted(scores, reverse=True)
        assert hit["score"] == scores[0]


def test_the_class_searched_for_ranks_higher(client: TestClient) -> None:
    """Persons come before better scores of others; a box that shows none has looks alone."""
    answer = search(client, png(0), limit=100)
    assert answer["query"]["preferred_label"] == "person"
    for hit in answer["hits"]:
        assert hit["matches"][0]["label"] == "person"
        rest = [match["score"] for match in hit["matches"][1:]]
        assert rest == sorted(rest, reverse=True)
    near = search(client, png(0), box="1,1,33,25")
    assert (near["query"]["searched"]["label"], near["query"]["preferred_label"]) == (
        None,
        "person",
    )
    for fields in ({"label_weight": 0}, {"box": "16,12,48,36"}, {"scope": "image"}):
        plain = search(client, png(0), limit=100, **fields)
        scores = [hit["score"] for hit in plain["hits"]]
        assert plain["query"]["preferred_label"] is None
        assert scores == sorted(scores, reverse=True)


def test_near_duplicates_fold_into_one_result(client: TestClient) -> None:
    """Pictures of noise are nothing alike, so none is left out; the answer says so."""
    answer = search(client, png(0), limit=100, fold="true")
    assert (answer["folded"], len(answer["hits"])) == (0, COUNT)
    assert {hit["folded"] for hit in answer["hits"]} == {0}


def test_hits_come_best_first_and_pages_join(client: TestClient) -> None:
    """Following the cursors gives the order of one large page, nothing twice."""
    whole = search(client, png(1), limit=100)
    assert whole["next_cursor"] is None
    answer = search(client, png(1), limit=2)
    keys = [hit["image_key"] for hit in answer["hits"]]
    while answer["next_cursor"]:
        answer = search(client, cursor=answer["next_cursor"])
        assert answer["facets"] == whole["facets"]
        keys += [hit["image_key"] for hit in answer["hits"]]
    assert keys == [hit["image_key"] for hit in whole["hits"]]
    assert len(keys) == COUNT
    scores = [hit["score"] for hit in whole["hits"]]
    assert scores == sorted(scores, reverse=True)


def test_a_cursor_takes_another_page_size(client: TestClient) -> None:
    """Limit may go with a cursor; anything else contradicts what was frozen."""
    cursor = search(client, png(1), limit=1)["next_cursor"]
    assert len(search(client, cursor=cursor, limit=3)["hits"]) == 3
    answer = client.post("/v1/search", data={"cursor": cursor, "labels": "dog"})
    assert refused(answer, 422, "invalid_query")["parameter"] == "labels"


@pytest.mark.parametrize(
    ("fields", "box", "label"),
    [
        pytest.param({}, [0, 0, 32, 24], "person", id="auto"),
        pytest.param({"scope": "object"}, [0, 0, 32, 24], "person", id="object"),
        pytest.param({"scope": "image"}, [0, 0, 64, 48], None, id="image"),
        pytest.param({"box": "32,24,64,48"}, [32, 24, 64, 48], "cat", id="box of an object"),
        pytest.param({"box": "-9,1.5,20,400"}, [0, 1.5, 20, 48], None, id="clipped box"),
    ],
)
def test_scope_and_box_say_what_is_searched(
    client: TestClient, fields: dict[str, str], box: list[float], label: str | None
) -> None:
    """The same for an upload, a stored query and a picture of the index."""
    upload = search(client, png(4), **fields)
    expected = {"box": box, "label": label}
    assert upload["query"]["searched"] == expected
    key = search(client, png(4))["hits"][0]["image_key"]
    for source in ({"query_id": upload["query_id"]}, {"image_key": key}):
        answer = search(client, **source, **fields)
        assert answer["query"]["searched"] == expected
        assert answer["query"]["objects"] == upload["query"]["objects"]
        assert [(hit["image_key"], hit["score"]) for hit in answer["hits"]] == [
            (hit["image_key"], hit["score"]) for hit in upload["hits"]
        ]


def test_an_indexed_object_is_searched_by_its_stored_vector(
    app: tuple[Boxseek, TestClient],
) -> None:
    """It comes first with score 1 and no model runs."""
    boxseek, client = app
    assert boxseek.models is not None
    before = list(boxseek.models.embedder.calls)  # type: ignore[attr-defined]
    object_id = search(client, image_key=_keys(client)[3])["hits"][0]["matches"][2]["object_id"]
    answer = search(client, object_id=object_id)
    assert answer["hits"][0]["matches"][0]["object_id"] == object_id
    assert answer["hits"][0]["score"] >= 0.99
    assert answer["timings_ms"]["embed"] == 0.0
    assert boxseek.models.embedder.calls == before  # type: ignore[attr-defined]


def test_an_object_id_takes_box_and_scope_of_its_picture(client: TestClient) -> None:
    """Scope image searches its whole picture; a box is cut out of the original."""
    object_id = f"{_keys(client)[0]}-002"
    assert search(client, object_id=object_id)["query"]["searched"]["label"] == "car"
    whole = search(client, object_id=object_id, scope="image")
    assert whole["query"]["searched"] == {"box": [0, 0, 64, 48], "label": None}
    own = search(client, object_id=object_id, box="3,3,30,30")
    assert own["query"]["searched"] == {"box": [3, 3, 30, 30], "label": None}
    assert own["timings_ms"]["embed"] > 0


def test_another_box_of_a_query_detects_nothing_again(app: tuple[Boxseek, TestClient]) -> None:
    """The detector stays still, and a box that was asked before is not even embedded."""
    boxseek, client = app
    assert boxseek.models is not None
    query_id = search(client, png(77))["query_id"]
    detector, embedder = boxseek.models.detector, boxseek.models.embedder
    detected = len(detector.calls)  # type: ignore[attr-defined]
    search(client, query_id=query_id, box="1,1,40,40")
    embedded = len(embedder.calls)  # type: ignore[attr-defined]
    search(client, query_id=query_id, box="1,1,40,40")
    assert len(detector.calls) == detected  # type: ignore[attr-defined]
    assert len(embedder.calls) == embedded  # type: ignore[attr-defined]


def test_a_stored_query_can_be_shown_again_and_deleted(client: TestClient) -> None:
    """Its size, objects and picture come back; once deleted it is unknown."""
    answer = search(client, png(78), box="1,1,40,40")
    path = f"/v1/queries/{answer['query_id']}"
    shown = client.get(path).json()
    assert shown["objects"] == answer["query"]["objects"]
    assert shown["searched"] == answer["query"]["searched"]
    assert (shown["width"], shown["height"], shown["image_key"]) == (64, 48, None)
    picture = client.get(shown["image_url"])
    assert picture.content == png(78)
    assert picture.headers["content-type"] == "image/png"
    assert picture.headers["x-content-type-options"] == "nosniff"
    assert client.delete(path).status_code == 204
    for again in (client.delete(path), client.get(path), client.get(shown["image_url"])):
        refused(again, 404, "query_not_found")
    refused(
        client.post("/v1/search", data={"query_id": answer["query_id"]}), 404, "query_not_found"
    )


def test_the_query_of_an_indexed_picture_shows_that_picture(client: TestClient) -> None:
    """Its bytes are not stored twice."""
    key = _keys(client)[0]
    shown = client.get(f"/v1/queries/{search(client, image_key=key)['query_id']}").json()
    assert shown["image_key"] == key
    assert client.get(shown["image_url"]).content == client.get(f"/objects/{key}").content


def test_filters_limit_what_answers(client: TestClient) -> None:
    """Labels, kinds, collections, metadata and score; facets follow."""
    dogs = search(client, png(0), labels="dog")
    assert {m["label"] for hit in dogs["hits"] for m in hit["matches"]} == {"dog"}
    assert dogs["facets"] == {"dog": COUNT}
    both = search(client, png(0), labels="dog, cat,dog")
    assert both["facets"] == {"cat": COUNT, "dog": COUNT}
    images = search(client, png(0), kinds="image")
    assert {m["kind"] for hit in images["hits"] for m in hit["matches"]} == {"image"}
    assert images["facets"] == {}
    assert len(search(client, png(0), kinds="object")["hits"][0]["matches"]) == 4
    assert len(search(client, png(0), collections="even")["hits"]) == COUNT / 2
    assert len(search(client, png(0), collections="even,odd")["hits"]) == COUNT
    assert len(search(client, png(0), metadata='{"n": 1}')["hits"]) == COUNT / 2
    assert search(client, png(0), collections="none such")["hits"] == []
    assert search(client, png(0), taken_after="2020-01-01")["hits"] == []
    near = search(client, png(0), min_score="0.99")
    assert [len(hit["matches"]) for hit in near["hits"]] == [1]
    assert near["facets"] == {"person": 1}


def test_empty_fields_count_as_not_given(client: TestClient) -> None:
    """A web form sends all its inputs, also the empty ones."""
    empty = {"box": "", "labels": "", "object_id": "", "min_score": "", "url": ""}
    assert search(client, png(0), **empty)["hits"]


def test_an_urlencoded_form_serves_as_well(client: TestClient) -> None:
    """Without a picture no multipart is needed."""
    assert search(client, image_key=_keys(client)[0])["hits"]


def test_detect_gives_objects_and_keeps_nothing(client: TestClient) -> None:
    """The objects of a picture, with its upright size."""
    answer = client.post("/v1/detect", files={"image": ("a.png", png(5))}).json()
    assert (answer["width"], answer["height"], len(answer["objects"])) == (64, 48, 4)
    assert answer["truncated"] is False
    assert answer["objects"][0] == {"box": [0, 0, 32, 24], "label": "person", "confidence": 0.9}


PIC = {"image": ("query.png", png(0))}


@pytest.mark.parametrize(
    ("files", "fields", "parameter"),
    [
        pytest.param(None, {"limit": "5"}, "image", id="no source"),
        pytest.param(PIC, {"object_id": "x"}, "object_id", id="two sources"),
        pytest.param(PIC, {"limit": "0"}, "limit", id="limit 0"),
        pytest.param(PIC, {"limit": "101"}, "limit", id="limit 101"),
        pytest.param(PIC, {"limit": "100000"}, "limit", id="limit 100000"),
        pytest.param(PIC, {"limit": "ten"}, "limit", id="limit text"),
        pytest.param(PIC, {"box": "1,2,3"}, "box", id="box of three"),
        pytest.param(PIC, {"box": "a,b,c,d"}, "box", id="box text"),
        pytest.param(PIC, {"box": "nan,0,10,10"}, "box", id="box nan"),
        pytest.param(PIC, {"box": "0,0,inf,10"}, "box", id="box infinite"),
        pytest.param(PIC, {"box": "30,30,10,10"}, "box", id="box inverted"),
        pytest.param(PIC, {"box": "100,100,200,200"}, "box", id="box outside"),
        pytest.param(PIC, {"box": "1,1,1.2,9"}, "box", id="box too small"),
        pytest.param(PIC, {"box": "1,1,9,9", "scope": "image"}, "box", id="box and image"),
        pytest.param(PIC, {"scope": "everything"}, "scope", id="scope"),
        pytest.param(PIC, {"kinds": "thing"}, "kinds", id="kinds"),
        pytest.param(PIC, {"min_score": "2"}, "min_score", id="min_score 2"),
        pytest.param(PIC, {"min_score": "nan"}, "min_score", id="min_score nan"),
        pytest.param(PIC, {"metadata": "{"}, "metadata", id="metadata half"),
        pytest.param(PIC, {"metadata": "[1]"}, "metadata", id="metadata list"),
        pytest.param(PIC, {"metadata": '{"a": NaN}'}, "metadata", id="metadata nan"),
        pytest.param(PIC, {"metadata": '{"a": 1e999}'}, "metadata", id="metadata infinite"),
        pytest.param(PIC, {"metadata": '{"a": "\\ud800"}'}, "metadata", id="metadata surrogate"),
        pytest.param(PIC, {"metadata": "[" * 60000}, "metadata", id="metadata deep"),
        pytest.param(PIC, {"taken_after": "yesterday"}, "taken_after", id="time"),
        pytest.param(
            PIC, {"taken_before": "0001-01-01T00:00:00+14:00"}, "taken_before", id="time too early"
        ),
        pytest.param(PIC, {"label": "dog"}, "label", id="unknown field"),
        pytest.param({"picture": ("a.png", png(0))}, {}, "picture", id="unknown file"),
        pytest.param(None, {"image": "text"}, "image", id="image as text"),
        pytest.param(None, {"cursor": "no cursor!"}, "cursor", id="cursor"),
    ],
)
def test_senseless_questions_are_422_and_name_the_parameter(
    client: TestClient, files: Any, fields: dict[str, str], parameter: str
) -> None:
    """Each in the one error shape."""
    answer = client.post("/v1/search", files=files, data=fields)
    assert refused(answer, 422, "invalid_query")["parameter"] == parameter


def test_an_unknown_field_hints_at_the_right_one(client: TestClient) -> None:
    """A mistyped filter would otherwise give unfiltered results."""
    details = refused(
        client.post("/v1/search", files=PIC, data={"label": "dog"}), 422, "invalid_query"
    )
    assert "labels" in details["close"]


def test_an_unknown_label_is_refused_with_close_ones(client: TestClient) -> None:
    """A known label that no picture has gives no hits instead."""
    answer = client.post("/v1/search", files=PIC, data={"labels": "dgo"})
    assert refused(answer, 422, "unknown_label")["close"] == ["dog"]
    assert "dog" in answer.json()["message"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"object_id": "0" * 64 + "-001"}, "object_not_found"),
        ({"object_id": "' OR 1=1 --"}, "object_not_found"),
        ({"image_key": "0" * 64}, "image_not_found"),
        ({"image_key": "../../etc/passwd"}, "image_not_found"),
        ({"query_id": "x" * 22}, "query_not_found"),
        ({"query_id": "../secret"}, "query_not_found"),
    ],
)
def test_unknown_things_are_404(client: TestClient, fields: dict[str, str], code: str) -> None:
    """Malformed names are just unknown."""
    refused(client.post("/v1/search", data=fields), 404, code)


def test_an_unknown_cursor_is_410(client: TestClient) -> None:
    """It looks like one, but its ranking is gone."""
    refused(client.post("/v1/search", data={"cursor": "a" * 22 + "00020"}), 410, "cursor_expired")


def test_addresses_are_refused_unless_allowed(client: TestClient) -> None:
    """The message names the setting."""
    answer = client.post("/v1/search", data={"url": "http://example.com/a.jpg"})
    refused(answer, 422, "address_refused")
    assert "BOXSEEK_ALLOW_URLS" in answer.json()["message"]


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        pytest.param(b"", 415, "unsupported_format", id="empty"),
        pytest.param(b"just text", 415, "unsupported_format", id="text"),
        pytest.param(png(0)[:200], 422, "undecodable_picture", id="cut off"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/search", "/v1/detect"])
def test_what_is_no_picture_is_refused(
    client: TestClient, path: str, data: bytes, status: int, code: str
) -> None:
    """By its bytes, whatever the name says."""
    refused(client.post(path, files={"image": ("photo.jpg", data)}), status, code)


@pytest.mark.parametrize("path", ["/v1/search", "/v1/detect", "/v1/images"])
def test_what_is_no_form_is_refused(client: TestClient, path: str) -> None:
    """Nothing at all, JSON, and a form without its boundary."""
    refused(client.post(path), 415, "unsupported_body")
    refused(client.post(path, json={"image": "x"}), 415, "unsupported_body")
    headers = {"Content-Type": "multipart/form-data"}
    refused(client.post(path, content=b"x", headers=headers), 400, "malformed_body")


def test_a_one_pixel_picture_is_searched(client: TestClient) -> None:
    """The smallest picture is no error."""
    assert search(client, png(9, (1, 1)), scope="image")["query"]["width"] == 1


def test_a_search_of_an_empty_index_has_no_hits(tmp_path: Path) -> None:
    """200, not an error."""
    with opened(tmp_path) as (_, client):
        answer = search(client, png(0))
        assert (answer["hits"], answer["facets"], answer["next_cursor"]) == ([], {}, None)


def _keys(client: TestClient) -> list[str]:
    return [row["image_key"] for row in client.get("/v1/images").json()["images"]]
