"""torchvision's detectors (Faster R-CNN and its kin) behind the Detector port."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from embedding_pipeline.domain.boxes import area, clip
from embedding_pipeline.domain.description import DetectorDescription
from embedding_pipeline.domain.entries import Box, Detection
from embedding_pipeline.errors import ModelError
from embedding_pipeline.models.quiet import available_cores
from embedding_pipeline.models.torchvision_embedder import build, class_names
from embedding_pipeline.models.weights import Weights

_BACKGROUND = frozenset({"__background__", "N/A"})
_SHORTER_SIDE = 0.6
"""Shorter side of Faster R-CNN's input over its longer one, 800 of 1333 in torchvision."""


class TorchvisionDetector:
    """Runs a torchvision detector, one picture a call: it pads a batch to its largest picture.

    Score floor, overlap and number of objects are those of the description; the longer side of
    the network's input is its input size, as with the other detectors.

    Args:
        weights: with torchvision's name.
        description: how it is run.
        threads: of the processor; 0 for all cores.

    Raises:
        ModelError: the weights do not fit, or this is no detector that takes such options.
    """

    def __init__(
        self, weights: Weights, description: DetectorDescription, *, threads: int = 0
    ) -> None:
        _check(description)
        torch.set_num_threads(threads or available_cores())
        self._description = description
        self._names = class_names(weights.name)
        size = description.input_size
        try:
            self._network = build(
                weights.name,
                weights.path,
                weights_backbone=None,
                num_classes=len(self._names),
                min_size=round(size * _SHORTER_SIDE),
                max_size=size,
                box_score_thresh=float(np.nextafter(description.score_floor, 0.0)),
                box_nms_thresh=description.nms_iou,
                box_detections_per_img=description.max_objects + 1,
            )
        except TypeError as error:
            raise ModelError(
                f"{weights.name} is no detector of the Faster R-CNN family: {error}",
                model=weights.name,
            ) from error

    @property
    def description(self) -> DetectorDescription:
        """Frozen description; what detect does follows from it alone."""
        return self._description

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names without background and gaps, in the order of their numbers."""
        return tuple(name for name in self._names if name not in _BACKGROUND)

    def detect(
        self, images: Sequence[NDArray[np.uint8]]
    ) -> list[tuple[tuple[Detection, ...], bool]]:
        """Find the objects of each picture (see the Detector port)."""
        return [self._one(image) for image in images]

    @torch.inference_mode()
    def _one(self, image: NDArray[np.uint8]) -> tuple[tuple[Detection, ...], bool]:
        pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float().div_(255)
        found: dict[str, Any] = self._network([pixels])[0]
        size_wh = (image.shape[1], image.shape[0])
        rows = zip(
            found["boxes"].tolist(), found["scores"].tolist(), found["labels"].tolist(), strict=True
        )
        detections = sorted(
            (
                Detection(box, self._names[number], round(float(score), 4))
                for box, score, number in ((_clipped(b, size_wh), s, n) for b, s, n in rows)
                if area(box) > 0 and self._names[number] not in _BACKGROUND
            ),
            key=_rank,
        )
        kept = self._description.max_objects
        return tuple(detections[:kept]), len(detections) > kept


def _check(description: DetectorDescription) -> None:
    """Refuse a description that asks for what is not done here, instead of leaving it out."""
    plain = DetectorDescription(
        description.name,
        description.sha256,
        description.origin,
        "fp32",
        description.input_size,
        description.score_floor,
        description.nms_iou,
        description.max_objects,
        decode_long_side=description.decode_long_side,
    )
    odd = [f.name for f in fields(plain) if getattr(plain, f.name) != getattr(description, f.name)]
    if odd:
        raise ModelError(
            f"torchvision's detectors run in fp32 on one size only; {', '.join(odd)} of "
            f"{description.name} cannot be had (BOXSEEK_QUALITY=plain has none of them)",
            model=description.name,
        )


def _clipped(sides: Sequence[float], size_wh: tuple[int, int]) -> Box:
    x1, y1, x2, y2 = (round(float(side), 2) for side in sides)
    return clip((x1, y1, x2, y2), size_wh)


def _rank(found: Detection) -> tuple[float, float, float, float, float, str]:
    x1, y1, x2, y2 = found.box_xyxy
    return (-found.confidence, y1, x1, y2, x2, found.label)
