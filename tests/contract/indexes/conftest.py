"""The index port's contract runs once for each adapter: a row below, a fixture of its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embedding_pipeline.indexes.elasticsearch_catalog import ElasticsearchCatalog
from embedding_pipeline.indexes.lancedb_catalog import LanceDbCatalog
from embedding_pipeline.indexes.lancedb_memory import Holding
from embedding_pipeline.ports.index import IndexCatalog, ObjectIndex
from support.indexes_elasticsearch import elasticsearch_settings
from support.indexes_samples import description

OpenCatalog = Callable[[], IndexCatalog]


@pytest.fixture
def lancedb_catalogs(tmp_path: Path) -> OpenCatalog:
    """Open catalogs of one embedded index."""
    return lambda: LanceDbCatalog(tmp_path / "index")


@pytest.fixture
def lancedb_memory_catalogs(tmp_path: Path) -> OpenCatalog:
    """The same, whose tables are read into memory for every question."""
    return lambda: LanceDbCatalog(tmp_path / "index", holding=Holding(quiet_s=0.0))


@pytest.fixture
def elasticsearch_catalogs(elasticsearch_url: str) -> Iterator[OpenCatalog]:
    """Open catalogs below a random prefix, whose indices are deleted in the end."""
    with elasticsearch_settings(elasticsearch_url) as settings:
        yield lambda: ElasticsearchCatalog(settings)


@pytest.fixture(
    params=[
        pytest.param("lancedb_catalogs", id="lancedb"),
        pytest.param("lancedb_memory_catalogs", id="lancedb-in-memory"),
        pytest.param("elasticsearch_catalogs", id="elasticsearch", marks=pytest.mark.elasticsearch),
    ]
)
def open_catalog(request: pytest.FixtureRequest) -> Iterator[OpenCatalog]:
    """Open one more handle on the same, at first empty, catalog; each is closed in the end."""
    opened: list[IndexCatalog] = []
    make: OpenCatalog = request.getfixturevalue(request.param)

    def tracked() -> IndexCatalog:
        opened.append(make())
        return opened[-1]

    yield tracked
    for catalog in opened:
        catalog.close()


@pytest.fixture
def catalog(open_catalog: OpenCatalog) -> IndexCatalog:
    """Catalog without a version."""
    return open_catalog()


@pytest.fixture
def index(catalog: IndexCatalog) -> Iterator[ObjectIndex]:
    """Empty, active version of the test description."""
    version = catalog.create(description())
    catalog.activate(version.name)
    index = catalog.open()
    yield index
    index.close()
