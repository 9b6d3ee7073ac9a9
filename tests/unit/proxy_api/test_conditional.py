from __future__ import annotations

from datetime import UTC, datetime

import pytest

from minio_proxy.api.conditional import Validators

TIME = datetime(2026, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
HTTP_TIME = "Wed, 06 May 2026 07:08:09 GMT"
EARLIER = "Wed, 06 May 2026 07:08:08 GMT"
LATER = "Wed, 06 May 2026 07:08:10 GMT"
ONE = Validators("abc", TIME)


def test_headers_name_the_version() -> None:
    """The ETag is quoted, the time in HTTP's form."""
    assert ONE.headers() == {"ETag": '"abc"', "Last-Modified": HTTP_TIME}
    assert Validators("abc").headers() == {"ETag": '"abc"'}


@pytest.mark.parametrize(
    ("request_headers", "not_modified"),
    [
        ({}, False),
        ({"if-none-match": '"abc"'}, True),
        ({"if-none-match": 'W/"abc"'}, True),
        ({"if-none-match": '"x", "abc"'}, True),
        ({"if-none-match": "*"}, True),
        ({"if-none-match": '"x"'}, False),
        ({"if-none-match": "abc"}, False),
        ({"if-none-match": ""}, False),
        ({"if-modified-since": HTTP_TIME}, True),
        ({"if-modified-since": LATER}, True),
        ({"if-modified-since": EARLIER}, False),
        ({"if-modified-since": "yesterday"}, False),
        ({"if-modified-since": "Wed, 99 May 99999 07:08:09 GMT"}, False),
        ({"if-none-match": '"x"', "if-modified-since": LATER}, False),
    ],
    ids=str,
)
def test_who_has_it_already(request_headers: dict[str, str], not_modified: bool) -> None:
    """ETags are compared weakly and go before times; nonsense is ignored."""
    assert ONE.not_modified(request_headers) is not_modified


@pytest.mark.parametrize(
    ("request_headers", "failed"),
    [
        ({}, False),
        ({"if-match": '"abc"'}, False),
        ({"if-match": "*"}, False),
        ({"if-match": 'W/"abc"'}, True),
        ({"if-match": '"x"'}, True),
        ({"if-unmodified-since": HTTP_TIME}, False),
        ({"if-unmodified-since": EARLIER}, True),
        ({"if-unmodified-since": "x"}, False),
    ],
    ids=str,
)
def test_preconditions(request_headers: dict[str, str], failed: bool) -> None:
    """If-Match compares strongly."""
    assert ONE.precondition_failed(request_headers) is failed


@pytest.mark.parametrize(
    ("if_range", "applies"),
    [
        (None, True),
        ('"abc"', True),
        ('W/"abc"', False),
        ('"x"', False),
        (HTTP_TIME, True),
        (LATER, False),
        ("x", False),
        ("", False),
    ],
)
def test_if_range_is_exact(if_range: str | None, applies: bool) -> None:
    """A range is only given of the version that the client has the rest of."""
    assert ONE.range_applies(if_range) is applies
