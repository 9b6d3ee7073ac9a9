"""Any Ultralytics detector behind the Detector port."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from embedding_pipeline.domain.description import DetectorDescription
from embedding_pipeline.domain.entries import Detection
from embedding_pipeline.errors import ModelError, UnknownModel
from embedding_pipeline.models.letterbox import (
    Fit,
    fit_rectangle,
    fit_shape,
    fit_stretched,
    place,
    to_picture,
)
from embedding_pipeline.models.quiet import available_cores, import_ultralytics

SUFFIXES = (".pt", ".onnx")
"""Files that can be loaded; what Ultralytics exports besides runs elsewhere."""

_TASKS = (None, "detect", "segment", "pose")


class UltralyticsDetector:
    """Runs a model file on Ultralytics' own backend, with its own non-maximum suppression.

    One picture a call of the network on a CPU: a larger batch is no faster there, and not
    every backend gives the same bits for another batch size.

    Args:
        weights: ``.pt`` or ``.onnx`` file; its trust is checked before (models/weights.py).
        description: how it is run.
        config_dir: where Ultralytics keeps its settings file.
        threads: CPU threads; 0 for all cores.
        batch_size: pictures of one shape in one call of the network.
    """

    def __init__(
        self,
        weights: Path,
        description: DetectorDescription,
        *,
        config_dir: Path,
        threads: int = 0,
        batch_size: int = 1,
    ) -> None:
        import_ultralytics(config_dir)
        from ultralytics.utils.nms import non_max_suppression  # noqa: PLC0415 - see models/quiet.py

        self._suppress = non_max_suppression
        self._description = description
        self._backend = _load(weights, threads or available_cores())
        self._labels = _labels(self._backend, weights)
        self._fixed_hw = _fixed_shape(self._backend)
        self._batch_size = batch_size if self._fixed_hw is None else int(self._backend.batch)
        self._is_rtdetr = "RTDETR" in type(self._backend.model).__name__

    @property
    def description(self) -> DetectorDescription:
        """Frozen description; what detect does follows from it alone."""
        return self._description

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names by class number."""
        return self._labels

    def detect(
        self, images: Sequence[NDArray[np.uint8]]
    ) -> list[tuple[tuple[Detection, ...], bool]]:
        """Find the objects of each picture (see the Detector port)."""
        fits = [self._fit((image.shape[1], image.shape[0])) for image in images]
        found: dict[int, tuple[tuple[Detection, ...], bool]] = {}
        for positions in _batches(fits, self._batch_size):
            raw = self._forward([place(images[i], fits[i]) for i in positions])
            for row, position in enumerate(positions):
                found[position] = self._detections(raw[row : row + 1], fits[position])
        return [found[position] for position in range(len(images))]

    def _fit(self, size_wh: tuple[int, int]) -> Fit:
        size = self._description.input_size
        if self._is_rtdetr:
            return fit_stretched(size_wh, self._fixed_hw or (size, size))
        if self._fixed_hw is not None:
            return fit_shape(size_wh, self._fixed_hw)
        return fit_rectangle(size_wh, size, int(self._backend.stride))

    @torch.inference_mode()
    def _forward(self, inputs: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
        """``(B, 4 + classes, anchors)``, or ``(B, boxes, 6)`` of an end-to-end model."""
        stacked = torch.from_numpy(np.stack(inputs)).permute(0, 3, 1, 2)
        batch = stacked.to(self._backend.device, torch.float32).contiguous().div_(255)
        missing = int(self._backend.batch) - len(batch) if self._fixed_hw is not None else 0
        if missing > 0:
            batch = torch.cat((batch, batch.new_zeros(missing, *batch.shape[1:])))
        raw: Any = self._backend.forward(batch)
        while isinstance(raw, list | tuple):
            raw = raw[0]
        return torch.as_tensor(raw)[: len(inputs)].float().cpu()

    def _detections(self, raw: torch.Tensor, fit: Fit) -> tuple[tuple[Detection, ...], bool]:
        """Detections of one picture in rank order; raw is ``(1, ...)``.

        Suppression is called for each picture alone: for a batch it has a time limit that
        leaves later pictures empty.
        """
        rows = self._rows(raw, fit)
        boxes = to_picture(rows[:, :4], fit)
        ranked = sorted(
            (
                Detection(
                    (float(x1), float(y1), float(x2), float(y2)),
                    self._labels[int(number)],
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
        if self._is_rtdetr:
            return _rtdetr_rows(raw[0].numpy(), fit, how.score_floor)
        kept = self._suppress(
            raw,
            conf_thres=float(np.nextafter(how.score_floor, 0.0)),
            iou_thres=how.nms_iou,
            nc=len(self._labels),
            max_det=raw.shape[-1] + raw.shape[-2],
            end2end=bool(self._backend.end2end),
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


def _batches(fits: Sequence[Fit], size: int) -> Iterator[list[int]]:
    """Positions of pictures whose inputs have one shape, at most ``size`` together."""
    groups: dict[tuple[int, int], list[int]] = {}
    for position, fit in enumerate(fits):
        groups.setdefault(fit.shape_hw, []).append(position)
    for positions in groups.values():
        for start in range(0, len(positions), size):
            yield positions[start : start + size]


def _load(weights: Path, threads: int) -> Any:
    from ultralytics.nn.autobackend import AutoBackend  # noqa: PLC0415 - see models/quiet.py
    from ultralytics.nn.backends import ONNXBackend  # noqa: PLC0415

    device = torch.device("cpu")
    try:
        if weights.suffix == ".onnx":
            return ONNXBackend(str(weights), device, session_options=_session_options(threads))
        if weights.suffix == ".pt":
            torch.set_num_threads(threads)
            return AutoBackend(str(weights), device=device, verbose=False)
    except Exception as exc:
        raise ModelError(
            f"{weights.name} cannot be loaded as a detector: {type(exc).__name__}: {exc}",
            model=weights.name,
        ) from exc
    raise UnknownModel(
        f"{weights.name} is no detector file; {' and '.join(SUFFIXES)} can be loaded",
        model=weights.name,
    )


def _session_options(threads: int) -> Any:
    import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415 - only ONNX files need it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin while they wait take the cores from the embedder, which runs next.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def _fixed_shape(backend: Any) -> tuple[int, int] | None:
    """Input ``(height, width)`` of a model exported for one shape only, else None."""
    if isinstance(getattr(backend, "model", None), torch.nn.Module) or backend.dynamic:
        return None
    sizes = getattr(backend, "imgsz", None)
    return (int(sizes[0]), int(sizes[1])) if sizes else None


def _labels(backend: Any, weights: Path) -> tuple[str, ...]:
    if backend.task not in _TASKS or not backend.names:
        raise UnknownModel(
            f"{weights.name} is no detector: task {backend.task}, {len(backend.names)} classes",
            model=weights.name,
        )
    return tuple(str(backend.names[number]) for number in sorted(backend.names))
