"""Originals that stay where they are: served while they are what was brought in, never else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from embedding_pipeline.errors import IngestError
from embedding_pipeline.ingest.folder_source import FolderSource
from embedding_pipeline.ingest.ingest_run import IngestOptions
from embedding_pipeline.ingest.library import Upload
from embedding_pipeline.ingest.list_source import ListSource
from embedding_pipeline.ingest.sources import open_source
from minio_proxy.errors import (
    ObjectNotFound,
    RangeNotSatisfiable,
    SourceAway,
    SourceChanged,
    SourceGone,
)
from minio_proxy.records import Place, RecordPart, part_from_json
from support.ingest_workshop import LIMITS, SINCE, Workshop, fill_folder, jpeg, key_of

IN_PLACE = IngestOptions(in_place=True)
KEY = key_of(jpeg(1))


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Everything a backfill needs, empty."""
    return Workshop(tmp_path / "data")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Four pictures."""
    fill_folder(tmp_path / "photos", 4)
    return tmp_path / "photos"


def folder(path: Path) -> FolderSource:
    """A folder whose pictures stay in it."""
    return FolderSource(path, limits=LIMITS, inside_only=True)


@pytest.fixture
def placed(workshop: Workshop, photos: Path) -> Workshop:
    """Four pictures brought in, none copied."""
    report = workshop.ingest(folder(photos), IN_PLACE)
    assert report.states == {"indexed": 4}
    return workshop


def test_nothing_is_copied_and_everything_is_read(placed: Workshop, photos: Path) -> None:
    """The store has records and marks, the bytes come from the folder, whole or in part."""
    assert placed.store.list("originals/") == []
    assert placed.stored() == sorted(key_of(jpeg(number)) for number in range(4))
    assert placed.originals.read(KEY) == jpeg(1)
    assert b"".join(placed.originals.open(KEY, 3, 5)) == jpeg(1)[3:8]
    assert placed.originals.stat(KEY).size_bytes == len(jpeg(1))
    assert placed.originals.exists(KEY)
    assert placed.originals.is_left_in_place(KEY)
    [place] = placed.originals.record(KEY).places
    assert (place.root, place.path) == (str(photos), "0001.jpg")
    with pytest.raises(RangeNotSatisfiable):
        placed.originals.open(KEY, 10**6)


def test_a_second_run_finds_nothing_to_do(placed: Workshop, photos: Path) -> None:
    """What is in place counts as stored."""
    placed.models.worked.clear()
    report = placed.ingest(folder(photos), IN_PLACE)
    assert report.plan["unchanged"] == 4
    assert placed.models.worked == []


def test_a_touched_file_is_served_and_a_changed_one_is_not(placed: Workshop, photos: Path) -> None:
    """The hash decides where size or time differ; other bytes of the same size are refused."""
    os.utime(photos / "0001.jpg", (1, 1))
    assert placed.originals.read(KEY) == jpeg(1)
    status = (photos / "0001.jpg").stat()
    other = bytearray(jpeg(1))
    other[-5] ^= 1
    (photos / "0001.jpg").write_bytes(other)
    os.utime(photos / "0001.jpg", ns=(status.st_atime_ns, status.st_mtime_ns))
    for act in (placed.originals.read, placed.originals.open, placed.originals.stat):
        with pytest.raises(SourceChanged):
            act(KEY)
    (photos / "0001.jpg").write_bytes(jpeg(1) + b"more")
    with pytest.raises(SourceChanged):
        placed.originals.open(KEY)
    assert placed.originals.exists(KEY)


def test_a_file_that_changes_while_it_is_read_is_not_given_on(
    placed: Workshop, photos: Path
) -> None:
    """A stream breaks off before the first byte of another content."""
    chunks = placed.originals.open(KEY)
    (photos / "0001.jpg").write_bytes(bytes(len(jpeg(1))))
    with pytest.raises(SourceChanged):
        list(chunks)


def test_gone_and_unmounted_are_told_apart(placed: Workshop, photos: Path) -> None:
    """A missing file is gone; a missing or empty folder is away, and nothing is deleted."""
    (photos / "0001.jpg").rename(photos / "other.jpg")
    with pytest.raises(SourceGone):
        placed.originals.read(KEY)
    photos.rename(photos.with_name("elsewhere"))
    with pytest.raises(SourceAway):
        placed.originals.read(KEY)
    photos.mkdir()
    with pytest.raises(SourceAway, match="mounted"):
        placed.originals.stat(KEY)
    with pytest.raises(IngestError):
        placed.ingest(folder(photos), IngestOptions(in_place=True, delete=True))
    assert len(placed.stored()) == len(placed.index.held) == 4


def test_no_link_leads_out(workshop: Workshop, photos: Path, tmp_path: Path) -> None:
    """Neither when bringing in nor when a file is exchanged for a link later."""
    (tmp_path / "secret.jpg").write_bytes(jpeg(50))
    (photos / "out.jpg").symlink_to(tmp_path / "secret.jpg")
    (photos / "sub").mkdir()
    (photos / "sub" / "in.jpg").symlink_to(photos / "0002.jpg")
    fill_folder(tmp_path / "beside", 1, first=60)
    (photos / "beside").symlink_to(tmp_path / "beside")
    report = workshop.ingest(folder(photos), IN_PLACE)
    assert report.states == {"indexed": 4, "duplicate": 1, "rejected": 1}
    assert not workshop.originals.exists(key_of(jpeg(50)))
    (tmp_path / "same.jpg").write_bytes(jpeg(1))
    (photos / "0001.jpg").unlink()
    (photos / "0001.jpg").symlink_to(tmp_path / "same.jpg")
    with pytest.raises(SourceGone):
        workshop.originals.read(KEY)


@pytest.mark.parametrize("path", ["../secret.jpg", "/etc/passwd", "a/../../secret.jpg", "\0"])
def test_a_record_cannot_point_out_of_its_root(
    placed: Workshop, photos: Path, tmp_path: Path, path: str
) -> None:
    """Whatever is written into the store, only files below the root are read."""
    data = jpeg(9)
    (tmp_path / "secret.jpg").write_bytes(data)
    part = RecordPart("x", "x", None, None, None, SINCE, Place(str(photos), path, len(data), ""))
    placed.originals.add_in_place(data, part)
    with pytest.raises(SourceGone):
        placed.originals.read(key_of(data))


def test_only_roots_that_ingest_recorded_are_read(placed: Workshop, tmp_path: Path) -> None:
    """A record with a root of its own is refused on this machine."""
    data = jpeg(9)
    (tmp_path / "secret.jpg").write_bytes(data)
    place = Place(str(tmp_path), "secret.jpg", len(data), "")
    placed.originals.add_in_place(data, RecordPart("x", "x", None, None, None, SINCE, place))
    with pytest.raises(SourceAway, match="no ingest on this machine"):
        placed.originals.read(key_of(data))


def test_a_dry_run_opens_nothing(workshop: Workshop, photos: Path) -> None:
    """No root is recorded before anything is brought in."""
    workshop.ingest(folder(photos), IngestOptions(in_place=True, dry_run=True))
    assert workshop.roots.roots() == frozenset()


def test_stored_wins_over_in_place(placed: Workshop, photos: Path) -> None:
    """An upload of the same picture is stored, and served when the file is gone."""
    placed.library.add([Upload("u.jpg", jpeg(1))])
    (photos / "0001.jpg").unlink()
    assert placed.originals.read(KEY) == jpeg(1)
    assert not placed.originals.is_left_in_place(KEY)
    assert len(placed.stored()) == 4


def test_deleting_leaves_the_file_alone(placed: Workshop, photos: Path) -> None:
    """Record, mark and entries go; the source's file stays."""
    assert placed.library.delete(KEY)
    assert KEY not in placed.index.held
    assert not placed.originals.exists(KEY)
    assert (photos / "0001.jpg").read_bytes() == jpeg(1)
    assert [key for key in (stat.key for stat in placed.store.list("")) if KEY in key] == []
    with pytest.raises(ObjectNotFound):
        placed.originals.read(KEY)


def test_a_moved_file_is_found_at_its_new_place(placed: Workshop, photos: Path) -> None:
    """A rename costs no model work and, with --delete, leaves one place."""
    placed.models.worked.clear()
    (photos / "0001.jpg").rename(photos / "moved.jpg")
    options = IngestOptions(in_place=True, delete=True, delete_share=0.5)
    report = placed.ingest(folder(photos), options)
    assert (report.states, report.deleted) == ({"indexed": 4}, 0)
    assert placed.models.worked == []
    assert placed.originals.read(KEY) == jpeg(1)
    assert [place.path for place in placed.originals.record(KEY).places] == ["moved.jpg"]


def test_a_replaced_file_leaves_nothing_behind(placed: Workshop, photos: Path) -> None:
    """With --delete the picture that the file was goes, also when a run without came before."""
    (photos / "0001.jpg").write_bytes(jpeg(70))
    report = placed.ingest(folder(photos), IN_PLACE)
    assert (report.states, report.gone, report.deleted) == ({"indexed": 4}, 1, 0)
    with pytest.raises(SourceChanged):
        placed.originals.read(KEY)
    options = IngestOptions(in_place=True, delete=True, delete_share=0.5)
    report = placed.ingest(folder(photos), options)
    assert (report.gone, report.deleted) == (1, 1)
    assert not placed.originals.exists(KEY)
    assert placed.originals.read(key_of(jpeg(70))) == jpeg(70)
    assert placed.ingest(folder(photos), options).gone == 0


def test_a_picture_in_two_places_outlives_one(
    placed: Workshop, photos: Path, tmp_path: Path
) -> None:
    """The second source serves when the first lost it, and --delete takes one place only."""
    fill_folder(tmp_path / "second", 2)
    second = folder(tmp_path / "second")
    assert placed.ingest(second, IN_PLACE).states == {"duplicate": 2}
    (photos / "0001.jpg").unlink()
    assert placed.originals.read(KEY) == jpeg(1)
    options = IngestOptions(in_place=True, delete=True, delete_share=0.5)
    assert placed.ingest(folder(photos), options).deleted == 0
    assert placed.originals.read(KEY) == jpeg(1)


def test_from_in_place_to_copied_and_back(placed: Workshop, photos: Path) -> None:
    """The other manner looks at every file again, and does no model work."""
    placed.models.worked.clear()
    report = placed.ingest(FolderSource(photos, limits=LIMITS))
    assert report.states == {"indexed": 4}
    assert len(placed.store.list("originals/")) == 4
    placed.ingest(folder(photos), IN_PLACE)
    assert placed.models.worked == []
    (photos / "0001.jpg").unlink()
    assert placed.originals.read(KEY) == jpeg(1)


def test_names_that_are_not_utf8_stay_in_place(workshop: Workshop, tmp_path: Path) -> None:
    """A record holds any name, and it is read back."""
    (tmp_path / "odd").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "odd") + b"/\xff\xfe.jpg")).write_bytes(jpeg(1))
    workshop.ingest(folder(tmp_path / "odd"), IN_PLACE)
    assert workshop.originals.read(KEY) == jpeg(1)


def test_a_list_is_not_left_in_place(tmp_path: Path) -> None:
    """What a list names may lie anywhere, so it is copied; the refusal says so."""
    (tmp_path / "list.txt").write_text("a.jpg\n")
    assert ListSource(tmp_path / "list.txt", limits=LIMITS).root is None
    with pytest.raises(IngestError, match="is copied"):
        open_source(str(tmp_path / "list.txt"), limits=LIMITS, in_place=True)


def test_a_part_with_a_place_survives_the_store() -> None:
    """It reads back the same, and its format is one that older versions refuse."""
    place = Place("/photos", "a\udcff.jpg", 3, "3-1-2")
    part = RecordPart("s", "a", "c", {"k": 1}, None, SINCE, place)
    assert part_from_json(part.to_json()) == part
    assert b'"format": 2' in part.to_json()
    plain = RecordPart("s", "a", "c", {"k": 1}, None, SINCE)
    assert plain.part_id == part.part_id
    assert b'"format": 1' in plain.to_json()
