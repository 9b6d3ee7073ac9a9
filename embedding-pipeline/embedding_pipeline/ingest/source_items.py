"""What a source of pictures lists and gives, whatever it is."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from minio_proxy.errors import PictureTooLarge, UnsupportedFormat
from minio_proxy.picture.formats import detect_format
from minio_proxy.picture.header import Limits

State: TypeAlias = Literal["indexed", "duplicate", "rejected", "failed"]
STATES: tuple[State, ...] = ("indexed", "duplicate", "rejected", "failed")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something in a source did not become a picture in the index.

    Args:
        state: ``rejected`` (this content never will) or ``failed`` (another time it may).
        stage: list, read, decode, detect, embed, store or index.
        reason: one sentence.
        code: the error's stable code.
        retryable: the same content may work later.
    """

    state: Literal["rejected", "failed"]
    stage: str
    reason: str
    code: str
    retryable: bool


@dataclass(frozen=True, slots=True)
class SourceItem:
    """One thing that a source lists.

    Args:
        path: its name inside the source; bytes that are not UTF-8 stand as surrogates.
        version: changes whenever the content does (size and time, or an ETag).
        size_bytes: length of the content; None when the listing does not say.
        metadata: the user's fields that the source gives beside it (columns of a CSV).
        problem: set when the listing already shows that it cannot be read.
    """

    path: str
    version: str
    size_bytes: int | None = None
    metadata: Mapping[str, Any] | None = None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """An item's content.

    Args:
        data: all its bytes.
        version: of exactly these bytes; may be newer than the listing's.
        stamp: for a record that points to the source (see minio_proxy.records.Place).
    """

    data: bytes
    version: str
    stamp: str = ""


class SourceProblem(Exception):
    """An item could not be read; carries the Problem that becomes its state."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.reason)
        self.problem = problem


class Changes(Protocol):
    """Takes in what a watcher tells; may be called from any thread."""

    @property
    def pace_s(self) -> float:
        """How often the whole source may be compared where nothing is told, seconds."""
        ...

    def add(self, paths: Iterable[str]) -> None:
        """These paths of the source changed, came or went."""
        ...

    def lost(self) -> None:
        """Changes may have gone by untold."""
        ...

    def say(self, text: str) -> None:
        """Something that people should know."""
        ...


class Watcher(Protocol):
    """Tells of changes in a source."""

    def run(self, changes: Changes, stop: threading.Event) -> None:
        """Tell until stop is set; returns soon after that.

        Where nothing can be told, it says so and tells of lost changes every so often, so
        that the source is compared instead.
        """
        ...


class Source(Protocol):
    """A place that pictures come from: a folder, a bucket, a list."""

    @property
    def name(self) -> str:
        """What records call it: ``folder:/photos``, ``s3://bucket/prefix``, ``list:/a.csv``."""
        ...

    @property
    def root(self) -> str | None:
        """What records of originals left in place call it; None where none can be left."""
        ...

    def items(self) -> Iterator[SourceItem]:
        """Everything it holds, sorted by the bytes of the path, each path once.

        Raises:
            IngestError: the source as a whole cannot be listed.
        """
        ...

    def items_below(self, path: str) -> Iterator[SourceItem]:
        """What lies at one path: the file, all of a folder, or nothing; as ``items`` would.

        Raises:
            IngestError: the source as a whole is away.
        """
        ...

    def watcher(self) -> Watcher | None:
        """What tells of changes; None where nothing does."""
        ...

    def load(self, item: SourceItem) -> Loaded:
        """Read one item; may be called from several threads.

        Raises:
            SourceProblem: it cannot be read, is no picture or larger than allowed.
        """
        ...


def path_bytes(path: str) -> bytes:
    """Bytes by which paths are stored and sorted."""
    return path.encode("utf-8", "surrogateescape")


def path_from_bytes(raw: bytes) -> str:
    """Inverse of path_bytes."""
    return raw.decode("utf-8", "surrogateescape")


def readable(path: str) -> str:
    r"""Path for people and JSON: bytes that are not UTF-8 are written as ``\xff``."""
    return path_bytes(path).decode("utf-8", "backslashreplace")


def check_head(head: bytes, size_bytes: int, limits: Limits) -> None:
    """Refuse by the first bytes what need not be read any further.

    Args:
        head: the first HEAD_BYTES bytes (fewer when the content is shorter).
        size_bytes: length of the whole content.
        limits: of size and pixels.

    Raises:
        UnsupportedFormat: the bytes begin like no known picture format.
        PictureTooLarge: too many bytes.
    """
    if detect_format(head) is None:
        raise UnsupportedFormat(
            "not a picture format that Boxseek takes" if size_bytes else "the file is empty"
        )
    if size_bytes > limits.max_bytes:
        raise PictureTooLarge(
            f"the file has {size_bytes:,} bytes; at most {limits.max_bytes:,} are accepted",
            actual=size_bytes,
            limit=limits.max_bytes,
        )
