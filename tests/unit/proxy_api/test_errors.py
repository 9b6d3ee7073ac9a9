from __future__ import annotations

import inspect
import json
from collections.abc import Iterator

import pytest

from minio_proxy import errors
from minio_proxy.api.errors import PROXY_ERRORS, answer, status_of

SECRET = "/srv/secret/path on host db.internal: Vendor says no"


def _all() -> Iterator[type[errors.ProxyError]]:
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, errors.ProxyError):
            yield kind


@pytest.mark.parametrize("kind", list(_all()), ids=lambda kind: kind.__name__)
def test_every_error_has_an_answer_in_the_one_shape(kind: type[errors.ProxyError]) -> None:
    """Status and code come from the table and the class; a new error is found by its base."""
    response = answer(kind("Said.", key="k"))
    body = json.loads(response.body)
    assert set(body) == {"code", "message", "details"}
    assert body["code"] == kind.code
    assert response.status_code == status_of(kind("x"))
    assert response.status_code in set(PROXY_ERRORS.values())


@pytest.mark.parametrize("kind", list(_all()), ids=lambda kind: kind.__name__)
def test_failures_inside_say_nothing_of_the_inside(kind: type[errors.ProxyError]) -> None:
    """What a store or setting says stays in the log."""
    response = answer(kind(SECRET, reason=SECRET))
    if response.status_code >= 500:
        assert b"secret" not in bytes(response.body)
        assert b"Vendor" not in bytes(response.body)


def test_bad_input_is_never_a_500() -> None:
    """Everything that a request can cause by itself is a 4xx."""
    for kind in (errors.PictureError, errors.VariantError, errors.AccessError, errors.InvalidKey):
        for one in [kind, *kind.__subclasses__()]:
            assert 400 <= status_of(one("x")) < 500


def test_answers_say_when_and_how_to_come_again() -> None:
    """429 and 503 carry Retry-After, 401 the scheme, 416 the size."""
    assert answer(errors.TooManyRequests("x", retry_after_s=7)).headers["retry-after"] == "7"
    assert answer(errors.StoreUnavailable("x")).headers["retry-after"] == "1"
    assert "Bearer" in answer(errors.NotAuthenticated("x")).headers["www-authenticate"]
    outside = answer(errors.RangeNotSatisfiable("x", size_bytes=5))
    assert outside.headers["content-range"] == "bytes */5"


def test_a_table_can_be_anothers() -> None:
    """An error that no table lists is a 500 without its text."""

    class Other(Exception):
        """Of another package."""

    assert status_of(Other("x"), {}) == 500
    assert status_of(Other("x"), {Other: 418}) == 418
