"""A detector's network behind the seam, and how Ultralytics' own backends run it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from embedding_pipeline.errors import ModelError, UnknownModel
from embedding_pipeline.models.batch_size import SIZES, fitting
from embedding_pipeline.models.network import Network, Precision
from embedding_pipeline.models.quiet import available_cores
from embedding_pipeline.models.torch_device import Staging, padded, power_of_two, prepared

SUFFIXES = (".pt", ".onnx")
"""Files that can be loaded; what Ultralytics exports besides runs elsewhere."""

MOST_INPUTS = 32
"""Inputs in one call at most: as many pictures of one shape hardly ever wait together."""

LEAST_SCORE = 0.001
"""Anchors whose best class has less are not brought over from a GPU; no floor may be lower."""

_TASKS = (None, "detect", "segment", "pose")


@dataclass(frozen=True, slots=True)
class Traits:
    """What must be known of a detector's network to use it.

    Args:
        labels: class names by class number.
        stride: both sides of an input are multiples of it.
        fixed_hw: the only input that it takes, height and width, or None.
        batch: inputs a call of a network with a fixed input; 1 otherwise.
        end2end: it suppresses double boxes by itself.
        stretched: pictures are stretched to its square input (RT-DETR).
    """

    labels: tuple[str, ...]
    stride: int
    fixed_hw: tuple[int, int] | None
    batch: int
    end2end: bool
    stretched: bool

    @property
    def any_runtime(self) -> bool:
        """OpenVINO can run it too: it takes inputs of any size, one at a time."""
        return self.fixed_hw is None and not self.stretched


class DetectorNetwork(Network, Protocol):
    """A network whose rows are ``(4 + classes, anchors)``, or ``(boxes, 6)`` end to end."""

    @property
    def traits(self) -> Traits:
        """What must be known to use it."""
        ...

    @property
    def beside(self) -> bool:
        """It computes on a device beside the processor, whose cores are free meanwhile."""
        ...


class UltralyticsNetwork:
    """Runs a model file on Ultralytics' own backend: PyTorch or ONNX Runtime.

    One input a call on a processor: a larger batch is no faster there, and not every backend
    gives the same bits for another batch size. On a GPU a call of one input is mostly waiting, so
    ``fill`` finds a better size; a smaller group is filled up to a power of two, since every new
    shape has its kernels chosen first, which takes longer than computing. Anchors without any
    score stay there: to bring all of them over takes longer too.

    Args:
        weights: ``.pt`` or ``.onnx`` file; its trust is checked before (models/weights.py).
        precision: ``bf16`` for ``.pt`` files only.
        device: ``cpu`` or a CUDA device.
        threads: of the processor; 0 for all cores.
        batch_size: inputs of one shape in one call.
    """

    def __init__(
        self,
        weights: Path,
        *,
        precision: Precision = "fp32",
        device: str = "cpu",
        threads: int = 0,
        batch_size: int = 1,
    ) -> None:
        self._device = prepared(device, threads)
        self.backend = _backend(weights, self._device, threads or available_cores())
        self._traits = _traits(self.backend, weights)
        fixed = self._traits.fixed_hw is not None
        self._batch_size = self._traits.batch if fixed else batch_size
        self._autocast = precision == "bf16"
        self._staging = Staging(self._device)
        self._sifts = self.beside and self._traits.any_runtime

    @property
    def traits(self) -> Traits:
        """What must be known to use it."""
        return self._traits

    @property
    def beside(self) -> bool:
        """It computes beside the processor (see DetectorNetwork)."""
        return self._device.type != "cpu"

    @property
    def batch_size(self) -> int:
        """Inputs of one shape in one call."""
        return self._batch_size

    def fill(self, size_hw: tuple[int, int]) -> None:
        """Take calls as large as the device likes best, up to MOST_INPUTS.

        Args:
            size_hw: of the usual input.
        """
        if self._traits.fixed_hw is None:
            image = np.zeros((*size_hw, 3), np.uint8)
            sizes = [size for size in SIZES if size <= MOST_INPUTS]
            self._batch_size = fitting(lambda size: self._forward([image] * size), sizes=sizes)

    def run(self, pixels: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """Run the network (see the Network protocol)."""
        if self._batch_size == 1:
            for image in pixels:
                yield self._forward([image])[0]
            return
        images = list(pixels)
        rows: dict[int, NDArray[np.float32]] = {}
        following = 0
        for positions in _batches([image.shape for image in images], self._batch_size):
            found = self._forward([images[position] for position in positions])
            rows.update(zip(positions, found, strict=True))
            while following in rows:
                yield rows.pop(following)
                following += 1

    @torch.inference_mode()
    def _forward(self, inputs: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        # Bytes go to the device and become floats there: a quarter of the copying.
        batch = self._staging.moved(inputs).permute(0, 3, 1, 2).float().contiguous().div_(255)
        if self._traits.fixed_hw is not None:
            batch = padded(batch, self._traits.batch)
        elif self.beside and len(batch) > 1:
            batch = padded(batch, power_of_two(len(batch)))
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._autocast):
            raw = _first(self.backend.forward(batch))
        found = torch.as_tensor(raw)[: len(inputs)].float()
        if self._sifts and not self._traits.end2end:
            return sifted(found, len(self._traits.labels))
        return list(found.cpu().numpy())


def sifted(rows: torch.Tensor, classes: int) -> list[NDArray[np.float32]]:
    """What can be a detection of each input, ``(4 + classes, some)``; the rest stays behind.

    Args:
        rows: ``(N, 4 + classes, anchors)`` on any device; more rows, like masks', follow along.
        classes: of the network.
    """
    wanted = rows[:, 4 : 4 + classes].amax(dim=1) >= LEAST_SCORE
    counts = wanted.sum(dim=1).tolist()
    columns: NDArray[np.float32] = rows.transpose(1, 2)[wanted].cpu().numpy()
    parts = np.split(columns, np.cumsum(counts)[:-1])
    return [np.ascontiguousarray(part.T) for part in parts]


def _first(raw: Any) -> Any:
    while isinstance(raw, list | tuple):
        raw = raw[0]
    return raw


def _batches(shapes: Sequence[tuple[int, ...]], size: int) -> Iterator[list[int]]:
    """Positions of inputs that have one shape, at most ``size`` together."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for position, shape in enumerate(shapes):
        groups.setdefault(shape, []).append(position)
    for positions in groups.values():
        for start in range(0, len(positions), size):
            yield positions[start : start + size]


def _backend(weights: Path, device: torch.device, threads: int) -> Any:
    from ultralytics.nn.autobackend import AutoBackend  # noqa: PLC0415 - see models/quiet.py
    from ultralytics.nn.backends import ONNXBackend  # noqa: PLC0415

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


def _traits(backend: Any, weights: Path) -> Traits:
    if backend.task not in _TASKS or not backend.names:
        raise UnknownModel(
            f"{weights.name} is no detector: task {backend.task}, {len(backend.names)} classes",
            model=weights.name,
        )
    fixed_hw = _fixed_shape(backend)
    return Traits(
        labels=tuple(str(backend.names[number]) for number in sorted(backend.names)),
        stride=int(backend.stride),
        fixed_hw=fixed_hw,
        batch=int(backend.batch) if fixed_hw is not None else 1,
        end2end=bool(backend.end2end),
        stretched="RTDETR" in type(backend.model).__name__,
    )


def _fixed_shape(backend: Any) -> tuple[int, int] | None:
    """Input ``(height, width)`` of a model exported for one shape only, else None."""
    if isinstance(getattr(backend, "model", None), torch.nn.Module) or backend.dynamic:
        return None
    sizes = getattr(backend, "imgsz", None)
    return (int(sizes[0]), int(sizes[1])) if sizes else None
