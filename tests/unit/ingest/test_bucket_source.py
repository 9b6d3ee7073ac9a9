"""A bucket as a source: odd keys, order, limits, and servers that go away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from embedding_pipeline.errors import IngestError
from embedding_pipeline.ingest.bucket_source import BucketSource
from embedding_pipeline.ingest.source_items import SourceItem, SourceProblem
from embedding_pipeline.ingest.sources import Reach, open_source
from minio_proxy.errors import ObjectNotFound, StoreDenied, StoreError, StoreUnavailable
from minio_proxy.ports import ObjectStat, OpenObject
from support.ingest_workshop import LIMITS, Workshop, jpeg, key_of

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


class Pieces:
    """Bytes in pieces of 10, and whether they were closed."""

    def __init__(self, data: bytes) -> None:
        self._rest = data
        self.given = 0
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self._rest:
            raise StopIteration
        piece, self._rest = self._rest[:10], self._rest[10:]
        self.given += len(piece)
        return piece

    def close(self) -> None:
        """Note it."""
        self.closed = True


class MemoryBucket:
    """Objects in memory, listed in the order they were given."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects = objects
        self.troubles: list[StoreError] = []
        self.list_trouble: StoreError | None = None
        self.opened: list[Pieces] = []
        self.lost = ""

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """See the port."""
        if self.list_trouble is not None:
            raise self.list_trouble
        for key, data in self.objects.items():
            if key.startswith(prefix):
                yield ObjectStat(key, len(data), f"tag{len(data)}", SINCE)

    def open(self, key: str) -> OpenObject:
        """See the port."""
        if self.troubles:
            raise self.troubles.pop(0)
        if self.lost and key >= self.lost:
            raise StoreUnavailable("away")
        if key not in self.objects:
            raise ObjectNotFound(f"No object {key!r} is in the store.", key=key)
        data = self.objects[key]
        self.opened.append(Pieces(data))
        return OpenObject(f"tag{len(data)}", len(data), self.opened[-1])

    def close(self) -> None:
        """Nothing to close."""


def source_of(bucket: MemoryBucket, waits: list[float] | None = None) -> BucketSource:
    """A source that waits in no time."""
    waited: list[float] = [] if waits is None else waits
    return BucketSource(bucket, "photos", "", limits=LIMITS, wait=waited.append)


def problem_of(bucket: MemoryBucket, key: str) -> tuple[str, str, bool]:
    """State, code and whether it may be tried again, of reading one object."""
    with pytest.raises(SourceProblem) as caught:
        source_of(bucket).load(SourceItem(key, "1-x"))
    problem = caught.value.problem
    return problem.state, problem.code, problem.retryable


def test_keys_come_as_they_are() -> None:
    """Spaces, %2F, Unicode and empty segments; folders that consoles make are left out."""
    keys = ["a b.jpg", "a%2Fb.jpg", "a//b.jpg", "a/", "a/+ ?#&.jpg", "ü/日本.jpg"]
    keys.sort(key=str.encode)
    objects = {key: b"" if key == "a/" else jpeg(1) for key in keys}
    source = source_of(MemoryBucket(objects))
    found = list(source.items())
    assert [item.path for item in found] == [key for key in keys if key != "a/"]
    assert {item.version for item in found} == {f"{len(jpeg(1))}-tag{len(jpeg(1))}"}
    assert [source.load(item).data for item in found] == [jpeg(1)] * 5
    assert source.load(found[0]).version == found[0].version


def test_a_bucket_out_of_order_is_no_source() -> None:
    """The reconcile would take what comes late for gone."""
    with pytest.raises(IngestError, match="order"):
        list(source_of(MemoryBucket({"b": b"", "a": b""})).items())


def test_a_bucket_that_cannot_be_listed_is_told() -> None:
    """The run could not begin: exit code 2 and a reason."""
    bucket = MemoryBucket({})
    bucket.list_trouble = ObjectNotFound("There is no bucket photos.")
    with pytest.raises(IngestError, match=r"cannot list s3://photos/: There is no bucket photos\."):
        list(source_of(bucket).items())


def test_what_is_no_picture_is_refused_by_its_head() -> None:
    """Films are not read to their end, and the connection is freed."""
    bucket = MemoryBucket({"film.mp4": bytes(100_000), "large.jpg": jpeg(1) + bytes(2_000_000)})
    assert problem_of(bucket, "film.mp4") == ("rejected", "unsupported_format", False)
    assert problem_of(bucket, "large.jpg") == ("rejected", "picture_too_large", False)
    assert all(pieces.closed and pieces.given < 1000 for pieces in bucket.opened)


def test_an_object_that_is_gone_or_forbidden_is_a_failure_of_its_own() -> None:
    """The others go on."""
    bucket = MemoryBucket({"a.jpg": jpeg(1)})
    assert problem_of(bucket, "gone.jpg") == ("failed", "object_not_found", True)
    bucket.troubles = [StoreDenied("no")]
    assert problem_of(bucket, "a.jpg") == ("failed", "store_denied", True)


def test_a_server_that_is_away_for_a_moment_is_asked_again() -> None:
    """Each wait is twice the one before."""
    bucket = MemoryBucket({"a.jpg": jpeg(1)})
    bucket.troubles = [StoreUnavailable("away")] * 3
    waits: list[float] = []
    assert source_of(bucket, waits).load(SourceItem("a.jpg", "")).data == jpeg(1)
    assert waits == [0.5, 1.0, 2.0]


def test_a_server_that_stays_away_or_refuses_all_ends_the_run() -> None:
    """Instead of failing ten million objects one by one."""
    bucket = MemoryBucket({"a.jpg": jpeg(1)})
    bucket.troubles = [StoreUnavailable("away")] * 4
    with pytest.raises(IngestError, match="goes on where it stopped"):
        source_of(bucket).load(SourceItem("a.jpg", ""))
    bucket.troubles = [StoreDenied("expired")]
    bucket.list_trouble = StoreDenied("expired")
    with pytest.raises(IngestError, match="expired"):
        source_of(bucket).load(SourceItem("a.jpg", ""))


def test_a_run_that_lost_its_server_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """The end is that of an undisturbed run, and no model work is done twice."""
    objects = {f"{number:02d}.jpg": jpeg(number) for number in range(20)}
    bucket = MemoryBucket(objects)
    workshop = Workshop(tmp_path / "data", batch_pictures=2)
    source = source_of(bucket)
    bucket.lost = "10.jpg"
    with pytest.raises(IngestError, match="away"):
        workshop.ingest(source)
    bucket.lost = ""
    assert workshop.ingest(source).states == {"indexed": 20}
    assert workshop.stored() == sorted(key_of(data) for data in objects.values())
    assert sorted(workshop.models.worked) == workshop.stored()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("s3://", "names no bucket"),
        ("s3://own", "keeps originals"),
        ("s3://own/box", "keeps originals"),
        ("s3://own/boxseek/originals/", "keeps originals"),
        ("s3://other/\udcff", "UTF-8"),
    ],
    ids=["no bucket", "own bucket", "around the own prefix", "inside it", "no text"],
)
def test_buckets_that_are_refused(text: str, words: str) -> None:
    """Boxseek's own originals are no source."""
    reach = Reach(lambda _: MemoryBucket({}), ("own", "boxseek/"))
    with pytest.raises(IngestError, match=words):
        open_source(text, limits=LIMITS, reach=reach)


def test_another_prefix_of_the_own_bucket_may_be_read() -> None:
    """The name has bucket and prefix as typed."""
    bucket = MemoryBucket({"in/a.jpg": jpeg(1), "boxseek/b.jpg": jpeg(2)})
    reach = Reach(lambda _: bucket, ("own", "boxseek/"))
    source = open_source("s3://own/in/", limits=LIMITS, reach=reach)
    assert source.name == "s3://own/in/"
    assert [item.path for item in source.items()] == ["in/a.jpg"]
