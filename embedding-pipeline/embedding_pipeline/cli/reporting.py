"""``boxseek status`` and ``boxseek doctor``."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from contextlib import closing

from embedding_pipeline.bootstrap import build_catalog
from embedding_pipeline.cli.serving import listening
from embedding_pipeline.errors import BoxseekError
from embedding_pipeline.ingest.failures import all_failures
from embedding_pipeline.models.agreement import check_names
from embedding_pipeline.settings import Settings
from minio_proxy.bootstrap import build_store
from minio_proxy.errors import ProxyError, SettingsError

ENOUGH_BYTES = 1024**3


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


def run_doctor(settings: Settings) -> int:
    """Check one thing after the other, a line each; 0 when all is well, else 1."""
    checks: tuple[tuple[str, Callable[[Settings], str]], ...] = (
        ("python", _check_python),
        ("data folder", _check_space),
        ("originals", _check_store),
        ("index", _check_index),
        ("models", _check_models),
        ("address", _check_address),
    )
    bad = 0
    for name, check in checks:
        try:
            told = f"ok    {check(settings)}"
        except (BoxseekError, ProxyError) as exc:
            told, bad = f"WRONG {exc.message}", bad + 1
        except OSError as exc:
            told, bad = f"WRONG {exc}", bad + 1
        print(f"{name:<12} {told}")
    return int(bad > 0)


def _check_python(settings: Settings) -> str:
    del settings
    return ".".join(str(part) for part in sys.version_info[:3])


def _check_space(settings: Settings) -> str:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.data_dir).free
    if free < ENOUGH_BYTES:
        raise SettingsError(f"{settings.data_dir} has only {free:,} bytes free")
    return f"{settings.data_dir.absolute()}, {free / 1024**3:.0f} GiB free"


def _check_store(settings: Settings) -> str:
    with closing(build_store(settings)) as store:
        store.check()
    return settings.store


def _check_index(settings: Settings) -> str:
    with closing(build_catalog(settings)) as catalog:
        active = catalog.active()
        if active is None:
            return "none yet"
        check_names(settings, active.description)
        with closing(catalog.open()) as index:
            index.check()
            counts = index.count()
    return f"{active.name}: {counts.pictures:,} pictures, {counts.objects:,} objects"


def _check_models(settings: Settings) -> str:
    # Loads torch, so it is imported only where models are looked at.
    from embedding_pipeline.bootstrap import real_models  # noqa: PLC0415

    with closing(build_catalog(settings)) as catalog:
        active = catalog.active()
    loaded = real_models(settings, active.description if active else None)
    return loaded.description.summary() + (f" ({loaded.notice})" if loaded.notice else "")


def _check_address(settings: Settings) -> str:
    with listening(settings):
        return f"http://{settings.host}:{settings.port} is free"
