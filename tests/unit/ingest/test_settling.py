"""What comes or goes through the proxy alone reaches the index with the next run."""

from __future__ import annotations

from pathlib import Path

import pytest

from embedding_pipeline.ingest.folder_source import FolderSource
from embedding_pipeline.ingest.ingest_run import IngestOptions
from embedding_pipeline.ingest.library import Upload
from embedding_pipeline.ingest.run_report import RunReport
from minio_proxy.records import RecordPart
from support.ingest_workshop import LIMITS, SINCE, Workshop, fill_folder, jpeg, key_of

KEY = key_of(jpeg(40))


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Ten pictures, indexed."""
    fill_folder(tmp_path / "photos", 10)
    made = Workshop(tmp_path / "data")
    assert run(made).states == {"indexed": 10}
    made.models.worked.clear()
    return made


def run(workshop: Workshop, options: IngestOptions | None = None) -> RunReport:
    """The next run of the same source."""
    return workshop.ingest(FolderSource(workshop.folder.parent / "photos", limits=LIMITS), options)


def through_the_proxy(workshop: Workshop, data: bytes, collection: str | None = None) -> str:
    """Store a picture as the proxy does, which has no index."""
    part = RecordPart("upload", "p.jpg", collection, None, None, SINCE)
    key = workshop.originals.add(data, part).image_key
    workshop.originals.unsettled.note(key)
    return key


def test_what_the_proxy_took_in_is_indexed(workshop: Workshop) -> None:
    """Once, with its collection, and the note is gone afterwards."""
    through_the_proxy(workshop, jpeg(40), "pets")
    report = run(workshop)
    assert (report.settled.written, report.settled.removed) == (1, 0)
    assert workshop.index.held[KEY].entries[0].collections == ("pets",)
    assert workshop.models.worked == [KEY]
    assert workshop.originals.unsettled.pending() == []
    assert not run(workshop).settled.changed


def test_what_the_proxy_deleted_leaves_the_index(workshop: Workshop) -> None:
    """The entries go although they are more than the brake's share."""
    for number in range(5):
        key = key_of(jpeg(number))
        workshop.originals.delete(key)
        workshop.originals.unsettled.note(key)
    # Their files are still in the source, which is another matter: only the index is looked at.
    report = workshop.ingest(
        FolderSource(workshop.folder.parent / "photos", limits=LIMITS), only=[]
    )
    assert report.settled.removed == 5
    assert sorted(workshop.index.held) == workshop.stored()


def test_a_new_collection_of_a_known_picture_arrives(workshop: Workshop) -> None:
    """No model work is done for it."""
    through_the_proxy(workshop, jpeg(3), "chosen")
    assert run(workshop).settled.written == 1
    assert "chosen" in workshop.index.held[key_of(jpeg(3))].entries[0].collections
    assert workshop.models.worked == []


def test_a_note_of_nothing_is_dropped(workshop: Workshop) -> None:
    """Deleting what was never there leaves no trace."""
    workshop.originals.unsettled.note(KEY)
    assert not run(workshop).settled.changed
    assert workshop.originals.unsettled.pending() == []


def test_an_original_without_note_is_found_by_comparison(workshop: Workshop) -> None:
    """A crash between store and note is mended as soon as the counts differ."""
    workshop.originals.add(jpeg(40), RecordPart("upload", None, None, None, None, SINCE))
    workshop.library.add([Upload("u.jpg", jpeg(41))])
    workshop.models.worked.clear()
    assert run(workshop).settled.written == 1
    assert workshop.models.worked == [KEY]


def test_a_wrong_store_empties_no_index(workshop: Workshop) -> None:
    """Many entries without originals stay unless forced."""
    for number in range(5, 10):
        workshop.originals.delete(key_of(jpeg(number)))
        (workshop.folder.parent / "photos" / f"{number:04d}.jpg").unlink()
    workshop.library.add([Upload("u.jpg", jpeg(41))])
    report = run(workshop)
    assert "--force-delete" in report.settled.refusal
    assert report.exit_code == 1
    assert len(workshop.index.held) == 11
    forced = run(workshop, IngestOptions(force_delete=True))
    assert (forced.settled.removed, forced.settled.refusal) == (5, "")
    assert sorted(workshop.index.held) == workshop.stored()


def test_what_cannot_be_indexed_is_told_and_not_tried_for_ever(workshop: Workshop) -> None:
    """A picture that the models choke on is named once."""
    workshop.models.broken.add(KEY)
    through_the_proxy(workshop, jpeg(40))
    report = run(workshop)
    assert "choked" in report.settled.problems[KEY]
    assert report.exit_code == 1
    assert run(workshop).settled.problems == {}
