"""Object coverage on annotated pictures: how many objects a detector finds again.

Run as a script it prints a table for several settings:
``BOXSEEK_TEST_DATA=... PYTHONPATH=tests python -m support.models_coverage``.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from embedding_pipeline.domain.boxes import iou_matrix
from embedding_pipeline.domain.description import DetectorDescription
from embedding_pipeline.domain.entries import Detection
from embedding_pipeline.models import packaged
from embedding_pipeline.models.detector import UltralyticsDetector
from embedding_pipeline.models.trusted import PACKAGED_DETECTOR
from embedding_pipeline.ports.models import Detector
from minio_proxy.picture.decode import decode
from minio_proxy.picture.header import Limits

PLAIN = DetectorDescription("yolo11n", PACKAGED_DETECTOR, "packaged", "fp32", 640, 0.25, 0.7, 100)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was found.

    Args:
        annotated: objects in the ground truth.
        found: of them, found again with the right class at IoU >= 0.5.
        documents: detections kept.
        right: detections that match an annotated object.
        ms_per_picture: of the detector alone.
    """

    annotated: int
    found: int
    documents: int
    right: int
    ms_per_picture: float

    @property
    def share(self) -> float:
        """Share of annotated objects that were found."""
        return self.found / self.annotated


def measure(folder: Path, detector: Detector, every: slice = slice(None)) -> Coverage:
    """Coverage on ``images/*.jpg`` with YOLO labels in ``labels/*.txt``."""
    annotated = found = documents = right = 0
    seconds = 0.0
    paths = sorted((folder / "images").glob("*.jpg"))[every]
    for path in paths:
        picture = decode(path.read_bytes(), Limits())
        started = time.perf_counter()
        detections, _ = detector.detect([picture.rgb])[0]
        seconds += time.perf_counter() - started
        labels = folder / "labels" / f"{path.stem}.txt"
        numbers, boxes = truth(labels, picture.size_wh)
        hits = matches(numbers, boxes, detections, detector.labels)
        annotated += len(numbers)
        documents += len(detections)
        found += int(hits.any(axis=1).sum())
        right += int(hits.any(axis=0).sum())
    return Coverage(annotated, found, documents, right, seconds * 1000 / len(paths))


def matches(
    numbers: Sequence[int],
    boxes: np.ndarray,
    detections: Sequence[Detection],
    labels: Sequence[str],
) -> np.ndarray:
    """``(annotated, detections)`` bool: right class and IoU >= 0.5."""
    overlaps = iou_matrix(boxes, np.array([d.box_xyxy for d in detections]).reshape(-1, 4))
    same = np.array([[labels[n] == d.label for d in detections] for n in numbers], bool)
    return (overlaps >= 0.5) & same.reshape(overlaps.shape)


def truth(path: Path, size_wh: tuple[int, int]) -> tuple[list[int], np.ndarray]:
    """Class numbers and ``(N, 4)`` boxes, pixels, of a YOLO label file."""
    lines = path.read_text().split("\n") if path.is_file() else []
    rows = np.array([[float(v) for v in line.split()] for line in lines if line.strip()])
    rows = rows.reshape(-1, 5)
    center, half = rows[:, 1:3] * size_wh, rows[:, 3:5] * size_wh / 2
    return [int(n) for n in rows[:, 0]], np.concatenate((center - half, center + half), axis=1)


def main() -> None:
    """Print coverage, documents, precision and time for a table of settings."""
    folder = Path(os.environ["BOXSEEK_TEST_DATA"]) / "coco128"
    rows = [
        replace(PLAIN, input_size=size, nms_iou=iou)
        for size, iou in (
            (640, 0.7),
            (672, 0.7),
            (704, 0.7),
            (736, 0.6),
            (736, 0.7),
            (736, 0.8),
            (768, 0.7),
            (800, 0.7),
            (960, 0.7),
        )
    ]
    sys.stdout.write("size  nms  coverage  documents  right  ms/picture\n")
    with tempfile.TemporaryDirectory() as config:
        for row in rows:
            detector = UltralyticsDetector(packaged.detector_file(), row, config_dir=Path(config))
            c = measure(folder, detector)
            sys.stdout.write(
                f"{row.input_size}  {row.nms_iou}  {c.share:.3f} ({c.found}/{c.annotated})  "
                f"{c.documents}  {c.right / c.documents:.3f}  {c.ms_per_picture:.0f}\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
