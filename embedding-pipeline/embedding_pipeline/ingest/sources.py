"""From what a person types to a source: a folder, a bucket, a list or a CSV."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from embedding_pipeline.errors import IngestError
from embedding_pipeline.ingest.bucket_source import BucketSource
from embedding_pipeline.ingest.folder_source import FolderSource
from embedding_pipeline.ingest.list_source import ListSource
from embedding_pipeline.ingest.source_items import Source
from minio_proxy.picture.header import Limits
from minio_proxy.ports import BucketSource as Bucket

S3 = "s3://"


@dataclass(frozen=True, slots=True)
class Reach:
    """What sources may reach beyond this machine's files.

    Args:
        open_bucket: reads a bucket by name; None where no bucket can be read.
        own_place: bucket and prefix that Boxseek itself keeps originals in; None for none.
        fetch: bytes behind an address; None where addresses are not allowed.
    """

    open_bucket: Callable[[str], Bucket] | None = None
    own_place: tuple[str, str] | None = None
    fetch: Callable[[str], bytes] | None = None


NOWHERE = Reach()


def open_source(
    text: str,
    *,
    limits: Limits,
    hidden: bool = False,
    in_place: bool = False,
    reach: Reach = NOWHERE,
) -> Source:
    """Open ``FOLDER``, ``s3://BUCKET/PREFIX``, ``LIST.txt`` or ``TABLE.csv``.

    Args:
        text: as typed.
        limits: of size and pixels.
        hidden: of a folder, also take names that begin with a dot.
        in_place: originals are to stay where they are.
        reach: what may be reached beyond files.

    Raises:
        IngestError: there is no such source, or none that may be read.
        SettingsError: the settings do not say how to reach it.
    """
    if text.startswith(S3):
        return _bucket(text, limits, reach)
    path = Path(text).expanduser()
    if path.is_dir():
        return FolderSource(path, limits=limits, hidden=hidden, inside_only=in_place)
    if not path.exists():
        raise IngestError(f"there is no folder or file {text}")
    if in_place:
        raise IngestError(
            "--in-place leaves originals in a folder or bucket; what a list names is copied"
        )
    return ListSource(path, limits=limits, fetch=reach.fetch)


def _bucket(text: str, limits: Limits, reach: Reach) -> BucketSource:
    name, _, prefix = text.removeprefix(S3).partition("/")
    if not name:
        raise IngestError(f"{text} names no bucket; write s3://bucket/prefix")
    try:
        prefix.encode()
    except UnicodeEncodeError as exc:
        raise IngestError("the prefix of a bucket must be UTF-8, as all keys of S3 are") from exc
    if reach.open_bucket is None:
        raise IngestError(f"{text}: buckets cannot be read here")
    own = reach.own_place
    if own and own[0] == name and (own[1].startswith(prefix) or prefix.startswith(own[1])):
        raise IngestError(
            f"{text} reaches into s3://{own[0]}/{own[1]}, where Boxseek itself keeps originals; "
            "name another bucket, or a prefix beside it"
        )
    return BucketSource(reach.open_bucket(name), name, prefix, limits=limits)
