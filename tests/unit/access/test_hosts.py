from __future__ import annotations

from pathlib import Path

import pytest

from minio_proxy.access import KeyFile, check_listen
from minio_proxy.access.hosts import HostRules
from minio_proxy.errors import ForeignOrigin, SettingsError
from support.proxy_services import settings

EVERYWHERE = "0.0.0.0"  # noqa: S104 - given to the checks, never bound


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.9.1"])
def test_loopback_needs_no_keys(tmp_path: Path, host: str) -> None:
    """A service that only this machine reaches may start without keys."""
    check_listen(settings(tmp_path, host=host), KeyFile(tmp_path / "keys.json"))


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "", "192.0.2.7", "::ffff:192.0.2.7"])
def test_an_open_address_without_keys_is_refused(tmp_path: Path, host: str) -> None:
    """The start says what to do instead."""
    with pytest.raises(SettingsError, match="boxseek keys add"):
        check_listen(settings(tmp_path, host=host), KeyFile(tmp_path / "keys.json"))


def test_an_open_address_with_keys_is_fine(tmp_path: Path) -> None:
    """With a key the guard asks for it, so anyone may come."""
    keys = KeyFile(tmp_path / "keys.json")
    keys.add("a", "read")
    check_listen(settings(tmp_path, host=EVERYWHERE), keys)


def test_a_name_that_is_no_address_is_refused(tmp_path: Path) -> None:
    """A host that does not resolve is a setting that cannot work."""
    with pytest.raises(SettingsError, match="no address"):
        check_listen(settings(tmp_path, host="no such name"), KeyFile(tmp_path / "keys.json"))


RULES = HostRules("pics.example", ["other.example"], ["https://pages.example"])


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8000",
        "LOCALHOST:1",
        "a.localhost",
        "127.0.0.1:8001",
        "127.1.2.3",
        "[::1]:8000",
        "pics.example",
        "PICS.example.:443",
        "other.example:8000",
    ],
)
def test_own_names_pass(host: str) -> None:
    """Loopback names, the listening name and the allowed ones pass with any port."""
    RULES.check_host(host, "10.0.0.1")


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example:8000",
        "10.0.0.1",
        "localhost@evil.example",
        "localhost:80:80",
        "localhost/evil",
        "2130706433",
        "0x7f000001",
        " localhost",
    ],
)
def test_other_names_are_refused(host: str | None) -> None:
    """A name that somebody points at this machine does not become ours."""
    with pytest.raises(ForeignOrigin):
        RULES.check_host(host, "10.0.0.1")


def test_on_every_interface_the_own_address_is_a_name() -> None:
    """Where the service listens everywhere, the address that was called is ours."""
    rules = HostRules(EVERYWHERE)
    rules.check_host("10.0.0.1:8000", "10.0.0.1")
    with pytest.raises(ForeignOrigin):
        rules.check_host("10.0.0.2:8000", "10.0.0.1")


@pytest.mark.parametrize(
    ("origin", "site"),
    [
        (None, None),
        (None, "none"),
        (None, "same-origin"),
        ("http://localhost:8000", "same-origin"),
        ("https://localhost:8000", None),
        ("https://pages.example", "cross-site"),
    ],
)
def test_own_pages_and_programs_may_write(origin: str | None, site: str | None) -> None:
    """The same host, an allowed origin and whatever is no browser may write."""
    RULES.check_origin("POST", origin=origin, fetch_site=site, host_header="localhost:8000")


@pytest.mark.parametrize(
    ("origin", "site"),
    [
        ("http://evil.example", None),
        ("http://localhost:3000", "same-site"),
        ("http://localhost", None),
        ("null", None),
        ("", None),
        ("file://", None),
        ("http://localhost:8000.evil.example", None),
        ("http://localhost:99999", None),
        ("http://[::1", None),
        (None, "cross-site"),
        ("http://localhost:8000", "cross-site"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "PATCH", "BREW"])
def test_foreign_pages_may_not_write(method: str, origin: str | None, site: str | None) -> None:
    """Another page cannot make its visitor's browser change anything here."""
    with pytest.raises(ForeignOrigin):
        RULES.check_origin(method, origin=origin, fetch_site=site, host_header="localhost:8000")


def test_foreign_pages_may_link() -> None:
    """Reading is not refused: without CORS the page cannot see the answer."""
    RULES.check_origin(
        "GET", origin="http://evil.example", fetch_site="cross-site", host_header="localhost"
    )
