"""The index made anew from originals and records, on the embedded index."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from embedding_pipeline.indexes.lancedb_catalog import LanceDbCatalog
from embedding_pipeline.ingest.catch_up import CatchUp
from embedding_pipeline.ingest.folder_source import FolderSource
from embedding_pipeline.ingest.ingest_run import IngestOptions
from embedding_pipeline.ingest.key_locks import KeyLocks
from embedding_pipeline.ingest.library import Models, Upload
from embedding_pipeline.ingest.progress import Progress
from embedding_pipeline.ingest.rebuild import Rebuild, RebuildReport
from embedding_pipeline.ingest.unfinished import Unfinished
from embedding_pipeline.pipeline.tasks import PictureResult, PictureTask
from support.ingest_workshop import LIMITS, Workshop, fill_folder, jpeg, key_of


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Ten stored pictures; the index in memory says what a rebuild must give."""
    made = Workshop(tmp_path / "data")
    fill_folder(tmp_path / "photos", 10)
    source = FolderSource(tmp_path / "photos", limits=LIMITS)
    made.ingest(source, IngestOptions(collection="pets"))
    made.library.add([Upload("0.jpg", jpeg(0), "more", {"a": 1})])
    made.models.worked.clear()
    return made


@pytest.fixture
def catalog(workshop: Workshop) -> Iterator[LanceDbCatalog]:
    """A catalog whose active version is empty."""
    with closing(LanceDbCatalog(workshop.folder / "index")) as made:
        made.activate(made.create(workshop.description).name)
        yield made


def rebuild(
    workshop: Workshop,
    catalog: LanceDbCatalog,
    models: Models | None = None,
    stop: threading.Event | None = None,
) -> RebuildReport:
    """Run a rebuild."""
    locks = KeyLocks(workshop.folder / "locks")
    return Rebuild(
        catalog=catalog,
        originals=workshop.originals,
        locks=locks,
        notes=CatchUp(workshop.folder / "catch-up", catalog, workshop.originals, locks),
        models=models or workshop.models,
        description=workshop.description,
        progress=Progress(),
        unfinished=Unfinished(workshop.folder),
        batch_pictures=4,
        stop=stop or threading.Event(),
    ).run()


def test_a_rebuild_gives_the_same_entries(workshop: Workshop, catalog: LanceDbCatalog) -> None:
    """Ids, vectors, collections and metadata follow from originals and records alone."""
    report = rebuild(workshop, catalog)
    assert (report.pictures, report.objects, report.activated) == (10, 40, True)
    active = catalog.active()
    assert active is not None
    assert active.name == report.version
    with closing(catalog.open()) as index:
        for key, expected in workshop.index.held.items():
            found = index.picture(key)
            assert found is not None
            assert found.entries == expected.entries
            assert found.vectors.tobytes() == expected.vectors.tobytes()


def test_an_interrupted_rebuild_is_taken_up_again(
    workshop: Workshop, catalog: LanceDbCatalog
) -> None:
    """The old version goes on serving; the next run does what is left and no more."""
    before = catalog.active()
    stop = threading.Event()

    def stopping(tasks: Sequence[PictureTask]) -> list[PictureResult]:
        stop.set()
        return workshop.models(tasks)

    report = rebuild(workshop, catalog, stopping, stop)
    assert not report.activated
    assert catalog.active() == before
    again = rebuild(workshop, catalog)
    assert (again.version, again.activated) == (report.version, True)
    assert sorted(workshop.models.worked) == workshop.stored()


def test_what_arrives_and_goes_meanwhile_is_caught_up_with(
    workshop: Workshop, catalog: LanceDbCatalog
) -> None:
    """A picture added and one deleted during the rebuild."""

    def busy(tasks: Sequence[PictureTask]) -> list[PictureResult]:
        if not workshop.models.worked:
            workshop.library.add([Upload("new.jpg", jpeg(50))])
            workshop.library.delete(tasks[0].key)
        return workshop.models(tasks)

    rebuild(workshop, catalog, busy)
    with closing(catalog.open()) as index:
        keys = [entry.image_key for entry in index.pictures(limit=100)]
    assert keys == workshop.stored()
    assert key_of(jpeg(50)) in keys


def test_a_picture_that_fails_is_named(workshop: Workshop, catalog: LanceDbCatalog) -> None:
    """The others are indexed, the failed one is told with its reason."""
    bad = key_of(jpeg(3))
    workshop.models.broken.add(bad)
    report = rebuild(workshop, catalog)
    assert list(report.problems) == [bad]
    assert report.problems[bad].reason == "the models choked on it"
    assert report.pictures == 9
