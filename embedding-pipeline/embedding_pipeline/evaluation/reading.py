"""Which form a labelled set has, and its reader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from embedding_pipeline.errors import BoxseekError
from embedding_pipeline.evaluation.box_forms import read_voc, read_yolo
from embedding_pipeline.evaluation.cifar_form import TEST_FILE, read_cifar100
from embedding_pipeline.evaluation.class_forms import read_csv, read_folders
from embedding_pipeline.evaluation.coco_form import read_coco
from embedding_pipeline.evaluation.labelled import FORMS, Form, LabelledSet, pictures_below

READERS: dict[Form, Callable[[Path], LabelledSet]] = {
    "yolo": read_yolo,
    "coco": read_coco,
    "voc": read_voc,
    "csv": read_csv,
    "folders": read_folders,
    "cifar100": read_cifar100,
}

FORMS_TOLD = (
    "images/ and labels/ (YOLO); a COCO .json file, or a folder with annotations/*.json; VOC .xml "
    "files, or a folder with Annotations/ and JPEGImages/; a .csv file of path and class; a folder "
    "per class; the folder of CIFAR-100's binary version"
)


def read_labelled(place: Path, form: Form | None = None) -> LabelledSet:
    """Read a labelled set.

    Args:
        place: a folder or file of one of the forms.
        form: which one; None finds it out from what lies there.

    Raises:
        BoxseekError: nothing there, no known form, or it cannot be read at all. Single bad rows
            are no error: they are in the set's problems.
    """
    if not place.exists():
        raise BoxseekError(f"{place} does not exist")
    found = form or form_of(place)
    if found is None:
        raise BoxseekError(f"{place} is no labelled set that is known here: {FORMS_TOLD}")
    try:
        labelled = READERS[found](place)
    except (OSError, UnicodeDecodeError) as exc:
        raise BoxseekError(f"{place} cannot be read as {found}: {exc}") from exc
    if not labelled.pictures:
        reasons = "; ".join(f"{one.where}: {one.reason}" for one in labelled.problems[:3])
        raise BoxseekError(
            f"{place} has no labelled picture in the form {found}"
            + (f" ({reasons})" * bool(reasons))
        )
    return labelled


def form_named(name: str | None) -> Form | None:
    """The form of this name; None stays None, any other name raises BoxseekError."""
    form = next((one for one in FORMS if one == name), None)
    if name is not None and form is None:
        raise BoxseekError(
            f"there is no form {name!r} of labelled sets; {', '.join(FORMS)} are known"
        )
    return form


def form_of(place: Path) -> Form | None:
    """The form of what lies there, or None."""
    if place.is_file():
        by_suffix: dict[str, Form] = {".json": "coco", ".csv": "csv"}
        return by_suffix.get(place.suffix.lower())
    folders: tuple[tuple[Form, bool], ...] = (
        ("yolo", (place / "images").is_dir() and (place / "labels").is_dir()),
        ("voc", any(place.glob("Annotations/*.xml")) or any(place.glob("*.xml"))),
        ("coco", any(place.glob("annotations/*.json")) or any(place.glob("*.json"))),
        ("cifar100", (place / TEST_FILE).is_file()),
        ("csv", len(list(place.glob("*.csv"))) == 1),
        ("folders", any(pictures_below(sub) for sub in _subfolders(place))),
    )
    return next((form for form, fits in folders if fits), None)


def _subfolders(place: Path) -> list[Path]:
    return sorted(path for path in place.iterdir() if path.is_dir() and path.name[0] != ".")
