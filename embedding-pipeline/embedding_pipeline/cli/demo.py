"""``boxseek demo``: serves at once and indexes photographs meanwhile."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path

from embedding_pipeline.bootstrap import Boxseek, ModelSource, limits_of
from embedding_pipeline.cli.demo_pictures import DemoPictures, choose_pictures, download_from
from embedding_pipeline.cli.display import mode_for, shown
from embedding_pipeline.cli.outcome import ends_on_interrupt
from embedding_pipeline.cli.room import ingest_room
from embedding_pipeline.cli.serving import address, listening, patience, serve_app
from embedding_pipeline.cli.source_samples import source_samples
from embedding_pipeline.errors import BoxseekError
from embedding_pipeline.ingest.folder_source import FolderSource
from embedding_pipeline.ingest.ingest_run import IngestOptions, ingest
from embedding_pipeline.models.samples import Samples
from embedding_pipeline.settings import Settings
from minio_proxy.errors import ProxyError

COLLECTION = "demo"


def demo(settings: Settings, images: str, models: ModelSource | None = None) -> int:
    """Serve the page and, at the same time, index a folder; Ctrl-C ends both cleanly.

    Args:
        settings: of everything.
        images: a folder; empty for photographs that can be had.
        models: loads the models; None takes the real ones.

    Raises:
        IngestError: the named folder cannot be read.
        SettingsError: the address cannot be listened on.
    """
    if images:
        FolderSource(Path(images).expanduser(), limits=limits_of(settings))
    chosen: Future[DemoPictures] = Future()
    with (
        ends_on_interrupt(),
        listening(settings) as bound,
        patience() as hurry,
        Boxseek.open(settings, models=models, samples=_samples(settings, chosen)) as boxseek,
    ):
        where = address(bound)
        print(f"Boxseek is at {where}  (Ctrl-C ends it)", flush=True)
        stop = threading.Event()
        indexing = threading.Thread(
            target=_index,
            args=(boxseek, images, where, stop, chosen),
            name="indexing",
            daemon=True,
        )
        indexing.start()
        try:
            serve_app(boxseek, bound)
        finally:
            hurry()
            stop.set()
            print("ending", file=sys.stderr, flush=True)
        indexing.join()
    return 0


def _index(
    boxseek: Boxseek,
    images: str,
    where: str,
    stop: threading.Event,
    chosen: Future[DemoPictures],
) -> None:
    """Choose pictures and bring them in; what goes wrong is told, the page stays up."""
    try:
        try:
            pictures = _pictures(boxseek.settings, images)
        except BaseException as exc:
            chosen.set_exception(exc)
            raise
        chosen.set_result(pictures)
        _tell(pictures.told)
        room = ingest_room(boxseek)
        if boxseek.models is not None and boxseek.models.notice:
            _tell(boxseek.models.notice)
        if stop.is_set():
            return
        source = FolderSource(pictures.folder, limits=limits_of(boxseek.settings))
        with shown(room.progress, mode_for(sys.stderr, as_json=False)):
            report = ingest(source, IngestOptions(collection=COLLECTION), room, stop)
    except (BoxseekError, ProxyError) as exc:
        if not stop.is_set():
            _tell(f"Indexing ended: {exc.message}")
        return
    for line in report.lines():
        _tell(line)
    if not stop.is_set():
        _tell(f"Ready: search at {where}")


def _samples(settings: Settings, chosen: Future[DemoPictures]) -> Samples:
    """Pictures of the demo for its models, which may have to wait until they are chosen."""

    def read() -> Iterable[bytes]:
        try:
            folder = chosen.result().folder
        except (BoxseekError, ProxyError):
            return ()  # told where the pictures are brought in
        return source_samples(FolderSource(folder, limits=limits_of(settings)))()

    return read


def _pictures(settings: Settings, images: str) -> DemoPictures:
    if images:
        folder = Path(images).expanduser().absolute()
        return DemoPictures(folder, f"The pictures are those of {folder}.")
    return choose_pictures(
        settings.data_dir / "demo",
        download=download_from(settings.demo_url, settings.hub_connect_timeout_s),
        test_data=os.environ.get("BOXSEEK_TEST_DATA", ""),
        limits=limits_of(settings),
    )


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
