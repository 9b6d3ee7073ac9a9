"""The version before answers until the models of the active one run here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.errors import IndexUnavailable, NotReady, WeightsNotFound
from embedding_pipeline.pipeline.pictures import PicturePipeline
from embedding_pipeline.ports.index import IndexVersion, ObjectIndex
from embedding_pipeline.search.live_index import LiveIndex
from embedding_pipeline.search.model_exchange import RETRY_S, ModelExchange
from support.api_clock import ManualClock
from support.api_memory_index import SINCE, MemoryIndex
from support.models_fakes import fake_description

FIRST, SECOND = fake_description(16), fake_description(24)


class Catalog:
    """Two versions; the test says which one is active."""

    def __init__(self) -> None:
        self.names = {"v1": FIRST, "v2": SECOND}
        self.at = "v1"
        self.opened: list[MemoryIndex] = []

    def versions(self) -> list[IndexVersion]:
        """Both; the one that is not active is the previous one."""
        return [
            IndexVersion(name, made, name == self.at, name != self.at, SINCE)
            for name, made in self.names.items()
        ]

    def active(self) -> IndexVersion | None:
        """The one that the test chose."""
        return next(one for one in self.versions() if one.active)

    def open(self, name: str | None = None) -> MemoryIndex:
        """Open one by its name."""
        version = next(one for one in self.versions() if one.name == name)
        index = MemoryIndex(version.description)
        index._version = version
        self.opened.append(index)
        return index


class Pipeline:
    """Stands for the pipeline of a pair of models."""

    def __init__(self, description: ModelDescription) -> None:
        self.description = description
        self.closed = False

    def close(self) -> None:
        """Remember it."""
        self.closed = True


class Room:
    """A live index and an exchange around a catalog, with models that load when told."""

    def __init__(self) -> None:
        self.catalog, self.clock = Catalog(), ManualClock()
        self.running: ModelDescription | None = FIRST
        self.go_on = threading.Event()
        self.error: Exception | None = None
        self.loads: list[ModelDescription] = []
        self.settled: list[str] = []
        self.used: list[Pipeline] = []
        self.afterwards = threading.Event()
        self.while_loading: Callable[[], None] = lambda: None
        self.exchange = ModelExchange(
            self.catalog,  # type: ignore[arg-type]
            running=lambda: self.running,
            load=self._load,
            switch=self._switch,
            settled=self._settled,
            after=self.afterwards.set,
            clock=self.clock,
        )
        self.index = LiveIndex(
            self.catalog,  # type: ignore[arg-type]
            lambda: self.running,
            exchange=self.exchange,
            clock=self.clock,
        )

    def flip(self, name: str) -> None:
        """Make a version active, as another process would, and let a second go by."""
        self.catalog.at = name
        self.clock.now += 1

    def _load(self, wanted: ModelDescription) -> tuple[PicturePipeline, Callable[[], None]]:
        self.loads.append(wanted)
        assert self.go_on.wait(10)
        self.while_loading()
        if self.error is not None:
            raise self.error
        made = Pipeline(wanted)

        def take() -> None:
            self.running = wanted

        return made, take  # type: ignore[return-value]

    @contextmanager
    def _settled(self, index: ObjectIndex, pipeline: PicturePipeline) -> Iterator[None]:
        self.settled.append(index.version.name)
        yield

    def _switch(
        self, pipeline: PicturePipeline, index: ObjectIndex, take: Callable[[], None]
    ) -> None:
        self.used.append(pipeline)  # type: ignore[arg-type]
        self.index.adopt(index, take)


def test_the_version_before_answers_until_the_models_are_here() -> None:
    """Then both change together, and the version is brought up to date before that."""
    room = Room()
    assert room.index().version.name == "v1"
    room.flip("v2")
    for _ in range(3):
        assert room.index().version.name == "v1"
        room.clock.now += 1
    assert room.loads == [SECOND]
    assert room.running == FIRST
    room.go_on.set()
    room.exchange.close()
    assert room.index().version.name == "v2"
    assert (room.running, room.settled) == (SECOND, ["v2"])
    assert room.afterwards.is_set()


def test_a_rollback_while_models_load_leaves_everything_as_it_was() -> None:
    """The loaded models are of no use any more and are closed."""
    room = Room()
    room.index()
    room.flip("v2")
    room.index()
    room.catalog.at = "v1"
    room.go_on.set()
    room.exchange.close()
    assert room.index().version.name == "v1"
    assert (room.running, room.used, room.settled) == (FIRST, [], [])


def test_another_flip_while_models_load_is_followed_to_its_end() -> None:
    """Back and forth: what is active at the end runs at the end."""
    room = Room()
    room.index()
    room.flip("v2")
    room.go_on.set()
    flips = iter(["v1", "v2"])

    def flip() -> None:
        room.catalog.at = next(flips, "v2")

    room.while_loading = flip
    room.index()
    room.exchange.close()
    assert room.index().version.description == room.running


@pytest.mark.parametrize("error", [WeightsNotFound("no weights"), OSError("no torch")])
def test_models_that_cannot_be_loaded_are_tried_again_later(error: Exception) -> None:
    """The version before goes on; why is told; what was loaded elsewhere does no harm."""
    room = Room()
    room.index()
    room.error = error
    room.go_on.set()
    room.flip("v2")
    room.index()
    _wait_for_the_end(room)
    assert room.exchange.problem is not None
    room.clock.now += 1
    assert room.index().version.name == "v1"
    assert len(room.loads) == 1
    room.error = None
    room.clock.now += RETRY_S
    room.index()
    room.exchange.close()
    assert room.index().version.name == "v2"
    assert room.exchange.problem is None


def test_models_that_are_not_those_of_the_version_are_refused() -> None:
    """Other weights under the same name would make vectors that compare with nothing."""
    room = Room()
    room.index()
    other = replace(SECOND, embedder=replace(SECOND.embedder, sha256="0" * 64))
    room.catalog.names["v2"] = other
    load = room.exchange._load
    room.exchange._load = lambda _: load(SECOND)
    room.go_on.set()
    room.flip("v2")
    room.index()
    room.exchange.close()
    assert "sha256" in str(room.exchange.problem)
    assert room.index().version.name == "v1"


def test_opened_late_it_finds_the_version_of_the_models_that_run() -> None:
    """Nothing was opened before the flip: the previous version is opened by its name."""
    room = Room()
    room.flip("v2")
    assert room.index().version.name == "v1"
    room.go_on.set()
    room.exchange.close()


def test_without_any_version_of_the_running_models_it_says_why() -> None:
    """Not ready while they load, then the reason."""
    room = Room()
    room.catalog.names = {"v2": SECOND}
    room.flip("v2")
    with pytest.raises(NotReady):
        room.index()
    room.error = IndexUnavailable("the store is away")
    room.go_on.set()
    _wait_for_the_end(room)
    with pytest.raises(IndexUnavailable, match="away"):
        room.index()
    room.exchange.close()


def _wait_for_the_end(room: Room) -> None:
    thread = room.exchange._thread
    if thread is not None:
        thread.join(10)
