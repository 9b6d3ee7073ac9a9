"""``boxseek index``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager

from embedding_pipeline.bootstrap import build_catalog, real_models
from embedding_pipeline.ports.index import IndexCatalog, IndexVersion
from embedding_pipeline.settings import Settings


def show_versions(settings: Settings, *, as_json: bool) -> int:
    """Print every version with its models and counts."""
    with _catalog(settings) as catalog:
        versions = catalog.versions()
        for version in versions:
            _show(catalog, version, as_json=as_json)
    if not versions and not as_json:
        print("No index yet; the first start of serve, ingest or demo makes one.")
    return 0


def create_version(settings: Settings) -> int:
    """Make an empty version for the models that the settings choose."""
    description = real_models(settings, None).description
    with _catalog(settings) as catalog:
        version = catalog.create(description)
    print(f"created {version.name}: {description.summary()}")
    return 0


def swap_version(settings: Settings, name: str) -> int:
    """Make a version the active one."""
    with _catalog(settings) as catalog:
        catalog.activate(name)
    print(f"{name} is active")
    return 0


def roll_back(settings: Settings) -> int:
    """Make the previous version active again."""
    with _catalog(settings) as catalog:
        version = catalog.rollback()
    print(f"{version.name} is active again")
    return 0


def drop_version(settings: Settings, name: str) -> int:
    """Delete a version that is not active."""
    with _catalog(settings) as catalog:
        catalog.drop(name)
    print(f"{name} is gone")
    return 0


@contextmanager
def _catalog(settings: Settings) -> Iterator[IndexCatalog]:
    with closing(build_catalog(settings)) as catalog:
        yield catalog


def _show(catalog: IndexCatalog, version: IndexVersion, *, as_json: bool) -> None:
    with closing(catalog.open(version.name)) as index:
        counts = index.count()
    role = "active" if version.active else "previous" if version.previous else ""
    if as_json:
        fields = {
            "name": version.name,
            "active": version.active,
            "previous": version.previous,
            "created_at": version.created_at.isoformat(),
            "pictures": counts.pictures,
            "objects": counts.objects,
            "models": version.description.to_json(),
        }
        print(json.dumps(fields))
        return
    print(
        f"{version.name}  {role:<8}  {counts.pictures:,} pictures, {counts.objects:,} objects  "
        f"{version.description.summary()}"
    )
