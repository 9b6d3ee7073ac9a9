"""The frozen description of the models that made an index; it travels with the index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Literal, TypeAlias

CropRule: TypeAlias = Literal["letterbox", "squash", "center"]
"""letterbox: whole box, padded to a square; squash: stretched; center: resize, cut the middle."""

Metric: TypeAlias = Literal["cosine", "l2"]
Origin: TypeAlias = Literal["local", "hub", "packaged", "random"]
Runtime: TypeAlias = Literal["native", "compiled", "openvino"]
"""native: what the file is made for, PyTorch or, for ``.onnx``, ONNX Runtime; compiled: by
``torch.compile``."""


@dataclass(frozen=True, slots=True)
class DetectorDescription:
    """A detector and how it is run.

    Args:
        name: model name or file name, e.g. ``yolo11n``.
        sha256: of the weights' file, hex.
        origin: where the weights came from.
        precision: arithmetic of the run, e.g. ``fp32``.
        input_size: pixels of the longer side of its input.
        score_floor: detections below are not kept.
        nms_iou: boxes of one class that overlap more are one object.
        max_objects: kept per picture; more are recorded as truncated.
        runtime: what computes.
        artifact: SHA-256 of the quantized network among the artifacts (``int8`` only), or "".
        further_sizes: longer sides of further runs on the same picture, whose boxes are joined.
        flip: every run is repeated on the mirrored picture.
        join_iou: boxes of one class from different runs that overlap more are one object; 0
            for a single run.
        class_agnostic_iou: boxes of any classes that overlap more are one object; 0 switches
            it off.
        min_side: boxes with a shorter side, in pixels of the picture, are not kept.
        decode_long_side: a JPEG is decoded at 1/2, 1/4 or 1/8 as long as its longer side keeps
            this many pixels, and large pictures are halved as long as what a network is given
            stays large enough (pipeline/levels.py); 0: pictures are taken as they are. Boxes
            are in pixels of the full picture either way.
        tiles: most tiles of a large picture that are looked at beside the whole
            (models/tiling.py); 0: none.
        square: pictures of every shape are padded to one square input instead of the smallest
            rectangle.
    """

    name: str
    sha256: str
    origin: Origin
    precision: str
    input_size: int
    score_floor: float
    nms_iou: float
    max_objects: int
    runtime: Runtime = "native"
    artifact: str = ""
    further_sizes: tuple[int, ...] = ()
    flip: bool = False
    join_iou: float = 0.0
    class_agnostic_iou: float = 0.0
    min_side: float = 0.0
    decode_long_side: int = 0
    tiles: int = 0
    square: bool = False


@dataclass(frozen=True, slots=True)
class EmbedderDescription:
    """An embedder and how crops reach it.

    Args:
        name: timm name, e.g. ``vit_base_patch16_224``.
        sha256: of the weights' file, hex; of the seed's text for random weights.
        origin: where the weights came from; ``random`` finds nothing and is for tests only.
        precision: arithmetic of the run, e.g. ``fp32``.
        dimension: length of a vector.
        metric: how vectors are compared.
        normalized: vectors have unit length.
        input_size: pixels of the square input.
        mean: per channel, of RGB in [0, 1].
        std: per channel, of RGB in [0, 1].
        interpolation: ``bilinear`` or ``bicubic``.
        crop_rule: how a box becomes a square.
        margin: share of the box's sides added around it.
        runtime: what computes.
        artifact: SHA-256 of the quantized network among the artifacts (``int8`` only), or "".
        flip: the mean of the crop's vector and its mirror image's.
        pooling: how positions become one vector; "" for the network's own way.
        projection: SHA-256 of the matrix that shortens vectors to ``dimension``, among the
            artifacts, or "".
    """

    name: str
    sha256: str
    origin: Origin
    precision: str
    dimension: int
    metric: Metric
    normalized: bool
    input_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str
    crop_rule: CropRule
    margin: float
    runtime: Runtime = "native"
    artifact: str = ""
    flip: bool = False
    pooling: str = ""
    projection: str = ""


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """Everything that decides which entries and vectors a picture gets."""

    detector: DetectorDescription
    embedder: EmbedderDescription

    def to_json(self) -> dict[str, Any]:
        """Plain JSON object for storage beside the index."""
        return {"detector": asdict(self.detector), "embedder": asdict(self.embedder)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ModelDescription:
        """Read what to_json wrote, also before a field with a default was added.

        Another missing field, or an unknown one, raises ValueError naming it.
        """
        return cls(
            detector=DetectorDescription(**_checked(DetectorDescription, value["detector"])),
            embedder=EmbedderDescription(**_checked(EmbedderDescription, value["embedder"])),
        )

    def differences(self, other: ModelDescription) -> dict[str, tuple[Any, Any]]:
        """Fields in which two descriptions differ, as ``{"embedder.name": (mine, theirs)}``.

        Where weights came from is no difference: the same file gives the same vectors.
        """
        mine, theirs = self.to_json(), other.to_json()
        return {
            f"{part}.{name}": (value, theirs[part][name])
            for part, values in mine.items()
            for name, value in values.items()
            if name != "origin" and value != theirs[part][name]
        }

    def summary(self) -> str:
        """One line for people: ``yolo11n@640 fp32 + tf_efficientnet_lite0 1280-d fp32``."""
        d, e = self.detector, self.embedder
        sizes = "+".join(map(str, (d.input_size, *d.further_sizes)))
        return f"{d.name}@{sizes} {d.precision} + {e.name} {e.dimension}-d {e.precision}"


def _checked(kind: type[Any], value: Mapping[str, Any]) -> dict[str, Any]:
    known = {field.name: field.default for field in fields(kind)}
    missing = {name for name, default in known.items() if default is MISSING} - set(value)
    odd = sorted(missing | (set(value) - set(known)))
    if odd:
        raise ValueError(f"{kind.__name__}: missing or unknown fields {odd}")
    return {name: tuple(v) if isinstance(v, list) else v for name, v in value.items()}
