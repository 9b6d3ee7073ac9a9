"""Networks as OpenVINO models that take pixels: made, kept beside the data, packed."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from embedding_pipeline.errors import WeightsChanged
from embedding_pipeline.models.quiet import import_openvino
from embedding_pipeline.settings import Settings

_XML, _BIN = "network.xml", "network.bin"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Zip's earliest time: equal networks give equal bytes."""


def from_torch(module: Any, example_hw: tuple[int, int]) -> Any:
    """Convert a network; batch, height and width stay open as far as it allows.

    Args:
        module: ``(N, 3, H, W)`` float to one array.
        example_hw: a size that it takes.
    """
    import torch  # noqa: PLC0415 - takes seconds; a model that is kept is read without it

    openvino = import_openvino()
    with warnings.catch_warnings():
        # It traces, which PyTorch announces to give up; what is traced is checked by tests.
        warnings.simplefilter("ignore")
        with torch.inference_mode():
            return openvino.convert_model(module, example_input=torch.zeros(1, 3, *example_hw))


def from_onnx(path: Path) -> Any:
    """Read an ``.onnx`` file."""
    return import_openvino().Core().read_model(path)


def taking_pixels(
    model: Any, mean: Sequence[float], std: Sequence[float], size_hw: tuple[int, int] | None
) -> Any:
    """Put the change from pixels to a network's input in front of it.

    Args:
        model: takes ``(N, 3, H, W)`` float, ``(RGB / 255 - mean) / std``.
        mean: per channel, of RGB in [0, 1].
        std: per channel, of RGB in [0, 1].
        size_hw: the only size it takes; None leaves it open.

    Returns:
        A model that takes ``(1, H, W, 3)`` uint8 RGB.
    """
    openvino = import_openvino()
    from openvino.preprocess import PrePostProcessor  # noqa: PLC0415 - after import_openvino

    model.reshape([1, 3, *(size_hw or (-1, -1))])
    steps = PrePostProcessor(model)
    layout = openvino.Layout
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(layout("NHWC"))
    steps.input().model().set_layout(layout("NCHW"))
    normalize = steps.input().preprocess().convert_element_type(openvino.Type.f32)
    if any(mean):
        normalize.mean([value * 255.0 for value in mean])
    normalize.scale([value * 255.0 for value in std])
    return steps.build()


def weight_bytes(model: Any) -> int:
    """Bytes of a model's weights."""
    return sum(
        int(np.prod(node.get_output_shape(0))) * int(node.get_output_element_type(0).size)
        for node in model.get_ops()
        if node.get_type_name() == "Constant"
    )


def kept(settings: Settings, key: str, make: Callable[[], Any]) -> Any:
    """The model of this key from the data folder's cache, made and put there if it is new.

    Args:
        settings: name the data folder.
        key: everything that decides the model; OpenVINO's version is added.
        make: makes it.
    """
    openvino = import_openvino()
    full = hashlib.sha256(f"{key}|{openvino.get_version()}".encode()).hexdigest()
    folder = settings.data_dir / "cache" / "networks" / full[:32]
    if not (folder / _XML).is_file():
        _keep(make(), folder)
    return openvino.Core().read_model(folder / _XML)


def pack(model: Any) -> bytes:
    """A model as one file, for the store of artifacts; equal models give equal bytes."""
    with tempfile.TemporaryDirectory() as folder:
        _write(model, Path(folder))
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name in (_XML, _BIN):
                entry = zipfile.ZipInfo(name, _EPOCH)
                archive.writestr(entry, (Path(folder) / name).read_bytes())
    return packed.getvalue()


def unpack(data: bytes) -> Any:
    """The model that pack wrote.

    Raises:
        WeightsChanged: these bytes are no packed model.
    """
    openvino = import_openvino()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            xml, weights = archive.read(_XML), archive.read(_BIN)
        blob = openvino.Tensor(np.frombuffer(weights, np.uint8))
        return openvino.Core().read_model(model=xml, weights=blob)
    except (zipfile.BadZipFile, KeyError, RuntimeError) as exc:
        raise WeightsChanged(f"an artifact of the index is no packed network: {exc}") from exc


def _write(model: Any, folder: Path) -> None:
    import_openvino().serialize(model, folder / _XML, folder / _BIN)


def _keep(model: Any, folder: Path) -> None:
    """Write to a folder beside and move it there, so that a kill leaves nothing half."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    try:
        _write(model, beside)
        for name in (_BIN, _XML):
            with (beside / name).open("rb") as file:
                os.fsync(file.fileno())
        beside.replace(folder)
    except OSError:
        if not (folder / _XML).is_file():  # else another process was faster
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
