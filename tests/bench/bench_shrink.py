"""What decoding at half size changes: detections found again, and vectors of the same boxes.

Pictures of 640 pixels are decoded at 1/2 while the detector's input is a quarter of their side, as
a large photograph is by the rule of docs/pipeline.md, but without its larger level for crops: the
cosines say what that level is for. Needs BOXSEEK_TEST_DATA.

Run: PYTHONPATH=tests python tests/bench/bench_shrink.py
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from measuring import pictures, say, table

from embedding_pipeline.domain.boxes import iou_matrix
from embedding_pipeline.domain.entries import Detection
from embedding_pipeline.models.resolve import resolve_models
from embedding_pipeline.pipeline.pictures import PicturePipeline
from embedding_pipeline.pipeline.tasks import PictureTask
from embedding_pipeline.settings import Settings
from minio_proxy.picture.decode import Picture, decode
from minio_proxy.picture.header import Limits, inspect

SIDE = 640
SIDES = (0, 64, 128, 224, SIDE + 1)


def half(data: bytes, limits: Limits) -> Picture:
    """Decode at half size."""
    return decode(data, limits, long_side=SIDE // 2)


def found_again(wanted: Sequence[Detection], found: Sequence[Detection]) -> int:
    """How many have one of the same label that overlaps by half at least."""
    if not wanted or not found:
        return 0
    ious = iou_matrix(
        np.array([one.box_xyxy for one in wanted]), np.array([one.box_xyxy for one in found])
    )
    same = np.array([[a.label == b.label for b in found] for a in wanted])
    return int(((ious >= 0.5) & same).any(axis=1).sum())


def main() -> None:
    """Measure and print."""
    limits = Limits()
    files = [data for data in pictures(128) if max(inspect(data, limits).size_wh) == SIDE]
    wanted = again = 0
    cosines: list[float] = []
    sides: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            models="packaged",
            detector_input_size=SIDE // 4,
            shrink_on_load=False,
            data_dir=Path(folder),
        )
        models = resolve_models(settings)
        parts = (models.detector, models.embedder, limits)
        with (
            PicturePipeline(*parts) as full,
            PicturePipeline(*parts, decode_function=half) as halved,
        ):
            for data in files:
                [one] = full.run([PictureTask(data)])
                boxes = tuple(region.box for region in one.checked().regions)
                task = PictureTask(data)
                [other] = halved.run([task])
                [same] = halved.run([replace(task, select=boxes, detect=False)])
                wanted += len(one.detections)
                again += found_again(one.detections, other.checked().detections)
                cosines += (one.vectors * same.checked().vectors).sum(axis=1)[1:].tolist()
                sides += [max(x2 - x1, y2 - y1) for x1, y1, x2, y2 in boxes[1:]]
    say(f"{len(files)} pictures: {again} of {wanted} detections found again")
    rows = []
    for low, high in pairwise(SIDES):
        inside = [c for c, side in zip(cosines, sides, strict=True) if low <= side < high]
        if inside:
            rows.append((f"{low} to {high - 1}", len(inside), round(float(np.median(inside)), 3)))
    say(table(("longer side of the box, pixels", "boxes", "median cosine"), rows))


if __name__ == "__main__":
    main()
