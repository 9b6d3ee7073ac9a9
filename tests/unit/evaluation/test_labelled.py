"""Readers of labelled sets, each on a small set of its form."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from embedding_pipeline.errors import BoxseekError
from embedding_pipeline.evaluation.box_forms import read_voc, read_yolo, safe_xml
from embedding_pipeline.evaluation.cifar_form import read_cifar100
from embedding_pipeline.evaluation.class_forms import read_csv, read_folders
from embedding_pipeline.evaluation.coco_form import read_coco
from embedding_pipeline.evaluation.labelled import LabelledPicture, LabelledSet, MarkedObject
from embedding_pipeline.evaluation.reading import form_named, form_of, read_labelled
from minio_proxy.picture.decode import decode
from minio_proxy.picture.header import Limits

VOC = """<annotation><filename>{picture}</filename>
<object><name>cat</name><bndbox><xmin>1</xmin><ymin>11</ymin><xmax>50</xmax><ymax>60</ymax></bndbox></object>
<object><name>dog</name><difficult>1</difficult>
<bndbox><xmin>5</xmin><ymin>5</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>
{more}</annotation>"""


def _file(path: Path, text: str = "picture") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def _yolo(folder: Path, labels: str | None) -> Path:
    _file(folder / "images" / "a.jpg")
    (folder / "labels").mkdir()
    if labels is not None:
        _file(folder / "labels" / "a.txt", labels)
    return folder


def _coco(folder: Path, **changes: object) -> Path:
    _file(folder / "val" / "a.jpg")
    _file(folder / "val" / "b.jpg")
    document = {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
        "categories": [{"id": 17, "name": "cat"}],
        "annotations": [
            {"id": 5, "image_id": 1, "category_id": 17, "bbox": [10, 20, 30, 40], "iscrowd": 0},
            {"id": 6, "image_id": 1, "category_id": 17, "bbox": [0, 0, 90, 90], "iscrowd": 1},
        ],
    }
    _file(folder / "annotations" / "instances_val.json", json.dumps(document | changes))
    return folder


def test_yolo_boxes_become_pixels(tmp_path: Path) -> None:
    """Centre and size, as shares, give corners in pixels; what lies outside is cut."""
    labelled = read_yolo(_yolo(tmp_path / "set", "3 0.5 0.5 0.5 0.25\n0 0.0 0.5 0.4 1.0\n"))
    (picture,) = labelled.pictures
    assert [marked.label for marked in picture.objects] == ["3", "0"]
    assert picture.boxes((200, 100)) == ((50.0, 37.5, 150.0, 62.5), (0.0, 0.0, 40.0, 100.0))
    assert labelled.numbered


@pytest.mark.parametrize("labels", [None, "", "\n"])
def test_a_picture_without_labels_has_no_objects(tmp_path: Path, labels: str | None) -> None:
    """No file and an empty file mean the same."""
    labelled = read_yolo(_yolo(tmp_path / "set", labels))
    assert labelled.pictures[0].objects == ()
    assert labelled.problems == ()


@pytest.mark.parametrize(
    "line",
    [
        "1 0.5 0.5 0.5",
        "cat 0.5 0.5 0.5 0.5",
        "1 2 3 4 5 6",
        "1.5 0.5 0.5 0.5 0.5",
        "-1 0.5 0.5 0.5 0.5",
        "1 0.5 nan 0.5 0.5",
        "1 0.5 0.5 0 0.5",
        "1 7 7 0.5 0.5",
    ],
)
def test_a_wrong_line_is_named_and_stops_no_other(tmp_path: Path, line: str) -> None:
    """The problem has the file and the line; the good line beside it counts."""
    labelled = read_yolo(_yolo(tmp_path / "set", f"{line}\n2 0.5 0.5 0.5 0.5\n"))
    assert [problem.where for problem in labelled.problems] == ["a.txt, line 1"]
    assert labelled.problems[0].reason
    assert [marked.label for marked in labelled.pictures[0].objects] == ["2"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.txt", "cat\ndog\n"),
        ("data.yaml", "path: .\nnames: [cat, 'dog']\n"),
        ("data.yaml", "names:\n  - cat\n  - dog\nval: images\n"),
        ("data.yaml", "val: images\nnames:\n  0: cat\n  1: dog  # barks\n\nother: 1\n"),
    ],
)
def test_yolo_class_names_come_from_the_set(tmp_path: Path, name: str, text: str) -> None:
    """Every way in which such sets say their names; a number without one is a problem."""
    folder = _yolo(tmp_path / "set", "1 0.5 0.5 0.5 0.5\n2 0.5 0.5 0.5 0.5\n")
    _file(folder / name, text)
    labelled = read_yolo(folder)
    assert [marked.label for marked in labelled.pictures[0].objects] == ["dog"]
    assert [problem.reason for problem in labelled.problems] == ["class number 2 has no name"]
    assert not labelled.numbered


def test_voc_boxes_count_from_one_and_difficult_ones_are_ignored(tmp_path: Path) -> None:
    """The corner (1, 11) is the pixel (0, 10); bad objects and files are named."""
    bad = "<object><name>owl</name><bndbox><xmin>5</xmin></bndbox></object><object></object>"
    _file(tmp_path / "Annotations" / "a.xml", VOC.format(picture="a.jpg", more=bad))
    _file(tmp_path / "Annotations" / "b.xml", VOC.format(picture="b.jpg", more=""))
    _file(tmp_path / "Annotations" / "c.xml", "<annotation>")
    _file(tmp_path / "JPEGImages" / "a.jpg")
    labelled = read_voc(tmp_path)
    (picture,) = labelled.pictures
    cat, dog = picture.objects
    assert (cat.label, cat.ignored, dog.ignored) == ("cat", False, True)
    assert picture.boxes((100, 55))[0] == (0.0, 10.0, 50.0, 55.0)
    assert [problem.where for problem in labelled.problems] == [
        "a.xml, object 3",
        "a.xml, object 4",
        "b.xml",
        "c.xml",
    ]


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        "<a>&x;</a>",
        "no xml",
    ],
)
def test_xml_with_entities_is_refused(document: str) -> None:
    """A DTD is refused before anything in it is expanded."""
    with pytest.raises(ValueError, match=r"DTD|no XML"):
        safe_xml(document.encode())


def test_coco_boxes_are_corner_and_size_and_crowds_are_ignored(tmp_path: Path) -> None:
    """Pictures are found below the set's folder; one without annotations has no objects."""
    labelled = read_coco(_coco(tmp_path))
    first, second = labelled.pictures
    assert first.boxes((100, 100)) == ((10.0, 20.0, 40.0, 60.0), (0.0, 0.0, 90.0, 90.0))
    assert [(one.label, one.ignored, one.crowd) for one in first.objects] == [
        ("cat", False, False),
        ("cat", True, True),
    ]
    assert second.objects == ()
    assert labelled.problems == ()


@pytest.mark.parametrize(
    "annotation",
    [
        {"image_id": 9, "category_id": 17, "bbox": [0, 0, 1, 1]},
        {"image_id": 1, "category_id": 3, "bbox": [0, 0, 1, 1]},
        {"image_id": 1, "category_id": 17, "bbox": [0, 0, 1]},
        {"image_id": 1, "category_id": 17, "bbox": [0, 0, 0, 1]},
        {"image_id": 1, "category_id": 17, "bbox": ["x", 0, 1, 1]},
        {"image_id": 1, "category_id": 17},
    ],
)
def test_a_wrong_annotation_is_named(tmp_path: Path, annotation: dict[str, object]) -> None:
    """Unknown picture, unknown category, or no box: counted and left out."""
    labelled = read_coco(_coco(tmp_path, annotations=[{"id": 77, **annotation}]))
    assert [problem.where for problem in labelled.problems] == ["instances_val.json, annotation 77"]
    assert not labelled.has_objects


def test_a_coco_picture_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The others still count."""
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "gone.jpg"}]
    labelled = read_coco(_coco(tmp_path, images=images))
    assert [picture.name for picture in labelled.pictures] == ["a.jpg"]
    assert [problem.where for problem in labelled.problems] == ["image gone.jpg"]


def test_folders_name_classes(tmp_path: Path) -> None:
    """Pictures below a class folder, also deeper; what is beside is a problem."""
    _file(tmp_path / "set" / "cat" / "1.jpg")
    _file(tmp_path / "set" / "dog" / "deep" / "2.PNG")
    _file(tmp_path / "set" / "readme.txt")
    (tmp_path / "set" / "empty").mkdir()
    labelled = read_folders(tmp_path / "set")
    assert [(one.name, one.label) for one in labelled.pictures] == [
        ("cat/1.jpg", "cat"),
        ("dog/deep/2.PNG", "dog"),
    ]
    assert [problem.where for problem in labelled.problems] == ["empty", "readme.txt"]


def test_csv_rows_are_checked(tmp_path: Path) -> None:
    """Paths are relative to the file; every bad row is named with its line."""
    _file(tmp_path / "sub" / "a b.jpg")
    _file(
        tmp_path / "set.csv",
        "Path,caption,Class\nsub/a b.jpg,x,cat\ngone.jpg,x,dog\nsub/a b.jpg,x,dog\n,x,dog\n",
    )
    labelled = read_csv(tmp_path / "set.csv")
    assert [(one.name, one.label) for one in labelled.pictures] == [("sub/a b.jpg", "cat")]
    assert [problem.where for problem in labelled.problems] == [
        "set.csv, line 3",
        "set.csv, line 4",
        "set.csv, line 5",
    ]
    _file(tmp_path / "other.csv", "name,kind\n")
    with pytest.raises(BoxseekError, match="no column path"):
        read_csv(tmp_path / "other.csv")


def test_cifar_rows_become_pictures(tmp_path: Path) -> None:
    """Planes of red, green and blue; an unknown class and a cut-off row are named."""
    planes = np.random.default_rng(1).integers(0, 255, (3, 32, 32), dtype=np.uint8)
    row = bytes([0, 1]) + planes.tobytes()
    (tmp_path / "test.bin").write_bytes(row + bytes([0, 9]) + planes.tobytes() + b"cut")
    _file(tmp_path / "fine_label_names.txt", "apple\nbear\n")
    labelled = read_cifar100(tmp_path)
    (picture,) = labelled.pictures
    assert picture.label == "bear"
    decoded = decode(picture.read(10_000), Limits())
    assert np.array_equal(decoded.rgb, planes.transpose(1, 2, 0))
    assert len(labelled.problems) == 2


def test_pickled_cifar_is_refused_with_what_to_get(tmp_path: Path) -> None:
    """Pickles can run code."""
    _file(tmp_path / "test")
    with pytest.raises(BoxseekError, match="binary version"):
        read_labelled(tmp_path, "cifar100")


def test_the_form_is_found_out(tmp_path: Path) -> None:
    """From what lies in the folder, or the file's suffix."""
    assert form_of(_yolo(tmp_path / "yolo", None)) == "yolo"
    assert form_of(_coco(tmp_path / "coco")) == "coco"
    assert form_of(_file(tmp_path / "file" / "any.json")) == "coco"
    assert form_of(_file(tmp_path / "voc" / "Annotations" / "a.xml").parents[1]) == "voc"
    assert form_of(_file(tmp_path / "csv" / "a.csv").parent) == "csv"
    assert form_of(_file(tmp_path / "folders" / "cat" / "a.jpg").parents[1]) == "folders"
    assert form_of(_file(tmp_path / "cifar" / "test.bin").parent) == "cifar100"
    assert form_of(_file(tmp_path / "none" / "a.jpg").parent) is None
    assert form_named("voc") == "voc"
    assert form_named(None) is None
    with pytest.raises(BoxseekError, match="folders"):
        form_named("pascal")


def test_what_cannot_be_read_says_what_could(tmp_path: Path) -> None:
    """No such place, no known form, and a form without a picture."""
    with pytest.raises(BoxseekError, match="does not exist"):
        read_labelled(tmp_path / "gone")
    with pytest.raises(BoxseekError, match="a folder per class"):
        read_labelled(tmp_path)
    with pytest.raises(BoxseekError, match="no labelled picture"):
        read_labelled(tmp_path, "folders")
    with pytest.raises(BoxseekError, match="images/ and labels/"):
        read_labelled(tmp_path, "yolo")
    _file(tmp_path / "bad.json", "[]")
    with pytest.raises(BoxseekError, match="no COCO file"):
        read_labelled(tmp_path / "bad.json")


def test_numbers_and_other_names_become_the_detectors() -> None:
    """Class numbers take its names; VOC's names take COCO's where the detector has those."""
    marked = (MarkedObject("0", (0, 0, 1, 1)), MarkedObject("7", (0, 0, 1, 1)))
    numbers = LabelledSet("yolo", (LabelledPicture("a", Path("a"), objects=marked),), numbered=True)
    named = numbers.named(["aeroplane"])
    assert [one.label for one in named.pictures[0].objects] == ["aeroplane"]
    assert len(named.problems) == 1
    assert named.with_aliases(["airplane"]).pictures[0].objects[0].label == "airplane"
    assert named.with_aliases(["aeroplane"]) is named


def test_a_limited_set_is_spread_evenly() -> None:
    """First, last and what lies between; more than there are changes nothing."""
    pictures = tuple(LabelledPicture(str(n), Path(str(n))) for n in range(9))
    labelled = LabelledSet("folders", pictures)
    assert [one.name for one in labelled.limited(3).pictures] == ["0", "4", "8"]
    assert labelled.limited(20) is labelled
    assert labelled.limited(None) is labelled
