"""What is known of a picture beside its bytes.

A record is a set of small parts, each written once under a name made from its content:
``records/<k2>/<image_key>/<part_id>.json``. Adding never reads first, so two writers on
any S3 store cannot lose each other's collection or source, and removing a source removes
its part. What a picture's record says is the merge of its parts.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

JsonValue: TypeAlias = (
    Any  # a value that json.dumps takes; mypy has no recursive JSON type that pydantic accepts
)

RECORD_FORMAT = 1
PLACED_FORMAT = 2
"""Of parts that point to an original outside the store; older versions must not skip that."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an original lies that was left in its source.

    Args:
        root: the source: an absolute folder, or ``s3://bucket/prefix``.
        path: inside the folder, or the whole key; bytes that are not UTF-8 as surrogates.
        size_bytes: length of the original.
        stamp: changes whenever the file may have (size and times, or size and ETag).
    """

    root: str
    path: str
    size_bytes: int
    stamp: str


def file_stamp(status: os.stat_result) -> str:
    """Stamp of a file: size, time of change, and the time of change that nobody can set."""
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}"


def object_stamp(size_bytes: int, etag: str) -> str:
    """Stamp of an object in a bucket."""
    return f"{size_bytes}-{etag}"


def etag_of(stamp: str) -> str:
    """ETag of an object's stamp."""
    return stamp.partition("-")[2]


@dataclass(frozen=True, slots=True)
class RecordPart:
    """One fact: this picture came from there, into that collection, with these fields.

    Args:
        source: where it came from (``upload``, ``folder:/photos``, ``s3://bucket/prefix``).
        path: the name or path it had there; None when unknown.
        collection: the collection it was put in; None for none.
        metadata: the user's own fields; None when none were given (keeps earlier ones).
        taken_at: time of exposure from EXIF, UTC where EXIF knows, else naive read as UTC.
        added_at: when this part was written, UTC; a naive time is read as UTC.
        place: where the original was left; None when it is in the store. No part of the
            fact's name: a file that was touched replaces its part.
    """

    source: str
    path: str | None
    collection: str | None
    metadata: Mapping[str, JsonValue] | None
    taken_at: datetime | None
    added_at: datetime
    place: Place | None = None

    def __post_init__(self) -> None:
        """Make times comparable: all of them are timezone-aware."""
        object.__setattr__(self, "added_at", _aware(self.added_at))
        if self.taken_at is not None:
            object.__setattr__(self, "taken_at", _aware(self.taken_at))

    @property
    def part_id(self) -> str:
        """Name of the part: the same fact from the same place has the same name."""
        fact = [self.source, self.path, self.collection, self.metadata]
        text = json.dumps(fact, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def to_json(self) -> bytes:
        """Serialize for the store."""
        body: dict[str, JsonValue] = {
            "format": PLACED_FORMAT if self.place else RECORD_FORMAT,
            "source": self.source,
            "path": self.path,
            "collection": self.collection,
            "metadata": self.metadata,
            "taken_at": self.taken_at.isoformat() if self.taken_at else None,
            "added_at": self.added_at.isoformat(),
        }
        if self.place is not None:
            body["place"] = asdict(self.place)
        return json.dumps(body, sort_keys=True).encode()


@dataclass(frozen=True, slots=True)
class PictureRecord:
    """The merge of a picture's parts; the truth that the index is built from.

    Args:
        image_key: SHA-256 of the original's bytes, 64 hex digits.
        collections: sorted, without repeats.
        sources: ``(source, path)`` pairs, sorted, without repeats.
        metadata: the newest metadata that was given, or empty.
        taken_at: the earliest known time of exposure.
        first_added_at: when the picture first came in; None when it has no part.
        places: where it was left outside the store, the newest first.
    """

    image_key: str
    collections: tuple[str, ...] = ()
    sources: tuple[tuple[str, str | None], ...] = ()
    metadata: Mapping[str, JsonValue] | None = None
    taken_at: datetime | None = None
    first_added_at: datetime | None = None
    places: tuple[Place, ...] = ()

    @classmethod
    def merge(cls, image_key: str, parts: Iterable[RecordPart]) -> PictureRecord:
        """Merge parts; the order in which they are given does not matter."""
        ordered = sorted(parts, key=lambda part: (part.added_at, part.part_id))
        given = [part.metadata for part in ordered if part.metadata is not None]
        taken = [part.taken_at for part in ordered if part.taken_at is not None]
        return cls(
            image_key=image_key,
            collections=tuple(sorted({p.collection for p in ordered if p.collection})),
            sources=tuple(sorted({(p.source, p.path) for p in ordered}, key=_source_order)),
            metadata=dict(given[-1]) if given else None,
            taken_at=min(taken) if taken else None,
            first_added_at=ordered[0].added_at if ordered else None,
            places=tuple(dict.fromkeys(p.place for p in reversed(ordered) if p.place)),
        )


class RecordFormatError(ValueError):
    """A part written by another version of Boxseek.

    Args:
        expected: the format version that this Boxseek reads.
        actual: the part's.
    """

    def __init__(self, expected: int, actual: object) -> None:
        super().__init__(f"record format {actual!r}, expected {expected}")
        self.expected = expected
        self.actual = actual


def part_from_json(body: bytes) -> RecordPart:
    """Read a part back.

    Raises:
        RecordFormatError: another format version wrote it.
        ValueError: it is no part at all.
    """
    fields = json.loads(body)
    if not isinstance(fields, dict):
        raise ValueError("a record part is a JSON object")  # noqa: TRY004 - it is the content's fault
    if fields.get("format") not in {RECORD_FORMAT, PLACED_FORMAT}:
        raise RecordFormatError(RECORD_FORMAT, fields.get("format"))
    try:
        return RecordPart(
            source=fields["source"],
            path=fields["path"],
            collection=fields["collection"],
            metadata=fields["metadata"],
            taken_at=datetime.fromisoformat(fields["taken_at"]) if fields["taken_at"] else None,
            added_at=datetime.fromisoformat(fields["added_at"]),
            place=Place(**fields["place"]) if fields.get("place") else None,
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"a record part lacks or misuses {error}") from error


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _source_order(pair: tuple[str, str | None]) -> tuple[str, bool, str]:
    """Order of (source, path), an unknown path first."""
    source, path = pair
    return source, path is not None, path or ""
