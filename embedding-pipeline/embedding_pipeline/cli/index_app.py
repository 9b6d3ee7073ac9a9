"""The commands that make, exchange, export and import versions of the index."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from embedding_pipeline.cli.outcome import load_settings
from embedding_pipeline.cli.priority import BACKFILL_NICE

index_app = typer.Typer(help="Versions of the index.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="JSON lines for machines.")]


@index_app.command("status")
def index_status(*, as_json: AsJson = False) -> int:
    """List the versions, the active one marked."""
    from embedding_pipeline.cli.index_commands import show_versions  # noqa: PLC0415 - see package

    return show_versions(load_settings(), as_json=as_json)


@index_app.command("create")
def index_create() -> int:
    """Make an empty version for the models that the settings choose; not active yet."""
    from embedding_pipeline.cli.index_commands import create_version  # noqa: PLC0415

    return create_version(load_settings())


@index_app.command("swap")
def index_swap(name: str) -> int:
    """Make a version the active one."""
    from embedding_pipeline.cli.index_commands import swap_version  # noqa: PLC0415

    return swap_version(load_settings(), name)


@index_app.command("rollback")
def index_rollback() -> int:
    """Make the version before the active one again, with what came since."""
    from embedding_pipeline.cli.index_commands import roll_back  # noqa: PLC0415

    return roll_back(load_settings())


@index_app.command("drop")
def index_drop(name: str) -> int:
    """Delete a version that is not active."""
    from embedding_pipeline.cli.index_commands import drop_version  # noqa: PLC0415

    return drop_version(load_settings(), name)


@index_app.command("rebuild")
def rebuild(*, as_json: AsJson = False) -> int:
    """Make the index anew from the stored originals, while the old one serves."""
    from embedding_pipeline.cli.rebuilding import run_rebuild  # noqa: PLC0415

    return run_rebuild(load_settings(), as_json=as_json)


def reindex(
    *,
    embedder: Annotated[str | None, typer.Option(help="As BOXSEEK_EMBEDDER.")] = None,
    detector: Annotated[str | None, typer.Option(help="As BOXSEEK_DETECTOR.")] = None,
    precision: Annotated[str | None, typer.Option(help="As BOXSEEK_PRECISION.")] = None,
    runtime: Annotated[str | None, typer.Option(help="As BOXSEEK_RUNTIME.")] = None,
    quality: Annotated[str | None, typer.Option(help="As BOXSEEK_QUALITY.")] = None,
    dimensions: Annotated[int | None, typer.Option(help="As BOXSEEK_DIMENSIONS.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Make it active whatever the comparison says.")
    ] = False,
    nice: Annotated[
        int, typer.Option(min=0, max=19, help="Lower the priority by this; 0: as others.")
    ] = BACKFILL_NICE,
    as_json: AsJson = False,
) -> int:
    """Make the index anew with other models, while the old one serves.

    What is not named is chosen as for a new index. Exit code 0, 1 (some failed or interrupted)
    or 2 (could not run, or the new version is not fit to be searched).
    """
    from embedding_pipeline.cli.rebuilding import run_reindex  # noqa: PLC0415

    named: dict[str, str | int | None] = {
        "embedder": embedder,
        "detector": detector,
        "precision": precision,
        "runtime": runtime,
        "quality": quality,
        "dimensions": dimensions,
    }
    changes = {name: value for name, value in named.items() if value is not None}
    return run_reindex(load_settings(), changes, force=force, as_json=as_json, nice=nice)


def export(
    file: Annotated[Path, typer.Argument(help="A .parquet file to write.")],
    *,
    as_json: AsJson = False,
) -> int:
    """Write objects and vectors of the index to a Parquet file."""
    from embedding_pipeline.cli.exchanging import run_export  # noqa: PLC0415

    return run_export(load_settings(), file, as_json=as_json)


def import_(
    file: Annotated[Path, typer.Argument(help="A file that export wrote.")],
    *,
    without_originals: Annotated[
        bool,
        typer.Option("--without-originals", help="Also pictures whose original is not stored."),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Bring objects and vectors of an exported file in; runs no models.

    Exit code 0, 1 (some refused or interrupted) or 2 (could not run).
    """
    from embedding_pipeline.cli.exchanging import run_import  # noqa: PLC0415

    return run_import(load_settings(), file, without_originals=without_originals, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add these commands to the top level."""
    app.add_typer(index_app, name="index")
    app.command("rebuild")(rebuild)
    app.command("reindex")(reindex)
    app.command("export")(export)
    app.command("import")(import_)
