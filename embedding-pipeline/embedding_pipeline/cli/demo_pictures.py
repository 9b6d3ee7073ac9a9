"""Which pictures a demo shows when nobody names a folder."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from embedding_pipeline.cli.coco128 import fetch_coco128
from minio_proxy.errors import PictureError
from minio_proxy.picture.header import Limits, inspect

PACKAGES = ("ultralytics", "matplotlib", "skimage", "sklearn", "scipy", "imageio", "gradio")
"""Packages that are known to bring photographs; only those that are installed are looked at."""
SMALLEST_SIDE = 200
FEW = 20
CHOICE = "choice.json"


@dataclass(frozen=True, slots=True)
class DemoPictures:
    """Where a demo's pictures come from.

    Args:
        folder: with the pictures.
        told: one sentence for the person who started it.
    """

    folder: Path
    told: str


def choose_pictures(
    folder: Path,
    *,
    download: Callable[[Path], Path | None],
    test_data: str,
    limits: Limits,
) -> DemoPictures:
    """Choose once and remember, so that a second start asks no network.

    Args:
        folder: of the demo, below the data folder.
        download: fetches photographs into a folder, or gives None where it cannot.
        test_data: BOXSEEK_TEST_DATA, or empty.
        limits: of size and pixels.
    """
    remembered = _remembered(folder)
    if remembered is not None:
        return remembered
    chosen = _choose(folder, download, test_data, limits)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"folder": str(chosen.folder), "told": chosen.told})
    temporary = folder / f".{CHOICE}.{os.getpid()}"
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(folder / CHOICE)
    return chosen


def download_from(url: str, connect_timeout_s: float) -> Callable[[Path], Path | None]:
    """A download for choose_pictures."""
    return lambda folder: fetch_coco128(folder, url, connect_timeout_s=connect_timeout_s)


def _remembered(folder: Path) -> DemoPictures | None:
    try:
        choice = json.loads((folder / CHOICE).read_text(encoding="utf-8"))
        chosen = DemoPictures(Path(choice["folder"]), str(choice["told"]))
    except (OSError, ValueError, KeyError):
        return None
    return chosen if chosen.folder.is_dir() else None


def _choose(
    folder: Path, download: Callable[[Path], Path | None], test_data: str, limits: Limits
) -> DemoPictures:
    photographs = download(folder)
    if photographs is not None:
        return DemoPictures(photographs, "The pictures are COCO128, 128 photographs from Flickr.")
    if test_data and Path(test_data).is_dir():
        inner = Path(test_data) / "coco128" / "images"
        chosen = inner if inner.is_dir() else Path(test_data)
        return DemoPictures(chosen.absolute(), f"The pictures are those of {chosen}.")
    return _from_packages(folder / "packages", limits)


def _from_packages(folder: Path, limits: Limits) -> DemoPictures:
    """Link the photographs of installed packages into one folder."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for count, path in enumerate(package_photographs(limits), start=1):
        link = folder / f"{count:03d}-{path.name}"
        link.unlink(missing_ok=True)
        link.symlink_to(path)
    told = f"COCO128 cannot be downloaded here, so {count} photographs of installed packages serve."
    if count < FEW:
        told += " They are few: make demo IMAGES=/your/photos shows more."
    return DemoPictures(folder, told)


def package_photographs(limits: Limits) -> Iterator[Path]:
    """Photographs inside installed packages, by package and name."""
    for package in PACKAGES:
        # find_spec of a top-level package does not import it.
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            continue
        root = Path(spec.origin).parent
        for path in sorted([*root.rglob("*.jpg"), *root.rglob("*.jpeg"), *root.rglob("*.png")]):
            if _is_photograph(path, limits):
                yield path


def _is_photograph(path: Path, limits: Limits) -> bool:
    """Large enough, and not among icons or a test's expected drawings."""
    if {"tests", "test", "baseline_images", "mpl-data", "templates"} & set(path.parts[:-1]) and (
        "sample_data" not in path.parts
    ):
        return False
    try:
        header = inspect(path.read_bytes(), limits)
    except (PictureError, OSError):
        return False
    return min(header.size_wh) >= SMALLEST_SIDE
