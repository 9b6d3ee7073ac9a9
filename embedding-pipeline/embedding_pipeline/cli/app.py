"""The commands of ``boxseek`` and their options; what they do stands beside, in this package."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from embedding_pipeline.cli.index_app import AsJson, register
from embedding_pipeline.cli.outcome import load_settings, run_command
from embedding_pipeline.cli.priority import BACKFILL_NICE

app = typer.Typer(
    name="boxseek",
    help="Search inside pictures: every object of every image is found.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models_app = typer.Typer(help="Weights of detectors and embedders.", no_args_is_help=True)
keys_app = typer.Typer(help="API keys.", no_args_is_help=True)
app.add_typer(models_app, name="models")
app.add_typer(keys_app, name="keys")


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    run_command(lambda: app(standalone_mode=False))


@app.callback()
def _every_command(
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    if debug:
        os.environ["BOXSEEK_DEBUG"] = "1"


@app.command()
def serve() -> int:
    """Serve the search API and the page; indexes nothing."""
    from embedding_pipeline.cli.serving import log_lines  # noqa: PLC0415 - see package
    from embedding_pipeline.cli.serving import serve as run  # noqa: PLC0415

    settings = load_settings()
    log_lines(settings, settings.log_level)
    return run(settings)


@app.command()
def proxy() -> int:
    """Serve originals and thumbnails alone."""
    from embedding_pipeline.cli.serving import serve_originals  # noqa: PLC0415

    return serve_originals(load_settings())


@app.command()
def ingest(
    source: Annotated[
        str, typer.Argument(help="A folder, s3://bucket/prefix, a list of paths, or a CSV.")
    ],
    *,
    collection: Annotated[str | None, typer.Option(help="Put the pictures in it.")] = None,
    checksum: Annotated[
        bool, typer.Option("--checksum", help="Read every file instead of trusting size and time.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the plan.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Also try again what failed before.")
    ] = False,
    delete: Annotated[
        bool, typer.Option("--delete", help="Remove what only this source brought and lost.")
    ] = False,
    force_delete: Annotated[
        bool, typer.Option("--force-delete", help="Remove it even when that is a lot.")
    ] = False,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Leave originals where they are, copy none.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on, and keep a folder or bucket in step.")
    ] = False,
    hidden: Annotated[
        bool, typer.Option("--hidden", help="Also names that begin with a dot.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write sums and failures to a .json or .csv file.")
    ] = None,
    nice: Annotated[
        int, typer.Option(min=0, max=19, help="Lower the priority by this; 0: as others.")
    ] = BACKFILL_NICE,
    max_load: Annotated[
        float | None,
        typer.Option(min=0.1, help="Begin no batch while the load average is above this."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Bring pictures in, skipping what is there.

    Exit code 0, 1 (some failed or interrupted) or 2 (could not run).
    """
    from embedding_pipeline.cli.ingesting import Manner, run_ingest  # noqa: PLC0415
    from embedding_pipeline.ingest.ingest_run import IngestOptions  # noqa: PLC0415

    settings = load_settings()
    options = IngestOptions(
        collection=collection,
        checksum=checksum,
        retry_failed=retry_failed,
        dry_run=dry_run,
        delete=delete or force_delete,
        force_delete=force_delete,
        delete_share=settings.delete_share,
        in_place=in_place,
    )
    manner = Manner(
        hidden=hidden,
        report_file=report,
        as_json=as_json,
        nice=nice,
        max_load=max_load,
        watch=watch,
    )
    return run_ingest(settings, source, options, manner)


@app.command()
def failures(
    *,
    rejected: Annotated[
        bool, typer.Option("--rejected", help="Also what is no picture Boxseek takes.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """List what could not be brought in, and why."""
    from embedding_pipeline.cli.ingesting import list_failures  # noqa: PLC0415

    return list_failures(load_settings(), rejected=rejected, as_json=as_json)


@app.command()
def demo(
    images: Annotated[str, typer.Option(help="Folder of pictures; else photographs at hand.")] = "",
) -> int:
    """Serve the page at once and index photographs meanwhile."""
    from embedding_pipeline.cli.demo import demo as run  # noqa: PLC0415
    from embedding_pipeline.cli.serving import log_lines  # noqa: PLC0415

    settings = load_settings()
    # A line a request would bury the progress bar; who names a level gets it.
    told = "log_level" in settings.model_fields_set
    log_lines(settings, settings.log_level if told else "warning")
    return run(settings, images)


@app.command()
def status(*, as_json: AsJson = False) -> int:
    """Tell what is stored and indexed, and by which models."""
    from embedding_pipeline.cli.reporting import show_status  # noqa: PLC0415

    return show_status(load_settings(), as_json=as_json)


@app.command()
def doctor(*, as_json: AsJson = False) -> int:
    """Tell what this machine can do, check all that Boxseek needs, measure what computes.

    Exit code 1 when something is broken.
    """
    from embedding_pipeline.cli.doctor import run_doctor  # noqa: PLC0415

    return run_doctor(load_settings(), as_json=as_json)


@models_app.command("list")
def models_list(*, as_json: AsJson = False) -> int:
    """List weights: local, packaged, and the defaults."""
    from embedding_pipeline.cli.model_commands import show_models  # noqa: PLC0415

    return show_models(load_settings(), as_json=as_json)


@models_app.command("pull")
def models_pull(
    names: Annotated[list[str] | None, typer.Argument(help="None: both defaults.")] = None,
) -> int:
    """Download weights into the local folder."""
    from embedding_pipeline.cli.model_commands import pull_models  # noqa: PLC0415

    return pull_models(load_settings(), names or [])


@models_app.command("show")
def models_show(name: str) -> int:
    """Tell what is known of one model."""
    from embedding_pipeline.cli.model_commands import show_one_model  # noqa: PLC0415

    return show_one_model(load_settings(), name)


@app.command("eval")
def evaluate(
    place: Annotated[
        Path | None, typer.Argument(metavar="DATA", help="Labelled pictures; see docs.")
    ] = None,
    *,
    form: Annotated[
        str | None, typer.Option(help="yolo, coco, voc, csv, folders or cifar100; found out.")
    ] = None,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="Settings files or NAME=VALUE,...; empty: in force."),
    ] = None,
    index: Annotated[str | None, typer.Option(help="lancedb or elasticsearch.")] = None,
    baselines: Annotated[bool, typer.Option(help="Measure the seed's two ways too.")] = True,
    pictures: Annotated[int | None, typer.Option(min=1, help="Of the set, at most.")] = None,
    queries: Annotated[int, typer.Option(min=1, help="Of each kind, at most.")] = 2000,
    gallery: Annotated[int, typer.Option(min=0, help="Pictures of a class indexed; 0: all.")] = 10,
    asking: Annotated[int, typer.Option(min=1, help="Pictures of a class that ask.")] = 1,
    recipe: Annotated[
        str | None, typer.Option(help="Repeat an earlier system's measurement.")
    ] = None,
    list_recipes: Annotated[
        bool, typer.Option("--list-recipes", help="Show the recipes and end.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write everything to a file; - for stdout.")
    ] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", help="Write a report with plots and pictures.")
    ] = None,
) -> int:
    """Measure what is found on labelled pictures, in a temporary index.

    Exit code 0, 1 (something of the set could not be used) or 2 (could not run).
    """
    from embedding_pipeline.cli import evaluating  # noqa: PLC0415 - see package
    from embedding_pipeline.evaluation.measuring import Options  # noqa: PLC0415
    from embedding_pipeline.evaluation.recipes import recipe_named  # noqa: PLC0415

    if list_recipes:
        return evaluating.list_recipes()
    if place is None:
        raise typer.BadParameter("say what to measure on", param_hint="DATA")
    wanted = evaluating.Wanted(
        place=place,
        form=form,
        options=Options(most_queries=queries, gallery_a_class=gallery, queries_a_class=asking),
        most_pictures=pictures,
        baselines=baselines,
        compare=compare,
        index=index,
        recipe=recipe_named(recipe) if recipe else None,
        json_file=json_file,
        html_file=html_file,
    )
    return evaluating.run_evaluation(load_settings(), wanted)


@keys_app.command("add")
def keys_add(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[str, typer.Option(help="read, write or admin.")] = "read",
) -> int:
    """Make a key and show it, once."""
    from embedding_pipeline.cli.key_commands import add_key  # noqa: PLC0415

    return add_key(load_settings(), name, scope)


@keys_app.command("list")
def keys_list(*, as_json: AsJson = False) -> int:
    """List the keys, without the keys themselves."""
    from embedding_pipeline.cli.key_commands import show_keys  # noqa: PLC0415

    return show_keys(load_settings(), as_json=as_json)


@keys_app.command("rotate")
def keys_rotate() -> int:
    """Sign links and logins with a new secret; done twice, all given out before end."""
    from embedding_pipeline.cli.key_commands import rotate_secret  # noqa: PLC0415

    return rotate_secret(load_settings())


@keys_app.command("revoke")
def keys_revoke(key_id: Annotated[str, typer.Argument(help="Id, as keys list shows it.")]) -> int:
    """Remove a key; its logins end at once."""
    from embedding_pipeline.cli.key_commands import revoke_key  # noqa: PLC0415

    return revoke_key(load_settings(), key_id)


register(app)
