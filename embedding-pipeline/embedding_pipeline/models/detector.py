"""Any Ultralytics detector behind the Detector port."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from embedding_pipeline.domain.description import DetectorDescription
from embedding_pipeline.domain.entries import Detection
from embedding_pipeline.models.detector_network import DetectorNetwork, UltralyticsNetwork
from embedding_pipeline.models.letterbox import (
    Fit,
    fit_described,
    fit_shape,
    fit_stretched,
    place,
    to_picture,
)
from embedding_pipeline.models.quiet import available_cores, import_ultralytics


class UltralyticsDetector:
    """Letterboxes pictures, runs a network, suppresses double boxes as Ultralytics does.

    Args:
        weights: ``.pt`` or ``.onnx`` file; its trust is checked before (models/weights.py).
        description: how it is run.
        config_dir: where Ultralytics keeps its settings file.
        threads: CPU threads; 0 for all cores.
        batch_size: pictures of one shape in one call of the network.
        network: what runs; None runs the file on Ultralytics' own backend.
    """

    def __init__(
        self,
        weights: Path,
        description: DetectorDescription,
        *,
        config_dir: Path,
        threads: int = 0,
        batch_size: int = 1,
        network: DetectorNetwork | None = None,
    ) -> None:
        import_ultralytics(config_dir)
        from ultralytics.utils.nms import non_max_suppression  # noqa: PLC0415 - see models/quiet.py

        self._suppress = non_max_suppression
        self._description = description
        self._network = network or UltralyticsNetwork(
            weights, threads=threads, batch_size=batch_size
        )
        self._traits = self._network.traits
        # Beside a GPU, cores are free to prepare pictures and to suppress boxes meanwhile.
        cores = available_cores() if self._network.beside else 1
        self._pool = ThreadPoolExecutor(cores, "detector") if cores > 1 else None

    def described(self, description: DetectorDescription) -> Self:
        """The same network run another way, e.g. with another input size; nothing is loaded."""
        other = copy(self)
        other._description = description  # noqa: SLF001 - a copy of its own
        return other

    @property
    def description(self) -> DetectorDescription:
        """Frozen description; what detect does follows from it alone."""
        return self._description

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names by class number."""
        return self._traits.labels

    def detect(
        self, images: Sequence[NDArray[np.uint8]]
    ) -> list[tuple[tuple[Detection, ...], bool]]:
        """Find the objects of each picture (see the Detector port)."""
        fits = [self._fit((image.shape[1], image.shape[0])) for image in images]
        if self._pool is None:
            rows = self._network.run(map(place, images, fits))
            return list(map(self._detections, rows, fits))
        rows = self._network.run(self._pool.map(place, images, fits))
        return list(self._pool.map(self._detections, rows, fits))

    def _fit(self, size_wh: tuple[int, int]) -> Fit:
        size = self._description.input_size
        if self._traits.stretched:
            return fit_stretched(size_wh, self._traits.fixed_hw or (size, size))
        if self._traits.fixed_hw is not None:
            return fit_shape(size_wh, self._traits.fixed_hw)
        return fit_described(size_wh, self._description, self._traits.stride)

    def _detections(self, raw: NDArray[np.float32], fit: Fit) -> tuple[tuple[Detection, ...], bool]:
        """Detections of one picture in rank order.

        Suppression is called for each picture alone: for a batch it has a time limit that
        leaves later pictures empty.
        """
        rows = self._rows(torch.from_numpy(raw[None]), fit)
        boxes = to_picture(rows[:, :4], fit)
        ranked = sorted(
            (
                Detection(
                    (float(x1), float(y1), float(x2), float(y2)),
                    self._traits.labels[int(number)],
                    round(float(score), 4),
                )
                for (x1, y1, x2, y2), score, number in zip(
                    boxes, rows[:, 4], rows[:, 5], strict=True
                )
                if x2 > x1 and y2 > y1
            ),
            key=_rank,
        )
        kept = self._description.max_objects
        return tuple(ranked[:kept]), len(ranked) > kept

    def _rows(self, raw: torch.Tensor, fit: Fit) -> NDArray[np.float32]:
        """``(N, 6)``: box in pixels of the input, score, class number."""
        how = self._description
        if self._traits.stretched:
            return _rtdetr_rows(raw[0].numpy(), fit, how.score_floor)
        kept = self._suppress(
            raw,
            conf_thres=float(np.nextafter(how.score_floor, 0.0)),
            iou_thres=how.nms_iou,
            nc=len(self._traits.labels),
            max_det=raw.shape[-1] + raw.shape[-2],
            end2end=self._traits.end2end,
        )
        found: torch.Tensor = kept[0]
        return np.asarray(found.numpy()[:, :6], np.float32)


def _rank(found: Detection) -> tuple[float, float, float, float, float, str]:
    x1, y1, x2, y2 = found.box_xyxy
    return (-found.confidence, y1, x1, y2, x2, found.label)


def _rtdetr_rows(queries: NDArray[np.float32], fit: Fit, score_floor: float) -> NDArray[np.float32]:
    """Rows of RT-DETR's output: centre boxes in shares of the input, then class scores."""
    scores, numbers = queries[:, 4:].max(axis=1), queries[:, 4:].argmax(axis=1)
    center, half = queries[:, :2], queries[:, 2:4] / 2
    sides = np.array((fit.shape_hw[1], fit.shape_hw[0]) * 2, np.float32)
    boxes = np.concatenate((center - half, center + half), axis=1) * sides
    rows: NDArray[np.float32] = np.column_stack((boxes, scores, numbers)).astype(np.float32)
    return np.compress(scores >= score_floor, rows, axis=0)
