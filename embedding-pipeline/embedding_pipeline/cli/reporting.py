"""``boxseek status``."""

from __future__ import annotations

import json
from contextlib import closing

from embedding_pipeline.bootstrap import build_catalog
from embedding_pipeline.ingest.failures import all_failures
from embedding_pipeline.settings import Settings


def show_status(settings: Settings, *, as_json: bool) -> int:
    """Print what is indexed, by which models, and how much failed; loads no model."""
    facts: dict[str, object] = {
        "data_dir": str(settings.data_dir.absolute()),
        "store": settings.store,
        "index": settings.index,
    }
    with closing(build_catalog(settings)) as catalog:
        active = catalog.active()
        if active is not None:
            with closing(catalog.open()) as index:
                counts = index.count()
            facts |= {
                "version": active.name,
                "models": active.description.summary(),
                "pictures": counts.pictures,
                "objects": counts.objects,
            }
    facts["failed"] = sum(1 for _ in all_failures(settings.data_dir, ("failed",)))
    if as_json:
        print(json.dumps(facts))
        return 0
    for name, value in facts.items():
        print(f"{name:<10} {f'{value:,}' if isinstance(value, int) else value}")
    if "version" not in facts:
        print("No index yet; the first start of serve, ingest or demo makes one.")
    return 0
