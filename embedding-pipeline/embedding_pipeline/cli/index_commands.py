"""``boxseek index``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from embedding_pipeline.bootstrap import Boxseek, ModelSource, build_catalog, real_models
from embedding_pipeline.cli.ingesting import stop_on_interrupt
from embedding_pipeline.cli.rebuilding import LOCK, bring_up_to_date, tell
from embedding_pipeline.ingest.failures import LEDGERS
from embedding_pipeline.ingest.key_locks import only_one
from embedding_pipeline.ingest.version_differences import differing_pictures
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


def roll_back(settings: Settings, models: ModelSource | None = None) -> int:
    """Make the previous version active again, and bring it up to date.

    Args:
        settings: of everything.
        models: loads the models; None takes the real ones.

    Returns:
        0, or 1 when the version lacks pictures that came since.
    """
    with (
        stop_on_interrupt() as stop,
        only_one(settings.data_dir / LEDGERS / LOCK, "rollback"),
    ):
        with _catalog(settings) as catalog:
            version = catalog.rollback()
        print(f"{version.name} is active again: {version.description.summary()}")
        # The settings may name the models of the version that was active until now.
        neutral = settings.model_copy(update={"detector": "", "embedder": ""})
        with Boxseek.open(neutral, models=models) as boxseek:
            count = _note_differences(boxseek)
            if not count:
                return 0
            print(f"{count:,} pictures came, went or changed since; bringing them in")
            report = bring_up_to_date(boxseek, stop)
    return tell(report, "boxseek reindex", as_json=False)


def drop_version(settings: Settings, name: str) -> int:
    """Delete a version that is not active."""
    with _catalog(settings) as catalog:
        catalog.drop(name)
    print(f"{name} is gone")
    return 0


def _note_differences(boxseek: Boxseek) -> int:
    """Note what the active version lacks, so that whoever runs its models brings it in."""
    versions = boxseek.catalog.versions()
    before = next((one for one in versions if one.previous), None)
    with ExitStack() as stack:
        active = stack.enter_context(closing(boxseek.catalog.open()))
        old = None
        if before is not None:
            old = stack.enter_context(closing(boxseek.catalog.open(before.name)))
        keys = list(differing_pictures(boxseek.originals.keys, active, old))
    if keys:
        boxseek.catch_up.note(keys)
    return len(keys)


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
