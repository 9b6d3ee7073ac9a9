"""From what a person types to a source: a folder, a bucket, a list or a CSV."""

from __future__ import annotations

from pathlib import Path

from embedding_pipeline.errors import IngestError
from embedding_pipeline.ingest.folder_source import FolderSource
from embedding_pipeline.ingest.list_source import ListSource
from embedding_pipeline.ingest.source_items import Source
from minio_proxy.picture.header import Limits


def open_source(text: str, *, limits: Limits, hidden: bool = False) -> Source:
    """Open ``FOLDER``, ``LIST.txt`` or ``TABLE.csv``.

    Args:
        text: as typed.
        limits: of size and pixels.
        hidden: of a folder, also take names that begin with a dot.

    Raises:
        IngestError: there is no such source, or none of this kind.
    """
    if text.startswith("s3://"):
        raise IngestError(
            f"{text}: buckets are not read by this version; mount or copy it to a folder, or give "
            "a list of files"
        )
    path = Path(text).expanduser()
    if path.is_dir():
        return FolderSource(path, limits=limits, hidden=hidden)
    if not path.exists():
        raise IngestError(f"there is no folder or file {text}")
    return ListSource(path, limits=limits)
