"""Contract of the catalog port: versions and which one is active."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from embedding_pipeline.errors import IndexConflict, IndexNotFound
from embedding_pipeline.ports.index import IndexCatalog, IndexCounts
from support.indexes_samples import description, fill, key, picture

OpenCatalog = Callable[[], IndexCatalog]


def test_new_catalog_is_empty(catalog: IndexCatalog) -> None:
    """Before the first version there is none, none is active and none can be opened."""
    assert catalog.versions() == []
    assert catalog.active() is None
    with pytest.raises(IndexNotFound):
        catalog.open()
    with pytest.raises(IndexNotFound):
        catalog.rollback()


def test_created_version_is_empty_and_not_active(catalog: IndexCatalog) -> None:
    """A new version can be filled before anybody searches it."""
    version = catalog.create(description())
    assert not version.active
    assert not version.previous
    assert abs(version.created_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert catalog.active() is None
    assert catalog.versions() == [version]
    index = catalog.open(version.name)
    assert index.version == version
    assert index.count() == IndexCounts(0, 0)
    fill(index, [picture(1)])
    assert index.count() == IndexCounts(1, 2)
    index.close()


def test_description_survives(catalog: IndexCatalog, open_catalog: OpenCatalog) -> None:
    """Every field of a description comes back, from another handle too."""
    made = description()
    odd = replace(
        made,
        detector=replace(made.detector, name="dé \"t'\n", score_floor=0.1 + 0.2),
        embedder=replace(made.embedder, mean=(0.485, 0.456, 0.406), std=(0.1, 1 / 3, 2e-7)),
    )
    version = catalog.create(odd)
    catalog.activate(version.name)
    for handle in (catalog, open_catalog()):
        active = handle.active()
        assert active is not None
        assert active.description == odd
        assert active.created_at == version.created_at


def test_activate_and_roll_back(catalog: IndexCatalog) -> None:
    """Activating moves the one before to previous, and rollback exchanges the two."""
    first, second = catalog.create(description()), catalog.create(description(8))
    catalog.activate(first.name)
    catalog.activate(second.name)
    assert [(v.name, v.active, v.previous) for v in catalog.versions()] == [
        (first.name, False, True),
        (second.name, True, False),
    ]
    back = catalog.rollback()
    assert (back.name, back.active) == (first.name, True)
    again = catalog.rollback()
    assert (again.name, again.description.embedder.dimension) == (second.name, 8)


def test_activating_the_active_one_changes_nothing(catalog: IndexCatalog) -> None:
    """The previous version stays what it was."""
    first, second = catalog.create(description()), catalog.create(description())
    catalog.activate(first.name)
    catalog.activate(second.name)
    catalog.activate(second.name)
    assert catalog.rollback().name == first.name


def test_versions_are_in_order_of_age(catalog: IndexCatalog) -> None:
    """Names are unique and sort by age, also after one was dropped."""
    names = [catalog.create(description()).name for _ in range(3)]
    assert [version.name for version in catalog.versions()] == names == sorted(names)
    catalog.activate(names[0])
    catalog.drop(names[1])
    names.append(catalog.create(description()).name)
    assert len(set(names)) == 4
    assert names == sorted(names)


def test_unknown_version(catalog: IndexCatalog) -> None:
    """Activating, dropping or opening an unknown name raises IndexNotFound."""
    version = catalog.create(description())
    catalog.activate(version.name)
    for change in (catalog.activate, catalog.drop, catalog.open):
        for name in ("unknown", "../etc", "*", "_all", f"{version.name}x"):
            with pytest.raises(IndexNotFound):
                change(name)
    active = catalog.active()
    assert active is not None
    assert active.name == version.name


def test_drop_removes_a_version_and_its_data(catalog: IndexCatalog) -> None:
    """A dropped version is gone, and neither opened nor rolled back to."""
    first, second = catalog.create(description()), catalog.create(description())
    catalog.activate(first.name)
    catalog.activate(second.name)
    catalog.drop(first.name)
    assert [version.name for version in catalog.versions()] == [second.name]
    with pytest.raises(IndexNotFound):
        catalog.open(first.name)
    with pytest.raises(IndexNotFound):
        catalog.rollback()


def test_active_version_is_not_dropped(catalog: IndexCatalog) -> None:
    """Dropping the active version raises IndexConflict and leaves it alone."""
    version = catalog.create(description())
    catalog.activate(version.name)
    fill(catalog.open(), [picture(1)])
    with pytest.raises(IndexConflict):
        catalog.drop(version.name)
    assert catalog.open().count() == IndexCounts(1, 2)


def test_dropped_version_answers_with_index_not_found(
    catalog: IndexCatalog, open_catalog: OpenCatalog
) -> None:
    """Who still has a dropped version open gets a clear error from every call."""
    first, second = catalog.create(description()), catalog.create(description())
    catalog.activate(second.name)
    index = catalog.open(first.name)
    fill(index, [picture(1)])
    open_catalog().drop(first.name)
    for call in (
        index.count,
        index.pictures,
        index.check,
        index.label_counts,
        index.collection_counts,
        lambda: index.put([picture(2)]),
        lambda: index.picture("x"),
        lambda: index.object(f"{key(1)}-001"),
    ):
        with pytest.raises(IndexNotFound):
            call()


def test_versions_do_not_share_entries(catalog: IndexCatalog) -> None:
    """What is put into one version is not in the other, and a flip changes what open gives."""
    first, second = catalog.create(description()), catalog.create(description())
    catalog.activate(first.name)
    fill(catalog.open(), [picture(1)])
    fill(catalog.open(second.name), [picture(2), picture(3)])
    assert catalog.open().count() == IndexCounts(1, 2)
    catalog.activate(second.name)
    assert catalog.open().count() == IndexCounts(2, 4)
    assert catalog.rollback().name == first.name
    assert catalog.open().count() == IndexCounts(1, 2)


def test_flip_is_seen_by_another_handle(catalog: IndexCatalog, open_catalog: OpenCatalog) -> None:
    """A second handle sees creation, activation and drop at once."""
    other = open_catalog()
    assert other.active() is None
    first = catalog.create(description())
    catalog.activate(first.name)
    assert other.active() == catalog.active()
    second = other.create(description())
    other.activate(second.name)
    active = catalog.active()
    assert active is not None
    assert active.name == second.name
    catalog.drop(first.name)
    assert [version.name for version in other.versions()] == [second.name]
