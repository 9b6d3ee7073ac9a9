"""How fast this machine runs the models of a description, in every way that it can."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.description import EmbedderDescription, ModelDescription
from embedding_pipeline.errors import ModelError
from embedding_pipeline.models.artifacts import Artifacts
from embedding_pipeline.models.calibration import quantized
from embedding_pipeline.models.choose import Chooser
from embedding_pipeline.models.exact import exact_detector
from embedding_pipeline.models.letterbox import usual_shape
from embedding_pipeline.models.machine import Machine, this_machine
from embedding_pipeline.models.network import PLAIN, Network, Way
from embedding_pipeline.models.opening import (
    open_detector,
    open_detector_network,
    open_embedder_network,
    openvino_embedder,
)
from embedding_pipeline.models.openvino_network import OpenVinoNetwork
from embedding_pipeline.models.peak import flops_of
from embedding_pipeline.models.resolve import module_of
from embedding_pipeline.models.settling import blobs, described
from embedding_pipeline.models.torchvision_embedder import is_torchvision
from embedding_pipeline.models.ways import measured
from embedding_pipeline.models.weights import WeightsFolder
from embedding_pipeline.ports.models import Detector
from embedding_pipeline.settings import Settings

BF16 = (Way("native", "bf16"), Way("openvino", "bf16"))
INT8 = Way("openvino", "int8")
ORDER = (PLAIN, BF16[0], Way("openvino", "fp32"), BF16[1], INT8)


@dataclass(frozen=True, slots=True)
class Speed:
    """One way of one model on this machine.

    Args:
        role: detector or embedder.
        way: runtime and precision.
        rate: pictures or crops a second; None where it was not measured.
        flops: floating point operations of one picture or crop; None where unknown.
        reason: why it was not measured, or "".
    """

    role: Literal["detector", "embedder"]
    way: Way
    rate: float | None
    flops: float | None = None
    reason: str = ""


def speeds(
    description: ModelDescription, settings: Settings, artifacts: Artifacts | None = None
) -> Iterator[Speed]:
    """Measure the detector on 4:3 pictures, then the embedder; PLAIN first, as in ORDER.

    A network that the index has quantized is measured as it is, else one that is quantized on
    noise: that finds nothing, but is as fast.

    Raises:
        ModelError: the detector's weights cannot be had.
    """
    machine = this_machine()
    yield from _detector(description, settings, machine)
    yield from _embedder(description.embedder, settings, artifacts, machine)


def _detector(
    description: ModelDescription, settings: Settings, machine: Machine
) -> Iterator[Speed]:
    how = replace(description.detector, artifact="")
    weights = exact_detector(how, Chooser(settings, WeightsFolder.of(settings)))
    if is_torchvision(weights.name):
        whole = _Whole(open_detector(weights, described(how, PLAIN), settings))
        rates = measured({PLAIN: whole}, blobs((480, 640)))
        yield from _told(
            "detector", rates, dict.fromkeys(ORDER, "torchvision's run natively"), None
        )
        return
    plain = open_detector_network(weights, described(how, PLAIN), settings)
    networks: dict[Way, Network] = {PLAIN: plain}
    reasons = {INT8: "makes detectors no faster"} | _without_bf16(machine)
    if weights.path.suffix != ".pt":
        reasons[BF16[0]] = "ONNX Runtime has none"
    for way in ORDER[1:]:
        if way not in reasons:
            try:
                networks[way] = open_detector_network(weights, described(how, way), settings)
            except ModelError as exc:
                reasons[way] = exc.message
    size_hw = usual_shape(how, plain.traits.stride)
    rates = measured(networks, blobs(size_hw))
    yield from _told("detector", rates, reasons, None)


class _Whole:
    """A detector as a network, with all that it does before and after.

    Args:
        detector: finds objects.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def run(self, pixels: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """Detect in each picture; gives how many objects it has."""
        for image in pixels:
            [(detections, _)] = self._detector.detect([image])
            yield np.array([len(detections)], np.float32)


def _embedder(
    how: EmbedderDescription, settings: Settings, artifacts: Artifacts | None, machine: Machine
) -> Iterator[Speed]:
    plain = replace(how, artifact="")
    reasons = _without_bf16(machine)
    networks: dict[Way, Network] = {}
    flops = None
    module = module_of(plain, settings)
    try:
        model: Any = openvino_embedder(plain, module, settings)
        flops = flops_of(model)
        for way in ORDER[:-1]:
            if way not in reasons:
                networks[way] = open_embedder_network(
                    described(plain, way), module, settings, artifacts
                )
    except ModelError as exc:  # an index of a quantized network lives without its weights
        model = None
        reasons |= {way: exc.message for way in ORDER[:-1] if way not in networks}
    if how.artifact:
        networks[INT8] = open_embedder_network(how, module, settings, artifacts)
    elif model is not None:
        crops = np.stack(blobs((how.input_size, how.input_size)))
        networks[INT8] = OpenVinoNetwork(quantized(model, crops), "int8", threads=settings.threads)
    else:
        reasons[INT8] = "its weights are not here"
    rates = measured(networks, blobs((how.input_size, how.input_size)))
    yield from _told("embedder", rates, reasons, flops)


def _without_bf16(machine: Machine) -> dict[Way, str]:
    """Ways that this machine only emulates."""
    native = machine.gpu_bf16 if machine.gpu else machine.cpu_bf16
    here = {BF16[0]: native, BF16[1]: machine.cpu_bf16}
    return {way: "this machine has no bfloat16" for way, has in here.items() if not has}


def _told(
    role: Literal["detector", "embedder"],
    rates: Mapping[Way, float],
    reasons: Mapping[Way, str],
    flops: float | None,
) -> Iterator[Speed]:
    for way in ORDER:
        yield Speed(role, way, rates.get(way), flops, "" if way in rates else reasons[way])
