"""How the models of a new index are computed: settled once, by measuring on this machine."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.domain.description import DetectorDescription, EmbedderDescription
from embedding_pipeline.errors import ModelError
from embedding_pipeline.models.artifacts import Artifacts
from embedding_pipeline.models.calibration import CALIBRATION_CROPS, quantized
from embedding_pipeline.models.letterbox import usual_shape
from embedding_pipeline.models.machine import this_machine
from embedding_pipeline.models.network import PLAIN, Network, Way
from embedding_pipeline.models.opening import (
    open_detector,
    open_detector_network,
    open_embedder_network,
    openvino_embedder,
)
from embedding_pipeline.models.openvino_model import pack, unpack
from embedding_pipeline.models.openvino_network import OpenVinoNetwork
from embedding_pipeline.models.samples import (
    SAMPLE_PICTURES,
    SampleCrops,
    Samples,
    sample_crops,
    spread,
)
from embedding_pipeline.models.self_check import SelfCheck, self_check
from embedding_pipeline.models.torchvision_embedder import is_torchvision
from embedding_pipeline.models.ways import (
    WORTH,
    PrecisionWish,
    RuntimeWish,
    candidates,
    fastest,
    measured,
)
from embedding_pipeline.models.weights import Weights
from embedding_pipeline.ports.models import Detector
from embedding_pipeline.settings import Settings
from minio_proxy.picture.header import Limits

if TYPE_CHECKING:
    from torch.nn import Module

    from embedding_pipeline.models.detector_network import DetectorNetwork

LARGE_NETWORK_WEIGHTS = 16_000_000
"""From this number of weights on a network is calibrated without being asked for."""

CHECKED_CROPS = 240
"""Crops that a quantized network is checked on."""

_LIKE = {"fp32": 0.9999, "bf16": 0.99}
"""Cosine of what two ways make of one input; less, and one of them is broken."""

_PROBES = 4
_Description = TypeVar("_Description", DetectorDescription, EmbedderDescription)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settled:
    """An embedder that is ready, and what its index must say.

    Args:
        description: with runtime, precision and artifact.
        network: runs as described.
        notice: what people should know, or None.
    """

    description: EmbedderDescription
    network: Network
    notice: str | None = None


def settle_detector(weights: Weights, plain: DetectorDescription, settings: Settings) -> Detector:
    """Choose how a new index's detector is computed, and open it so.

    A wish for int8 means fp32 here (int8 makes detectors no faster), one for bf16 too where the
    runtime has none (``.onnx`` files on ONNX Runtime), and one for ``compiled`` means native: a
    detector would be compiled anew for every shape of picture.

    Args:
        weights: its file.
        plain: description with runtime and precision of PLAIN.
        settings: say what is wished for.
    """
    if is_torchvision(weights.name):
        return open_detector(weights, plain, settings)
    native = open_detector_network(weights, plain, settings)
    plain = replace(plain, square=_is_square(native, settings))
    how: dict[str, bool] = {
        "torch_file": weights.path.suffix == ".pt",
        "any_runtime": native.traits.any_runtime,
    }
    wish: PrecisionWish = "fp32" if settings.precision == "int8" else settings.precision
    if wish == "bf16" and settings.runtime in {"native", "compiled"} and not how["torch_file"]:
        wish = "fp32"
    runtime: RuntimeWish = "native" if settings.runtime == "compiled" else settings.runtime
    ways = candidates(this_machine(), runtime, wish, **how)
    chosen = ways[0]
    if len(ways) > 1:
        networks: dict[Way, Network] = {
            way: native
            if way == PLAIN
            else open_detector_network(weights, described(plain, way), settings)
            for way in ways
        }
        size_hw = usual_shape(plain, native.traits.stride)
        chosen = _fastest(networks, blobs(size_hw), plain.name)
    return open_detector(weights, described(plain, chosen), settings)


def _is_square(native: DetectorNetwork, settings: Settings) -> bool:
    """Whether all pictures get one shape.

    On a GPU that pictures share a call counts for more than what each costs, and every further
    shape has its kernels chosen first.
    """
    if not native.traits.any_runtime:
        return False
    wish = settings.detector_input
    return native.beside if wish == "auto" else wish == "square"


def settle_embedder(
    plain: EmbedderDescription,
    module: Callable[[], Module],
    settings: Settings,
    *,
    detector: Detector,
    artifacts: Artifacts | None = None,
    samples: Samples | None = None,
) -> Settled:
    """Choose how a new index's embedder is computed, and open it so.

    Args:
        plain: description with runtime and precision of PLAIN.
        module: the timm network.
        settings: say what is wished for.
        detector: cuts sample crops for int8.
        artifacts: keeps a quantized network; None rules int8 out.
        samples: pictures to calibrate on; None rules int8 out.

    Raises:
        ModelError: what is wished for cannot be had; says why.
    """
    if settings.precision == "int8" and settings.runtime in {"native", "compiled"}:
        raise ModelError("int8 needs OpenVINO: set BOXSEEK_RUNTIME=openvino or leave it out")
    ways = candidates(this_machine(), settings.runtime, settings.precision)
    if settings.precision == "int8":
        ways = (Way("openvino", "fp32"),)

    def opened(way: Way) -> Network:
        return open_embedder_network(described(plain, way), module, settings, artifacts)

    networks = {way: opened(way) for way in ways}
    probes = blobs((plain.input_size, plain.input_size))
    chosen = ways[0] if len(ways) == 1 else _fastest(networks, probes, plain.name)
    settled = Settled(described(plain, chosen), networks[chosen])
    if not _wants_int8(settings, networks, module):
        return settled
    if artifacts is None or samples is None:
        if settings.precision == "int8":
            raise ModelError(
                "int8 is calibrated on your own pictures, and there are none yet: create the index "
                "by `boxseek ingest`, or leave BOXSEEK_PRECISION out and run "
                "`BOXSEEK_PRECISION=int8 boxseek reindex` later"
            )
        return settled
    limits = Limits(max_bytes=settings.max_bytes, max_pixels=settings.max_pixels)
    crops = sample_crops(
        islice(samples(), SAMPLE_PICTURES), detector, plain, limits, most_crops=CHECKED_CROPS
    )
    return _with_int8(settled, crops, plain, module, settings, artifacts)


def _wants_int8(
    settings: Settings, networks: Mapping[Way, Network], module: Callable[[], Module]
) -> bool:
    """Whether calibrating pays: it takes longer than a small network saves on a first look."""
    if settings.precision == "int8":
        return True
    if settings.precision != "auto" or Way("openvino", "fp32") not in networks:
        return False
    return sum(weight.numel() for weight in module().parameters()) >= LARGE_NETWORK_WEIGHTS


def _with_int8(
    settled: Settled,
    crops: SampleCrops,
    plain: EmbedderDescription,
    module: Callable[[], Module],
    settings: Settings,
    artifacts: Artifacts,
) -> Settled:
    """The quantized network, if it finds what fp32 finds and is faster; else what was settled."""
    wished = settings.precision == "int8"
    if not len(crops):
        if wished:
            raise ModelError("int8 is calibrated on your own pictures, and none could be read")
        return settled
    model = openvino_embedder(plain, module, settings)
    packed = pack(quantized(model, np.stack(spread(list(crops.crops), CALIBRATION_CROPS))))
    network = OpenVinoNetwork(unpack(packed), "int8", threads=settings.threads)
    exact = OpenVinoNetwork(model, "fp32", threads=settings.threads)
    check = self_check(
        np.stack(list(exact.run(crops.crops))),
        np.stack(list(network.run(crops.crops))),
        crops.labels,
        crops.pictures,
    )
    way = Way("openvino", "int8")
    _log.info("%s in int8, on %d crops of samples: %s", plain.name, len(crops), check)
    if not wished and not (check.passed and _is_faster(network, settled, crops)):
        return settled
    how = replace(described(plain, way), artifact=artifacts.save(packed))
    return Settled(how, network, None if check.passed else _warning(plain, check))


def _is_faster(network: Network, settled: Settled, crops: SampleCrops) -> bool:
    now = Way(settled.description.runtime, "fp32")
    rates = measured(
        {now: settled.network, Way("openvino", "int8"): network}, list(crops.crops[:8])
    )
    return rates[Way("openvino", "int8")] >= WORTH * rates[now]


def _warning(plain: EmbedderDescription, check: SelfCheck) -> str:
    return (
        f"{plain.name} runs in int8 because BOXSEEK_PRECISION says so, but on samples of your "
        f"pictures that is not shown to find what fp32 finds ({check}); "
        "`BOXSEEK_PRECISION=fp32 boxseek reindex` makes the index anew."
    )


def _fastest(
    networks: Mapping[Way, Network], probes: Sequence[NDArray[np.uint8]], name: str
) -> Way:
    """The fastest of those that compute the same; the first is what the others must agree with."""
    ways = iter(networks)
    sound = [next(ways)]
    expected = next(networks[sound[0]].run(probes[:1]))
    for way in ways:
        found = next(networks[way].run(probes[:1]))
        if _alike(expected, found) >= _LIKE[way.precision]:
            sound.append(way)
        else:
            _log.warning("%s computes something else on %s, so it is left out", name, way)
    rates = measured({way: networks[way] for way in sound}, probes)
    told = ", ".join(f"{way} {rate:.1f}/s" for way, rate in rates.items())
    _log.info("%s was measured: %s", name, told)
    return fastest(rates)


def _alike(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Cosine of two arrays; -1 for other shapes or what is no number."""
    if a.shape != b.shape or not np.isfinite(b).all():
        return -1.0
    first, second = a.ravel().astype(np.float64), b.ravel().astype(np.float64)
    lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / lengths if lengths else 1.0


def blobs(size_hw: tuple[int, int]) -> list[NDArray[np.uint8]]:
    """Colour blobs, always the same: inputs to measure with."""
    rng = np.random.default_rng(0)
    return [
        cv2.resize(rng.integers(0, 256, (12, 12, 3), np.uint8), (size_hw[1], size_hw[0]))
        for _ in range(_PROBES)
    ]


def described(plain: _Description, way: Way) -> _Description:
    """The description of a model that is computed in this way."""
    return replace(plain, runtime=way.runtime, precision=way.precision)
