"""What tiles find in large pictures: mosaics of COCO128, with and without them.

A mosaic lays pictures at their own size into cells of 640 x 640 pixels, so that its objects are
as sharp as ever and a half or a quarter as large in the whole as they were. It is no photograph:
nothing is larger than a cell, and cells have grey borders. Needs BOXSEEK_TEST_DATA.

Run: PYTHONPATH=tests python tests/bench/bench_tiles.py [--half chosen|held] [--tiles 16]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measuring import say, table
from numpy.typing import NDArray

from embedding_pipeline.models.resolve import resolve_models
from embedding_pipeline.ports.models import Detector
from embedding_pipeline.settings import Settings
from minio_proxy.picture.decode import decode
from minio_proxy.picture.header import Limits
from support.models_coverage import matches, truth

CELL = 640
GREY = 114


@dataclass(frozen=True, slots=True)
class Marked:
    """A picture with its objects: pixels, class numbers, ``(N, 4)`` boxes."""

    rgb: NDArray[np.uint8]
    numbers: list[int]
    boxes: NDArray[np.float64]


def half(folder: Path, which: str) -> list[Marked]:
    """The pictures that chose, or those that were held out (docs/quality.md)."""
    paths = sorted(
        (folder / "images").glob("*.jpg"),
        key=lambda path: hashlib.sha256(path.name.encode()).hexdigest(),
    )
    return [_marked(path) for path in (paths[:64] if which == "chosen" else paths[64:])]


def mosaics(marked: Sequence[Marked], across: int) -> Iterator[Marked]:
    """Squares of ``across`` by ``across`` pictures; the rest that fills none is left out."""
    count = across * across
    for start in range(0, len(marked) - count + 1, count):
        rgb = np.full((CELL * across, CELL * across, 3), GREY, np.uint8)
        numbers: list[int] = []
        boxes = []
        for place, one in enumerate(marked[start : start + count]):
            top, left = (CELL * part for part in divmod(place, across))
            height, width = one.rgb.shape[:2]
            rgb[top : top + height, left : left + width] = one.rgb
            numbers += one.numbers
            boxes.append(one.boxes + np.array((left, top) * 2))
        yield Marked(rgb, numbers, np.concatenate(boxes))


def measured(detector: Detector, pictures: Sequence[Marked]) -> tuple[str, str, str, float]:
    """Objects found again, documents an object, share of them right, CPU seconds a picture."""
    marked = found = documents = right = 0
    started = time.process_time()
    for one in pictures:
        [(detections, _)] = detector.detect([one.rgb])
        hits = matches(one.numbers, one.boxes, detections, detector.labels)
        marked += len(one.numbers)
        documents += len(detections)
        found += int(hits.any(axis=1).sum())
        right += int(hits.any(axis=0).sum())
    seconds = (time.process_time() - started) / len(pictures)
    return (
        f"{found / marked:.1%}",
        f"{documents / marked:.2f}",
        f"{right / max(1, documents):.0%}",
        round(seconds, 2),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--half", choices=("chosen", "held"), default="held")
    parser.add_argument("--tiles", type=int, nargs="*", default=[0, 16])
    parser.add_argument("--quality", nargs="*", default=["plain", "default", "best"])
    args = parser.parse_args()
    marked = half(Path(os.environ["BOXSEEK_TEST_DATA"]) / "coco128", args.half)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for quality in args.quality:
            for tiles in args.tiles:
                # A mosaic of 16 pictures has more objects than are kept of one.
                settings = Settings(
                    _env_file=None,
                    models="packaged",
                    precision="fp32",
                    data_dir=Path(folder) / f"{quality}{tiles}",
                    quality=quality,
                    detector_tiles=tiles,
                    max_objects=999,
                )
                detector = resolve_models(settings).detector
                for across in (1, 2, 4):
                    pictures = marked if across == 1 else list(mosaics(marked, across))
                    row = measured(detector, pictures)
                    rows.append((f"{across} x {across}", quality, tiles, *row))
                    say(str(rows[-1]))
    heads = ("mosaic", "quality", "tiles", "found", "documents an object", "right", "CPU s")
    say(table(heads, sorted(rows, key=lambda row: row[0])))


def _marked(path: Path) -> Marked:
    picture = decode(path.read_bytes(), Limits())
    labels = path.parents[1] / "labels" / f"{path.stem}.txt"
    return Marked(picture.rgb, *truth(labels, picture.size_wh))


if __name__ == "__main__":
    main()
