from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from minio_proxy.errors import SettingsError
from minio_proxy.settings import ProxySettings
from minio_proxy.stores.s3 import S3Store

KEY = "originals/ab/abcd"


def settings(**more: Any) -> ProxySettings:
    """Settings of a store that nobody has to answer for."""
    fields: dict[str, Any] = {
        "s3_endpoint": "http://127.0.0.1:9",
        "s3_access_key": "access",
        "s3_secret_key": "secret-secret",
        "s3_bucket": "pictures",
        **more,
    }
    return ProxySettings(_env_file=None, **fields)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("s3_endpoint", "", "BOXSEEK_S3_ENDPOINT"),
        ("s3_endpoint", "127.0.0.1:9000", "BOXSEEK_S3_ENDPOINT"),
        ("s3_endpoint", "ftp://host", "ftp://host"),
        ("s3_endpoint", "http://host/path", "no path"),
        ("s3_endpoint", "http://user:word@host", "user"),
        ("s3_public_endpoint", "pictures.example.org", "BOXSEEK_S3_PUBLIC_ENDPOINT"),
        ("s3_bucket", "Pictures", "BOXSEEK_S3_BUCKET"),
        ("s3_bucket", "a..b", "BOXSEEK_S3_BUCKET"),
        ("s3_secret_key", "", "together"),
        ("s3_region", "no region!", "region"),
        ("s3_ca_file", "/no/such/file", "BOXSEEK_S3_CA_FILE"),
    ],
)
def test_a_setting_that_cannot_work_is_named(field: str, value: str, named: str) -> None:
    """The store says which setting is wrong before it asks any server."""
    with pytest.raises(SettingsError, match=named):
        S3Store(settings(**{field: value}))


def test_a_ca_file_that_is_none_is_found_at_the_first_call(tmp_path: Path) -> None:
    """Building the store asks no server and reads no certificate."""
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    S3Store(settings(s3_endpoint="https://127.0.0.1:9", s3_ca_file=str(file))).close()


@pytest.mark.parametrize(
    ("path_style", "host", "path"),
    [
        (True, "s3.example.org:9000", f"/pictures/p/{KEY}"),
        (False, "pictures.s3.example.org:9000", f"/p/{KEY}"),
    ],
)
def test_presigned_addresses_need_no_server(path_style: bool, host: str, path: str) -> None:
    """Signed for the public endpoint, in both styles, with region, life and session token."""
    store = S3Store(
        settings(
            s3_public_endpoint="https://s3.example.org:9000",
            s3_path_style=path_style,
            s3_prefix="p",
            s3_region="eu-central-1",
            s3_session_token="a-token",
        )
    )
    url = urlsplit(store.presigned_url(KEY, 300))
    query = parse_qs(url.query)
    assert (url.scheme, url.netloc, url.path) == ("https", host, path)
    assert query["X-Amz-Expires"] == ["300"]
    assert "/eu-central-1/s3/" in query["X-Amz-Credential"][0]
    assert query["X-Amz-Security-Token"] == ["a-token"]
    assert query["X-Amz-SignedHeaders"] == ["host"]


@pytest.mark.parametrize(("asked_s", "given_s"), [(0, "1"), (10**9, "604800")])
def test_a_presigned_address_lives_within_s3s_bounds(asked_s: int, given_s: str) -> None:
    """S3 takes from one second to seven days."""
    url = urlsplit(S3Store(settings()).presigned_url(KEY, asked_s))
    assert parse_qs(url.query)["X-Amz-Expires"] == [given_s]
