"""A source that is watched: what is told, what is lost, what goes away for a while."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from embedding_pipeline.errors import DeleteRefused, IngestError
from embedding_pipeline.ingest import watching
from embedding_pipeline.ingest.bucket_watcher import BucketWatcher
from embedding_pipeline.ingest.folder_source import FolderSource
from embedding_pipeline.ingest.folder_watcher import FolderWatcher
from embedding_pipeline.ingest.ingest_run import IngestOptions
from embedding_pipeline.ingest.run_report import RunReport
from embedding_pipeline.ingest.source_items import Changes
from embedding_pipeline.ingest.watching import Pending, Watch
from minio_proxy.errors import NotOffered, StoreUnavailable
from minio_proxy.records import RecordPart
from support.ingest_workshop import LIMITS, SINCE, Workshop, fill_folder, jpeg, key_of

PATIENCE_S = 60.0


def until(done: Callable[[], bool], what: str) -> None:
    """Wait for something that another thread does."""
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(0.02)


class Clock:
    """Time that tests move."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Give the present time, seconds."""
        return self.now


class Teller:
    """A watcher that says what a test tells it to."""

    def __init__(self) -> None:
        self.changes: Changes | None = None

    def run(self, changes: Changes, stop: threading.Event) -> None:
        """Be ready at once."""
        self.changes = changes
        changes.lost()
        stop.wait()


def test_a_path_waits_until_it_comes_to_rest() -> None:
    """Files that are being written are left alone, but not for ever."""
    clock = Clock()
    pending = Pending(print, clock)
    pending.add(["a", "b"])
    assert pending.take() == []
    clock.now += watching.QUIET_S / 2
    pending.add(["b"])
    clock.now += watching.QUIET_S / 2
    assert pending.take() == ["a"]
    while clock.now < 100 + watching.MOST_QUIET_S:
        pending.add(["b"])
        clock.now += watching.QUIET_S / 2
    assert pending.take() == ["b"]


def test_lost_changes_make_the_rest_superfluous() -> None:
    """The comparison that follows sees everything, and is asked for once."""
    pending = Pending(print, Clock())
    pending.add(["a"])
    pending.lost()
    assert pending.take_lost()
    assert not pending.take_lost()
    assert pending.take() == []


@contextmanager
def watched(
    workshop: Workshop, source: FolderSource, options: IngestOptions | None = None
) -> Iterator[tuple[list[tuple[RunReport, bool]], list[str]]]:
    """Watch a folder in another thread; gives the reports and what was said."""
    reports: list[tuple[RunReport, bool]] = []
    said: list[str] = []
    stop = threading.Event()

    def run(only: Sequence[str] | None, *, removed: int, delete: bool) -> RunReport:
        chosen = options or IngestOptions()
        if not delete:
            chosen = IngestOptions(in_place=chosen.in_place)
        return workshop.ingest(source, chosen, stop, only)

    watch = Watch(
        run,
        source.watcher(),
        lambda: bool(workshop.originals.unsettled.pending(limit=1)),
        stop,
        reconcile_s=3600,
        tell=lambda report, whole: reports.append((report, whole)),
        say=said.append,
    )
    thread = threading.Thread(target=watch.go)
    thread.start()
    try:
        until(lambda: bool(reports), "the first comparison")
        yield reports, said
    finally:
        stop.set()
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "the watch did not end"


def test_a_folder_is_kept_in_step(tmp_path: Path) -> None:
    """New, nested, renamed, changed, hidden, oddly named and removed files."""
    workshop = Workshop(tmp_path / "data")
    photos = tmp_path / "photos"
    fill_folder(photos, 10)
    held = workshop.index.held
    source = FolderSource(photos, limits=LIMITS)
    options = IngestOptions(delete=True, delete_share=0.5)
    with watched(workshop, source, options) as (reports, _):
        assert reports[0][0].states == {"indexed": 10}
        (photos / "new.jpg").write_bytes(jpeg(20))
        until(lambda: key_of(jpeg(20)) in held, "a new file")
        (tmp_path / "made" / "deep").mkdir(parents=True)
        (tmp_path / "made" / "deep" / "a.jpg").write_bytes(jpeg(21))
        (tmp_path / "made").rename(photos / "moved-in")
        until(lambda: key_of(jpeg(21)) in held, "a folder that was moved in")
        workshop.models.worked.clear()
        (photos / "moved-in" / "deep").rename(photos / "deep")
        until(lambda: "deep/a.jpg" in paths_of(workshop, jpeg(21)), "a folder that was renamed")
        until(lambda: paths_of(workshop, jpeg(21)) == ["deep/a.jpg"], "the old path's end")
        assert workshop.models.worked == []
        (photos / "0001.jpg").write_bytes(jpeg(22))
        until(lambda: key_of(jpeg(22)) in held, "a changed file")
        until(lambda: key_of(jpeg(1)) not in held, "the end of what it was")
        (photos / "0002.jpg").unlink()
        until(lambda: key_of(jpeg(2)) not in held, "a removed file")
        (photos / ".hidden.jpg").write_bytes(jpeg(23))
        odd = os.fsdecode(os.fsencode(photos) + b"/\xff.jpg")
        Path(odd).write_bytes(jpeg(24))
        until(lambda: key_of(jpeg(24)) in held, "a name that is not UTF-8")
        assert key_of(jpeg(23)) not in held
        assert len(held) == 12


def paths_of(workshop: Workshop, data: bytes) -> list[str | None]:
    """Paths that the record of a picture names."""
    return [path for _, path in workshop.originals.record(key_of(data)).sources]


def test_a_folder_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    """Nothing is removed meanwhile, it is said, and what changed is then found."""
    workshop = Workshop(tmp_path / "data")
    photos = tmp_path / "photos"
    fill_folder(photos, 3)
    source = FolderSource(photos, limits=LIMITS)
    with watched(workshop, source, IngestOptions(delete=True)) as (_, said):
        photos.rename(tmp_path / "away")
        until(lambda: any("mounted" in text or "cannot read" in text for text in said), "a word")
        assert len(workshop.index.held) == 3
        (tmp_path / "away" / "late.jpg").write_bytes(jpeg(30))
        (tmp_path / "away").rename(photos)
        until(lambda: key_of(jpeg(30)) in workshop.index.held, "the folder's return")
        assert len(workshop.index.held) == 4


def test_what_the_proxy_took_in_is_found_by_the_watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any change of the source."""
    monkeypatch.setattr(watching, "SETTLE_S", 0.1)
    workshop = Workshop(tmp_path / "data")
    fill_folder(tmp_path / "photos", 1)
    with watched(workshop, FolderSource(tmp_path / "photos", limits=LIMITS)):
        part_key = key_of(jpeg(40))
        workshop.originals.add(jpeg(40), RecordPart("upload", None, None, None, None, SINCE))
        workshop.originals.unsettled.note(part_key)
        until(lambda: part_key in workshop.index.held, "the picture of the proxy")


def scripted(
    answers: list[RunReport | Exception], clock: Clock
) -> tuple[Watch, Teller, list[str], list[tuple[Sequence[str] | None, bool]], threading.Event]:
    """A watch whose runs end as a test says; it stops after the last."""
    stop = threading.Event()
    teller = Teller()
    said: list[str] = []
    calls: list[tuple[Sequence[str] | None, bool]] = []

    def run(only: Sequence[str] | None, *, removed: int, delete: bool) -> RunReport:
        calls.append((only, delete))
        answer = answers.pop(0)
        if not answers:
            stop.set()
        if isinstance(answer, Exception):
            raise answer
        return answer

    watch = Watch(
        run,
        teller,
        lambda: False,
        stop,
        reconcile_s=10,
        tell=lambda report, whole: None,
        say=said.append,
        clock=clock,
    )
    return watch, teller, said, calls, stop


def test_an_index_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same trouble is said once, and afterwards everything is compared."""
    report = RunReport("s", None, 0, {}, {})
    away = StoreUnavailable("the store is away.")
    watch, _, said, calls, stop = scripted([away, away, report], Clock())
    monkeypatch.setattr(stop, "wait", lambda _=None: stop.is_set() or time.sleep(0.01))
    watch.go()
    assert said == ["the store is away. Watching goes on; it is tried again.", "it works again"]
    assert calls == [(None, True)] * 3


def test_a_refused_delete_does_not_stop_what_is_new() -> None:
    """The run is made again without removing anything."""
    report = RunReport("s", None, 0, {}, {})
    watch, _, said, calls, _ = scripted([DeleteRefused("too much"), report], Clock())
    watch.go()
    assert said == ["too much"]
    assert calls == [(None, True), (None, False)]


class FakeBucket:
    """A bucket whose server tells what a test says, or does not tell."""

    def __init__(self, answers: list[list[str] | Exception]) -> None:
        self.answers = answers
        self.closed = 0

    @contextmanager
    def listen(self, prefix: str, connected: Callable[[], None]) -> Iterator[Iterator[str]]:
        """One answer a call."""
        answer = self.answers.pop(0) if self.answers else StoreUnavailable("over")

        def keys() -> Iterator[str]:
            if isinstance(answer, Exception):
                raise answer
            connected()
            yield from answer
            raise StoreUnavailable("the connection broke")

        try:
            yield keys()
        finally:
            self.closed += 1


def gathered(bucket: FakeBucket, enough: Callable[[Pending], bool]) -> tuple[Pending, list[str]]:
    """Run a bucket's watcher until enough was told."""
    said: list[str] = []
    pending, stop = Pending(said.append), threading.Event()
    pending.pace_s = 0.05
    watcher = BucketWatcher(bucket, "in/", "s3://b/in/")  # type: ignore[arg-type]
    thread = threading.Thread(target=watcher.run, args=(pending, stop))
    thread.start()
    until(lambda: enough(pending), "enough")
    stop.set()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    return pending, said


def test_a_server_that_tells_nothing_is_polled_and_that_is_said() -> None:
    """Every so often the whole is compared."""
    rounds: list[bool] = []

    def enough(pending: Pending) -> bool:
        if pending.take_lost():
            rounds.append(True)
        return len(rounds) >= 3

    _, said = gathered(FakeBucket([NotOffered("It does not tell.")]), enough)
    assert said == ["It does not tell. s3://b/in/ is compared over and over instead."]


def test_a_broken_connection_is_made_again_and_counts_as_lost() -> None:
    """Keys are told, the break is said, and every connection is closed."""
    bucket = FakeBucket([["in/a b.jpg"], ["in/c.jpg"]])
    told: set[str] = set()

    def enough(pending: Pending) -> bool:
        told.update(pending._last)
        return told == {"in/a b.jpg", "in/c.jpg"}

    _, said = gathered(bucket, enough)
    assert "the connection broke" in said[0]
    assert bucket.closed >= 2


def test_a_watched_folder_must_be_the_same(tmp_path: Path) -> None:
    """Another folder at its place is told of, so that nothing counts as removed."""
    fill_folder(tmp_path / "photos", 1)
    source = FolderSource(tmp_path / "photos", limits=LIMITS)
    (tmp_path / "photos").rename(tmp_path / "old")
    with pytest.raises(IngestError, match="is it mounted"):
        list(source.items_below("0000.jpg"))
    (tmp_path / "photos").mkdir()
    with pytest.raises(IngestError, match="another folder"):
        list(source.items_below("0000.jpg"))


def test_paths_outside_and_hidden_ones_are_not_told(tmp_path: Path) -> None:
    """Only names of the source reach the run."""
    root = os.fsencode(tmp_path)
    plain, all_names = FolderWatcher(root, hidden=False), FolderWatcher(root, hidden=True)
    assert plain._relative(str(tmp_path / "a" / "b.jpg")) == "a/b.jpg"
    assert plain._relative(str(tmp_path / ".git" / "b.jpg")) == ""
    assert all_names._relative(str(tmp_path / ".git" / "b.jpg")) == ".git/b.jpg"
    assert plain._relative(str(tmp_path)) == ""
    assert plain._relative(str(tmp_path.parent / "x.jpg")) == ""
