"""A whole source: states, sums, resume, duplicates, brakes."""

from __future__ import annotations

import csv
import json
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from embedding_pipeline.errors import IngestError
from embedding_pipeline.ingest.folder_source import FolderSource
from embedding_pipeline.ingest.ingest_run import IngestOptions
from embedding_pipeline.ingest.library import Upload
from embedding_pipeline.ingest.list_source import ListSource
from embedding_pipeline.ingest.run_report import write_report
from embedding_pipeline.ingest.source_items import Problem, SourceItem
from embedding_pipeline.pipeline.tasks import PictureResult, PictureTask
from minio_proxy.errors import StoreFull, StoreUnavailable
from support.ingest_workshop import LIMITS, Workshop, fill_folder, jpeg, key_of


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Everything a backfill needs, empty."""
    return Workshop(tmp_path / "data")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Ten different pictures."""
    folder = tmp_path / "photos"
    fill_folder(folder, 10)
    return folder


def folder(path: Path) -> FolderSource:
    """A folder as source."""
    return FolderSource(path, limits=LIMITS)


def test_an_empty_folder_is_no_error(workshop: Workshop, tmp_path: Path) -> None:
    """Nothing found, nothing done, the sums agree."""
    (tmp_path / "empty").mkdir()
    report = workshop.ingest(folder(tmp_path / "empty"))
    assert (report.found, report.states, report.exit_code) == (0, {}, 0)


def test_every_picture_gets_its_state(workshop: Workshop, photos: Path) -> None:
    """Indexed, duplicate, rejected and failed ones add up to what was found."""
    (photos / "copy.jpg").write_bytes(jpeg(3))
    (photos / "notes.txt").write_text("not a picture")
    (photos / "cut.jpg").write_bytes(jpeg(77)[:300])
    (photos / "hard.jpg").write_bytes(jpeg(88))
    workshop.models.broken.add(key_of(jpeg(88)))
    report = workshop.ingest(folder(photos), IngestOptions(collection="pets"))
    assert report.states == {"indexed": 10, "duplicate": 1, "rejected": 2, "failed": 1}
    assert report.found == 14
    assert report.worked == report.states
    assert report.objects == 40
    assert report.exit_code == 1
    assert len(workshop.index.held) == len(workshop.stored()) == 10
    record = workshop.originals.record(key_of(jpeg(3)))
    assert record.collections == ("pets",)
    assert [path for _, path in record.sources] == ["0003.jpg", "copy.jpg"]


def test_the_second_run_does_no_model_work(workshop: Workshop, photos: Path) -> None:
    """An unchanged folder is compared and left alone."""
    workshop.ingest(folder(photos))
    workshop.models.worked.clear()
    workshop.index.puts.clear()
    report = workshop.ingest(folder(photos))
    assert workshop.models.worked == []
    assert workshop.index.puts == []
    assert report.plan["unchanged"] == 10
    assert report.states == {"indexed": 10}


def test_new_and_changed_files_alone_are_worked_on(workshop: Workshop, photos: Path) -> None:
    """The run works off the difference."""
    workshop.ingest(folder(photos))
    workshop.models.worked.clear()
    fill_folder(photos, 2, first=20)
    (photos / "0001.jpg").write_bytes(jpeg(99))
    report = workshop.ingest(folder(photos))
    assert report.plan == {"new": 2, "changed": 1, "retried": 0, "unchanged": 9}
    assert len(workshop.models.worked) == 3


def test_checksum_distrusts_the_ledger_without_model_work(workshop: Workshop, photos: Path) -> None:
    """Every file is read again; what is indexed costs no models and states stay."""
    workshop.ingest(folder(photos))
    workshop.models.worked.clear()
    report = workshop.ingest(folder(photos), IngestOptions(checksum=True))
    assert report.plan["changed"] == 10
    assert report.states == {"indexed": 10}
    assert workshop.models.worked == []


def test_a_lost_ledger_is_made_anew(workshop: Workshop, photos: Path) -> None:
    """Without ledger every file is read, nothing is modelled, states are the same."""
    (photos / "copy.jpg").write_bytes(jpeg(3))
    first = workshop.ingest(folder(photos))
    shutil.rmtree(workshop.room.folder)
    workshop.models.worked.clear()
    second = workshop.ingest(folder(photos))
    assert second.states == first.states
    assert workshop.models.worked == []


def test_what_the_index_lost_is_indexed_again(workshop: Workshop, photos: Path) -> None:
    """The ledger is not believed when the index holds something else."""
    workshop.ingest(folder(photos))
    del workshop.index.held[key_of(jpeg(4))]
    workshop.models.worked.clear()
    report = workshop.ingest(folder(photos))
    assert workshop.models.worked == [key_of(jpeg(4))]
    assert report.plan["changed"] == 1
    assert len(workshop.index.held) == 10


def test_an_uploaded_picture_is_a_duplicate(workshop: Workshop, photos: Path) -> None:
    """What came by upload is not modelled again and keeps both collections."""
    workshop.library.add([Upload("u.jpg", jpeg(2), "uploads")])
    workshop.models.worked.clear()
    report = workshop.ingest(folder(photos), IngestOptions(collection="pets"))
    assert report.states == {"indexed": 9, "duplicate": 1}
    assert key_of(jpeg(2)) not in workshop.models.worked
    entry = workshop.index.held[key_of(jpeg(2))].entries[0]
    assert entry.collections == ("pets", "uploads")


def test_failed_pictures_are_tried_again_when_told(workshop: Workshop, photos: Path) -> None:
    """A failure stays until the file changes or --retry-failed is given."""
    workshop.models.broken.add(key_of(jpeg(5)))
    assert workshop.ingest(folder(photos)).states == {"indexed": 9, "failed": 1}
    workshop.models.broken.clear()
    assert workshop.ingest(folder(photos)).states == {"indexed": 9, "failed": 1}
    report = workshop.ingest(folder(photos), IngestOptions(retry_failed=True))
    assert report.plan["retried"] == 1
    assert (report.states, report.exit_code) == ({"indexed": 10}, 0)


def test_a_dry_run_changes_nothing(workshop: Workshop, photos: Path) -> None:
    """The plan is told, nothing is read, stored or indexed."""
    report = workshop.ingest(folder(photos), IngestOptions(dry_run=True))
    assert report.plan["new"] == 10
    assert workshop.stored() == []
    assert workshop.models.worked == []
    assert workshop.ledger(folder(photos)).count() == {}


def test_a_full_disk_stops_the_run_and_loses_nothing(workshop: Workshop, photos: Path) -> None:
    """The run ends with the reason; after space is made the next one ends the work."""
    workshop.store.trouble, workshop.store.after = StoreFull("no space is left."), 6
    with pytest.raises(IngestError, match=r"no space is left.*same command"):
        workshop.ingest(folder(photos))
    assert workshop.progress.snapshot().state == "idle"
    assert set(workshop.index.held) <= set(workshop.stored())
    workshop.store.trouble = None
    report = workshop.ingest(folder(photos))
    assert report.states == {"indexed": 10}
    assert len(workshop.models.worked) == 10


def test_a_store_that_comes_back_fails_nothing(
    workshop: Workshop, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short outage is waited for."""
    monkeypatch.setattr("embedding_pipeline.ingest.patience.UNAVAILABLE_WAIT_S", 0.001)
    workshop.store.trouble, workshop.store.times = StoreUnavailable("away"), 3
    assert workshop.ingest(folder(photos)).states == {"indexed": 10}


def test_a_store_that_stays_away_stops_the_run(
    workshop: Workshop, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long outage is one clear end and not a failure for every picture."""
    monkeypatch.setattr("embedding_pipeline.ingest.patience.UNAVAILABLE_WAIT_S", 0.001)
    workshop.store.trouble = StoreUnavailable("the store is away.")
    with pytest.raises(IngestError, match="away"):
        workshop.ingest(folder(photos))
    assert workshop.ledger(folder(photos)).count() == {}


def test_stop_finishes_the_batch_and_the_next_run_the_rest(
    workshop: Workshop, photos: Path
) -> None:
    """An interrupted run says so, and nothing is done twice."""
    stop = threading.Event()
    work = workshop.models.__call__

    def stopping(tasks: Sequence[PictureTask]) -> list[PictureResult]:
        stop.set()
        return work(tasks)

    object.__setattr__(workshop.room, "models", stopping)
    report = workshop.ingest(folder(photos), stop=stop)
    assert report.interrupted
    assert report.exit_code == 1
    assert 1 <= len(workshop.index.held) <= 4
    object.__setattr__(workshop.room, "models", workshop.models)
    assert workshop.ingest(folder(photos)).states == {"indexed": 10}
    assert sorted(workshop.models.worked) == sorted(set(workshop.models.worked))


def test_results_are_kept_when_writing_breaks(workshop: Workshop, photos: Path) -> None:
    """Model work that was done before a crash of the writer is not done again."""
    shelf = workshop.library.shelf
    write = shelf.write

    def crash(incoming: object) -> list[object]:
        raise RuntimeError("killed")

    object.__setattr__(shelf, "write", crash)
    with pytest.raises(RuntimeError, match="killed"):
        workshop.ingest(folder(photos))
    object.__setattr__(shelf, "write", write)
    assert workshop.ingest(folder(photos)).states == {"indexed": 10}
    assert len(workshop.models.worked) == len(set(workshop.models.worked)) == 10


def test_two_runs_at_once_are_refused(workshop: Workshop, photos: Path) -> None:
    """The second run names the first."""
    refusals: list[str] = []

    def second(tasks: Sequence[PictureTask]) -> list[PictureResult]:
        if not refusals:
            with pytest.raises(IngestError) as caught:
                workshop.ingest(folder(photos))
            refusals.append(caught.value.message)
        return workshop.models(tasks)

    object.__setattr__(workshop.room, "models", second)
    workshop.ingest(folder(photos))
    assert f"ingest of folder:{photos}" in refusals[0]
    assert str(os.getpid()) in refusals[0]


def test_gone_pictures_stay_unless_told(workshop: Workshop, photos: Path) -> None:
    """Without --delete nothing goes; with it only what this source alone brought."""
    workshop.library.add([Upload("u.jpg", jpeg(1))])
    workshop.ingest(folder(photos))
    (photos / "0000.jpg").unlink()
    (photos / "0001.jpg").unlink()
    report = workshop.ingest(folder(photos))
    assert (report.found, report.gone, report.deleted) == (8, 2, 0)
    assert len(workshop.index.held) == 10
    report = workshop.ingest(folder(photos), IngestOptions(delete=True, delete_share=0.5))
    assert (report.gone, report.deleted) == (2, 1)
    assert key_of(jpeg(0)) not in workshop.index.held
    assert key_of(jpeg(1)) in workshop.index.held
    assert workshop.ingest(folder(photos)).gone == 0


def test_delete_has_a_brake(workshop: Workshop, photos: Path) -> None:
    """An emptied folder empties no index unless forced."""
    workshop.ingest(folder(photos))
    for path in photos.iterdir():
        path.unlink()
    with pytest.raises(IngestError, match="force-delete"):
        workshop.ingest(folder(photos), IngestOptions(delete=True))
    assert len(workshop.index.held) == 10
    report = workshop.ingest(folder(photos), IngestOptions(delete=True, force_delete=True))
    assert report.deleted == 10
    assert workshop.index.held == {}


def test_a_removed_first_copy_hands_over_to_the_second(workshop: Workshop, photos: Path) -> None:
    """When the file that was indexed goes, its duplicate is the indexed one."""
    (photos / "copy.jpg").write_bytes(jpeg(0))
    assert workshop.ingest(folder(photos)).states == {"indexed": 10, "duplicate": 1}
    (photos / "0000.jpg").unlink()
    report = workshop.ingest(folder(photos), IngestOptions(delete=True, delete_share=0.5))
    assert report.states == {"indexed": 10}
    assert key_of(jpeg(0)) in workshop.index.held


def test_changed_limits_look_at_rejected_pictures_again(workshop: Workshop, tmp_path: Path) -> None:
    """A picture that was too large comes in once it is allowed."""
    pictures = tmp_path / "large"
    pictures.mkdir()
    (pictures / "a.jpg").write_bytes(jpeg(1, 64))
    small = type(LIMITS)(max_bytes=100, max_pixels=1_000_000)
    object.__setattr__(workshop.room, "limits", small)
    report = workshop.ingest(FolderSource(pictures, limits=small))
    assert report.states == {"rejected": 1}
    object.__setattr__(workshop.room, "limits", LIMITS)
    assert workshop.ingest(folder(pictures)).states == {"indexed": 1}


def test_reports_for_machines(workshop: Workshop, photos: Path, tmp_path: Path) -> None:
    """JSON carries sums and problems, CSV one problem a line."""
    (photos / "notes.txt").write_text("text")
    source = folder(photos)
    report = workshop.ingest(source)
    write_report(tmp_path / "out.json", report, workshop.ledger(source))
    write_report(tmp_path / "out.csv", report, workshop.ledger(source))
    body = json.loads((tmp_path / "out.json").read_text())
    assert body["states"] == {"indexed": 10, "duplicate": 0, "rejected": 1, "failed": 0}
    assert body["problems"][0]["path"] == "notes.txt"
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["path"], row["code"]) for row in rows] == [("notes.txt", "unsupported_format")]
    with pytest.raises(IngestError, match=r"\.json or \.csv"):
        write_report(tmp_path / "out.xml", report, workshop.ledger(source))


def test_a_csv_brings_metadata_and_its_changes(workshop: Workshop, photos: Path) -> None:
    """Columns beside the path become metadata; a changed cell is written without model work."""
    table = photos / "table.csv"
    table.write_text("path,sku\n0001.jpg,A1\n0002.jpg,\nmissing.jpg,X\n")
    source = ListSource(table, limits=LIMITS)
    report = workshop.ingest(source)
    assert report.states == {"indexed": 2, "failed": 1}
    assert workshop.index.held[key_of(jpeg(1))].entries[0].metadata == {"sku": "A1"}
    table.write_text("path,sku\n0001.jpg,B2\n0002.jpg,\n")
    workshop.models.worked.clear()
    report = workshop.ingest(ListSource(table, limits=LIMITS))
    assert report.plan["changed"] == 1
    assert workshop.index.held[key_of(jpeg(1))].entries[0].metadata == {"sku": "B2"}
    assert workshop.models.worked == []


class ShutFolder(FolderSource):
    """A folder of which one part cannot be read at the moment."""

    shut = False

    def items(self) -> Iterator[SourceItem]:
        """See Source."""
        problem = Problem("failed", "list", "cannot be read", "unreadable", retryable=True)
        told = False
        for item in super().items():
            if not self.shut or not item.path.startswith("b/"):
                yield item
            elif not told:
                told = True
                yield SourceItem("b/", "", problem=problem)


def test_nothing_below_a_folder_that_cannot_be_read_is_gone(
    workshop: Workshop, tmp_path: Path
) -> None:
    """Its pictures stay, and the folder itself is the failure that is told."""
    for name in ("a", "b", "c"):
        fill_folder(tmp_path / "deep" / name, 2, first=2 * ord(name))
    source = ShutFolder(tmp_path / "deep", limits=LIMITS)
    assert workshop.ingest(source).states == {"indexed": 6}
    source.shut = True
    (tmp_path / "deep" / "c" / "0199.jpg").unlink()
    report = workshop.ingest(source, IngestOptions(delete=True, delete_share=0.5))
    assert report.states == {"indexed": 5, "failed": 1}
    assert (report.gone, report.deleted, report.exit_code) == (1, 1, 1)
    assert len(workshop.index.held) == 5
    source.shut = False
    assert workshop.ingest(source).states == {"indexed": 5}


def test_a_replaced_picture_goes_with_delete_alone(workshop: Workshop, photos: Path) -> None:
    """Another source's and an upload's claim on it counts; a broken file is no replacement."""
    workshop.library.add([Upload("u.jpg", jpeg(2))])
    workshop.ingest(folder(photos))
    for number in (1, 2, 3):
        (photos / f"000{number}.jpg").write_bytes(jpeg(number + 50))
    (photos / "0004.jpg").write_bytes(jpeg(4) + bytes(2_000_000))
    assert workshop.ingest(folder(photos)).gone == 3
    report = workshop.ingest(folder(photos), IngestOptions(delete=True, delete_share=0.2))
    assert "--force-delete" in report.refusal
    assert report.exit_code == 1
    report = workshop.ingest(folder(photos), IngestOptions(delete=True, force_delete=True))
    assert (report.gone, report.deleted) == (3, 2)
    assert key_of(jpeg(2)) in workshop.index.held
    assert key_of(jpeg(4)) in workshop.index.held
    assert key_of(jpeg(1)) not in workshop.index.held
