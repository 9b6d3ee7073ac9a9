"""TLS and credentials: a node behind a door that asks for them as a secured cluster does.

The plain node has no security of its own, so a proxy in front of it speaks TLS with a
certificate of the test's own authority and checks the Authorization header.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embedding_pipeline.domain.entries import EntryFilter
from embedding_pipeline.errors import IndexDenied
from embedding_pipeline.indexes.elasticsearch_catalog import ElasticsearchCatalog
from embedding_pipeline.ports.index import IndexCounts
from embedding_pipeline.settings import Settings
from support.indexes_elasticsearch import elasticsearch_settings
from support.indexes_fault_proxy import Exchange, FaultProxy, fault_proxy
from support.indexes_samples import description, fill, picture, unit_vectors
from support.stores_certificates import loopback_tls

pytestmark = pytest.mark.elasticsearch

API_KEY = base64.b64encode(b"id:secret").decode()
USER, PASSWORD = "boxseek", "pässword:with-colon"
ACCEPTED = {
    f"ApiKey {API_KEY}",
    "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode(),
}
CREDENTIALS: dict[str, dict[str, Any]] = {
    "API key": {"elasticsearch_api_key": API_KEY},
    "user and password": {"elasticsearch_username": USER, "elasticsearch_password": PASSWORD},
}
WRONG: dict[str, dict[str, Any]] = {
    "another API key": {"elasticsearch_api_key": base64.b64encode(b"id:wrong").decode()},
    "another password": {"elasticsearch_username": USER, "elasticsearch_password": "wrong"},
    "none": {},
}


def _guard(exchange: Exchange) -> None:
    if exchange.headers.get("authorization") not in ACCEPTED:
        exchange.refuse(401, "security_exception")


@pytest.fixture
def door(elasticsearch_url: str, tmp_path: Path) -> Iterator[tuple[FaultProxy, Path]]:
    """The guarded door, and the certificate file of its authority."""
    tls, ca_file = loopback_tls(tmp_path)
    with fault_proxy(elasticsearch_url, tls) as proxy:
        proxy.before = _guard
        yield proxy, ca_file


@pytest.fixture
def settings(elasticsearch_url: str, door: tuple[FaultProxy, Path]) -> Iterator[Settings]:
    """Settings that lead to the door, without credentials."""
    proxy, ca_file = door
    with elasticsearch_settings(elasticsearch_url) as settings:
        yield settings.model_copy(
            update={"elasticsearch_url": proxy.url, "elasticsearch_ca_file": str(ca_file)}
        )


def _with(settings: Settings, changes: dict[str, Any]) -> ElasticsearchCatalog:
    return ElasticsearchCatalog(Settings(**{**settings.model_dump(), **changes}))


@pytest.mark.parametrize("changes", CREDENTIALS.values(), ids=CREDENTIALS)
def test_everything_works_with_credentials(settings: Settings, changes: dict[str, Any]) -> None:
    """A version is made, filled, searched and rolled back through the door."""
    catalog = _with(settings, changes)
    for _ in range(2):
        catalog.activate(catalog.create(description()).name)
    index = catalog.open()
    fill(index, [picture(1), picture(2)])
    assert len(index.nearest(unit_vectors(1)[0], limit=9, where=EntryFilter())) == 6
    assert index.delete([picture(2).image_key]) == 1
    index.make_searchable()
    assert index.count() == IndexCounts(1, 2)
    index.optimize()
    index.check()
    assert catalog.rollback().active
    catalog.close()


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_wrong_credentials_are_told(settings: Settings, changes: dict[str, Any]) -> None:
    """The error names what to check and no secret; nothing is made."""
    catalog = _with(settings, changes)
    with pytest.raises(IndexDenied, match="API key or the user") as caught:
        catalog.create(description())
    assert not any(str(value) in str(caught.value) for value in changes.values() if value != USER)
    catalog.close()


def test_an_unknown_authority_is_told(settings: Settings) -> None:
    """Without the CA file the certificate is not trusted, and the setting is named."""
    catalog = _with(settings, {**CREDENTIALS["API key"], "elasticsearch_ca_file": ""})
    with pytest.raises(IndexDenied, match="BOXSEEK_ELASTICSEARCH_CA_FILE"):
        catalog.versions()
    catalog.close()
