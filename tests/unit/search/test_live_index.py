"""The active version, followed when another becomes active."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.errors import DescriptionMismatch, NotReady
from embedding_pipeline.ports.index import IndexVersion
from embedding_pipeline.search.live_index import LiveIndex
from support.api_clock import ManualClock
from support.api_memory_index import MemoryIndex
from support.models_fakes import fake_description


class Catalog:
    """Versions that the test makes active; keeps what it opened."""

    def __init__(self) -> None:
        self.version: IndexVersion | None = None
        self.opened: list[MemoryIndex] = []
        self.asked = 0

    def active(self) -> IndexVersion | None:
        """The version that the test set."""
        self.asked += 1
        return self.version

    def open(self, name: str | None = None) -> MemoryIndex:
        """Open it."""
        assert self.version is not None
        index = MemoryIndex(self.version.description)
        index._version = self.version
        self.opened.append(index)
        return index

    def set(self, name: str, description: ModelDescription | None = None) -> None:
        """Make a version active."""
        since = MemoryIndex(fake_description()).version.created_at
        self.version = IndexVersion(name, description or fake_description(), True, False, since)


def live(catalog: Catalog, clock: ManualClock, running: ModelDescription | None) -> LiveIndex:
    """Follows the catalog."""
    return LiveIndex(catalog, lambda: running, clock=clock)  # type: ignore[arg-type]


def test_without_a_version_it_is_not_ready_and_then_it_is() -> None:
    """It looks again at every call until there is one."""
    catalog, clock = Catalog(), ManualClock()
    index = live(catalog, clock, None)
    with pytest.raises(NotReady):
        index()
    catalog.set("v1")
    assert index().version.name == "v1"


def test_it_opens_once_and_follows_within_a_second() -> None:
    """The catalog is not asked at every call; the index before is closed one change later."""
    catalog, clock = Catalog(), ManualClock()
    catalog.set("v1")
    index = live(catalog, clock, fake_description())
    assert index() is index()
    assert (len(catalog.opened), catalog.asked) == (1, 1)
    for number in (2, 3):
        catalog.set(f"v{number}")
        clock.now += 1
        assert index().version.name == f"v{number}"
    assert [one.closed for one in catalog.opened] == [True, False, False]
    index.close()
    assert all(one.closed for one in catalog.opened)


def test_a_version_made_anew_under_the_same_name_is_followed() -> None:
    """After every version was deleted a rebuild begins again with the first name."""
    catalog, clock = Catalog(), ManualClock()
    catalog.set("v1")
    index = live(catalog, clock, fake_description())
    index()
    assert catalog.version is not None
    later = catalog.version.created_at + timedelta(seconds=5)
    catalog.version = replace(catalog.version, created_at=later)
    clock.now += 1
    assert index().version.created_at == later
    assert len(catalog.opened) == 2


def test_other_models_are_refused_with_both_named() -> None:
    """Where the weights came from is no difference; their hash is."""
    catalog, clock = Catalog(), ManualClock()
    mine = fake_description()
    catalog.set("v1", replace(mine, embedder=replace(mine.embedder, origin="packaged")))
    index = live(catalog, clock, mine)
    assert index()
    catalog.set("v2", replace(mine, embedder=replace(mine.embedder, name="x", sha256="0" * 64)))
    clock.now += 1
    with pytest.raises(DescriptionMismatch, match=r"made by .* x 16-d .* fake-embedder"):
        index()
