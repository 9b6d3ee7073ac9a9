"""Which backend the index has: the one module that knows both."""

from __future__ import annotations

from embedding_pipeline.ports.index import IndexCatalog
from embedding_pipeline.settings import Settings


def build_catalog(settings: Settings) -> IndexCatalog:
    """Build the catalog of the index that BOXSEEK_INDEX names; the caller closes it."""
    # Imported where they are used: each takes a second, and a run needs one of them at most.
    if settings.index == "elasticsearch":
        from embedding_pipeline.indexes.elasticsearch_catalog import (  # noqa: PLC0415
            ElasticsearchCatalog,
        )

        return ElasticsearchCatalog(settings)
    from embedding_pipeline.indexes.lancedb_catalog import LanceDbCatalog  # noqa: PLC0415 - as above
    from embedding_pipeline.indexes.lancedb_memory import Holding  # noqa: PLC0415 - as above

    holding = Holding(most_bytes=settings.index_memory_mb << 20)
    return LanceDbCatalog(settings.data_dir / "index", holding=holding)
