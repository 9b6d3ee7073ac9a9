"""Every runtime and precision: the same objects and vectors, row by row, on every machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from embedding_pipeline.domain.description import EmbedderDescription
from embedding_pipeline.errors import ModelError, WeightsChanged, WeightsNotFound
from embedding_pipeline.models.artifacts import Artifacts
from embedding_pipeline.models.calibration import quantized
from embedding_pipeline.models.downloads import sha256_of
from embedding_pipeline.models.embedder import TimmEmbedder
from embedding_pipeline.models.network import Way
from embedding_pipeline.models.opening import (
    open_detector_network,
    open_embedder_network,
    openvino_embedder,
)
from embedding_pipeline.models.openvino_model import kept, pack, unpack
from embedding_pipeline.models.openvino_network import OpenVinoNetwork
from embedding_pipeline.models.peak import flops_of
from embedding_pipeline.models.quiet import import_ultralytics
from embedding_pipeline.models.resolve import load_models, module_of, resolve_models
from embedding_pipeline.models.settling import blobs, described
from embedding_pipeline.models.weights import Weights
from embedding_pipeline.settings import Settings
from minio_proxy.bootstrap import build_store
from support.models_fakes import fake_description

pytestmark = pytest.mark.models

TINY = "random:test_vit"
"""A transformer of 160 pixels that calibrates in a second."""

WAYS = [
    Way("native", "fp32"),
    Way("native", "bf16"),
    Way("openvino", "fp32"),
    Way("openvino", "bf16"),
    Way("openvino", "int8"),
    Way("compiled", "fp32"),
]


def _settings(folder: Path, **values: object) -> Settings:
    fields: dict[str, object] = {"models": "packaged", "data_dir": folder, "embedder": TINY}
    return Settings(**fields | values)  # type: ignore[arg-type]


@pytest.fixture
def artifacts(tmp_path: Path) -> Iterator[Artifacts]:
    """A store's artifacts."""
    store = build_store(_settings(tmp_path / "store"))
    yield Artifacts(store)
    store.close()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[EmbedderDescription, Settings]:
    """The tiny embedder's plain description, and a data folder that its networks are kept in."""
    settings = _settings(
        tmp_path_factory.mktemp("tiny"), runtime="native", precision="fp32", threads=2
    )
    return resolve_models(settings).description.embedder, settings


def _pictures(count: int = 12) -> list[bytes]:
    """JPEG files: Ultralytics' two photographs in several cuts."""
    spec = find_spec("ultralytics")
    assets = Path(str(spec and spec.origin)).parent / "assets"
    files = []
    for number in range(count):
        bgr = cv2.imread(str(assets / ("bus.jpg" if number % 2 else "zidane.jpg")))
        height, width = bgr.shape[:2]
        part = bgr[height * number // (4 * count) :, : width - width * number // (4 * count)]
        files.append(bytes(cv2.imencode(".jpg", part)[1]))
    return files


def _crops(size: int, count: int = 9) -> np.ndarray:
    return np.random.default_rng(4).integers(0, 255, (count, size, size, 3), np.uint8)


def _embedder(how: EmbedderDescription, way: Way, settings: Settings) -> TimmEmbedder:
    module = module_of(how, settings)
    if way.precision == "int8":
        model = openvino_embedder(how, module, settings)
        crops = np.stack(blobs((how.input_size, how.input_size)))
        return TimmEmbedder(OpenVinoNetwork(quantized(model, crops), "int8", threads=2), how)
    return TimmEmbedder(open_embedder_network(described(how, way), module, settings, None), how)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_row_depends_on_its_crop_alone(
    way: Way, tiny: tuple[EmbedderDescription, Settings]
) -> None:
    """Alone, among others, in another order, from a picture that lies scattered in memory."""
    how, settings = tiny
    embedder = _embedder(how, way, settings)
    crops = _crops(how.input_size)
    together = embedder.embed(crops)
    assert together.shape == (len(crops), how.dimension)
    assert together.dtype == np.float32
    assert embedder.embed(crops[:0]).shape == (0, how.dimension)
    alone = np.concatenate([embedder.embed(crops[row : row + 1]) for row in range(len(crops))])
    backwards = embedder.embed(crops[::-1])[::-1]
    scattered = embedder.embed(np.asfortranarray(crops))
    for other in (alone, backwards, scattered):
        if way.runtime == "openvino":
            assert (other == together).all()
        else:
            assert _cosines(other, together).min() >= 0.99999


@pytest.mark.parametrize("way", WAYS[1:], ids=str)
def test_every_way_gives_about_the_same_vectors(
    way: Way, tiny: tuple[EmbedderDescription, Settings]
) -> None:
    """Cosine to PyTorch fp32: 0.99999 in fp32, 0.99 in bf16, 0.9 in int8."""
    how, settings = tiny
    crops = _crops(how.input_size)
    expected = _embedder(how, WAYS[0], settings).embed(crops)
    found = _embedder(how, way, settings).embed(crops)
    least = {"fp32": 0.99999, "bf16": 0.99, "int8": 0.9}[way.precision]
    assert _cosines(found, expected).min() >= least


def _cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))


def test_a_caller_that_gives_up_breaks_nothing(
    tiny: tuple[EmbedderDescription, Settings],
) -> None:
    """After a run that was left in the middle the next one gives the right rows."""
    how, settings = tiny
    embedder = _embedder(how, Way("openvino", "fp32"), settings)
    crops = _crops(how.input_size)
    expected = embedder.embed(crops)
    running = embedder.network.run(crops)
    assert (next(running) == expected[0]).all()
    running.close()  # type: ignore[attr-defined]
    assert (embedder.embed(crops) == expected).all()


def test_int8_is_calibrated_kept_and_the_same_elsewhere(
    tmp_path: Path, artifacts: Artifacts
) -> None:
    """The artifact alone gives the same vectors, bit for bit, on a machine without the cache."""
    settings = _settings(tmp_path / "here", precision="int8", detector_input_size=320)
    # One picture is enough to calibrate and too little to show anything, and that is told.
    made = resolve_models(settings, artifacts=artifacts, samples=lambda: _pictures(1))
    how = made.description.embedder
    assert (how.runtime, how.precision) == ("openvino", "int8")
    assert made.description.detector.precision == "fp32"
    crops = _crops(how.input_size)
    there = load_models(
        made.description, _settings(tmp_path / "there", embedder=""), artifacts=artifacts
    )
    assert there.description == made.description
    assert (there.embedder.embed(crops) == made.embedder.embed(crops)).all()
    assert "not shown to find what fp32 finds" in str(made.notice)
    gone = replace(made.description, embedder=replace(how, artifact="0" * 64))
    with pytest.raises(WeightsNotFound, match="artifact"):
        load_models(gone, settings, artifacts=artifacts)


def test_auto_does_not_calibrate_small_networks(tmp_path: Path, artifacts: Artifacts) -> None:
    """A first look would wait longer than it gains; the samples are not even asked for."""

    def never() -> list[bytes]:
        raise AssertionError("asked for samples")

    made = resolve_models(_settings(tmp_path), artifacts=artifacts, samples=never)
    assert made.description.embedder.precision in {"fp32", "bf16"}
    assert made.description.embedder.artifact == ""


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param({"precision": "int8"}, "boxseek ingest", id="nothing-to-calibrate-on"),
        pytest.param({"precision": "int8", "runtime": "native"}, "OpenVINO", id="int8-native"),
        pytest.param({"precision": "int8", "runtime": "compiled"}, "OpenVINO", id="int8-compiled"),
    ],
)
def test_int8_that_cannot_be_had_is_refused(
    tmp_path: Path, values: dict[str, object], message: str
) -> None:
    """No other precision is taken silently."""
    with pytest.raises(ModelError, match=message):
        resolve_models(_settings(tmp_path, **values))


@pytest.mark.parametrize("runtime", ["native", "openvino"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_settings_say_is_done(tmp_path: Path, runtime: str, precision: str) -> None:
    """Both descriptions say it, but for a detector whose runtime has no bfloat16."""
    made = resolve_models(_settings(tmp_path, runtime=runtime, precision=precision)).description
    assert made.embedder.runtime == made.detector.runtime == runtime
    assert made.embedder.precision == precision
    expected = "fp32" if (runtime, precision) == ("native", "bf16") else precision
    assert made.detector.precision == expected


def test_packed_networks_are_equal_and_checked(
    tiny: tuple[EmbedderDescription, Settings],
) -> None:
    """The same network packs to the same bytes, so to one artifact; nonsense is refused."""
    how, settings = tiny
    model = openvino_embedder(how, module_of(how, settings), settings)
    packed = pack(model)
    assert pack(unpack(packed)) == packed
    for nonsense in (b"", b"no zip", packed[: len(packed) // 2]):
        with pytest.raises(WeightsChanged):
            unpack(nonsense)


def test_a_converted_network_is_made_once(tiny: tuple[EmbedderDescription, Settings]) -> None:
    """A second start reads it from the data folder."""
    how, settings = tiny
    model = openvino_embedder(how, module_of(how, settings), settings)
    calls = []

    def make() -> object:
        calls.append(1)
        return model

    for _ in range(2):
        kept(settings, "a key of this test", make)
    assert calls == [1]
    assert not list((settings.data_dir / "cache" / "networks").glob(".new-*"))


@torch.inference_mode()
def test_operations_are_counted_as_torch_counts_them(
    tiny: tuple[EmbedderDescription, Settings],
) -> None:
    """Convolutions, linear layers and attention: within 2 %."""
    how, settings = tiny
    module = module_of(how, settings)()
    with FlopCounterMode(display=False) as counter:
        module(torch.zeros(1, 3, how.input_size, how.input_size))
    model = openvino_embedder(how, module_of(how, settings), settings)
    assert flops_of(model) == pytest.approx(counter.get_total_flops(), rel=0.02)


def test_a_torch_detector_computes_the_same_on_openvino(tmp_path: Path) -> None:
    """A .pt file with random weights: the same rows for inputs of several shapes."""
    ultralytics = import_ultralytics(tmp_path)
    torch.manual_seed(3)
    path = tmp_path / "own.pt"
    ultralytics.YOLO("yolo11n.yaml").save(path)
    weights = Weights("own", path, sha256_of(path), "local")
    how = replace(fake_description().detector, name="own", sha256=weights.sha256)
    settings = _settings(tmp_path / "data")
    native, openvino = (
        open_detector_network(weights, described(how, Way(runtime, "fp32")), settings)
        for runtime in ("native", "openvino")
    )
    assert native.traits == openvino.traits
    rng = np.random.default_rng(3)
    inputs = [
        rng.integers(0, 255, (*shape, 3), np.uint8)
        for shape in ((96, 160), (160, 64), (96, 160), (320, 320))
    ]
    for expected, found in zip(native.run(inputs), openvino.run(inputs), strict=True):
        assert found.shape == expected.shape
        assert found == pytest.approx(expected, abs=0.01)
