from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.errors import (
    ModelError,
    UnknownModel,
    UntrustedWeights,
    WeightsChanged,
    WeightsNotFound,
)
from embedding_pipeline.models.quiet import import_ultralytics
from embedding_pipeline.models.resolve import load_models, resolve_models
from embedding_pipeline.models.trusted import PACKAGED_DETECTOR, PACKAGED_EMBEDDER
from embedding_pipeline.settings import Settings
from support.models_hub import Hub, hub

pytestmark = pytest.mark.models

TINY = "/timm/test_vit.r160_in1k/resolve/main/model.safetensors"
VIT = "/timm/vit_base_patch16_224.augreg2_in21k_ft_in1k/resolve/main/model.safetensors"
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def tiny_embedder(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small timm network with seeded random weights as safetensors."""
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("tiny") / "model.safetensors"
    save_file(timm.create_model("test_vit").state_dict(), path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def random_detector(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A yolo11n.pt with random weights, as Ultralytics saves it."""
    folder = tmp_path_factory.mktemp("detector")
    ultralytics = import_ultralytics(folder)
    torch.manual_seed(1)
    path = folder / "yolo11n.pt"
    ultralytics.YOLO("yolo11n.yaml").save(path)
    return path.read_bytes()


@pytest.fixture
def filled_hub(tiny_embedder: bytes, random_detector: bytes) -> Iterator[Hub]:
    """A hub with both files."""
    with hub() as state:
        state.files = {TINY: tiny_embedder, "/release/yolo11n.pt": random_detector}
        yield state


def _settings(state: Hub | None, **values: object) -> Settings:
    """Nothing is measured unless a test says so; what computes is tested elsewhere."""
    base = state.url if state else NOWHERE
    fields: dict[str, object] = {
        "hub_endpoint": base,
        "detector_release_url": f"{base}/release",
        "runtime": "native",
        "precision": "fp32",
    }
    return Settings(**fields | values)  # type: ignore[arg-type]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_without_a_hub_both_models_are_packaged_and_it_is_said() -> None:
    """Auto asks, is refused, takes both packages, measures, and names the reason."""
    loaded = resolve_models(_settings(None, runtime="auto", precision="auto"))
    assert load_models(loaded.description, _settings(None)).description == loaded.description
    assert loaded.description.detector.sha256 == PACKAGED_DETECTOR
    assert loaded.description.embedder.sha256 == PACKAGED_EMBEDDER
    assert loaded.description.detector.origin == loaded.description.embedder.origin == "packaged"
    assert loaded.description.embedder.dimension == 1280
    assert "127.0.0.1:9" in str(loaded.notice)
    assert "vit_base_patch16_224" in str(loaded.notice)


def test_half_a_hub_is_none(filled_hub: Hub) -> None:
    """The default detector could be had, the default embedder not: both are packaged."""
    settings = _settings(filled_hub)
    loaded = resolve_models(settings)
    assert loaded.description.detector.origin == loaded.description.embedder.origin == "packaged"
    assert VIT in filled_hub.requests
    assert not (settings.data_dir / "models" / "yolo11n.pt").exists()


def test_a_default_that_breaks_off_falls_back_to_packages_for_both(filled_hub: Hub) -> None:
    """Auto never ends with one model of the hub and one of a package."""
    filled_hub.files[VIT] = b"x" * 1000
    filled_hub.cut_off = True
    loaded = resolve_models(_settings(filled_hub))
    assert loaded.description.detector.origin == loaded.description.embedder.origin == "packaged"
    assert loaded.notice is not None


def test_hub_without_a_hub_is_an_error() -> None:
    """With BOXSEEK_MODELS=hub nothing is packaged silently."""
    with pytest.raises(WeightsNotFound):
        resolve_models(_settings(None, models="hub"))


def test_packaged_asks_nobody(filled_hub: Hub) -> None:
    """With BOXSEEK_MODELS=packaged no address is opened, and there is nothing to notice."""
    loaded = resolve_models(_settings(filled_hub, models="packaged"))
    assert loaded.notice is None
    assert filled_hub.requests == []


def test_models_come_from_the_hub_once(filled_hub: Hub, random_detector: bytes) -> None:
    """Both are downloaded and run; the second start and the index's start ask nobody."""
    sha256 = _sha256(random_detector)
    settings = _settings(filled_hub, embedder="test_vit", models="hub", trusted_sha256=sha256)
    loaded = resolve_models(settings)
    assert loaded.description.detector.name == "yolo11n"
    assert loaded.description.detector.sha256 == sha256
    assert loaded.description.embedder.name == "test_vit.r160_in1k"
    assert loaded.description.embedder.origin == loaded.description.detector.origin == "hub"
    assert loaded.detector.detect([np.zeros((64, 64, 3), np.uint8)])
    crops = np.zeros((1, 160, 160, 3), np.uint8)
    vector = loaded.embedder.embed(crops)
    assert vector.shape == (1, loaded.description.embedder.dimension)
    filled_hub.requests.clear()
    offline = settings.model_copy(
        update={"hub_endpoint": NOWHERE, "detector_release_url": NOWHERE, "models": "auto"}
    )
    again = resolve_models(offline)
    assert again.description.differences(loaded.description) == {}
    exact = load_models(loaded.description, offline)
    assert (exact.embedder.embed(crops) == vector).all()
    assert filled_hub.requests == []


def test_an_unlisted_pickle_from_the_release_is_refused(filled_hub: Hub) -> None:
    """A .pt that nobody vouches for is not loaded, with what to do about it."""
    with pytest.raises(UntrustedWeights, match="BOXSEEK_TRUSTED_SHA256"):
        resolve_models(_settings(filled_hub, detector="yolo11n", embedder="test_vit"))


def test_a_changed_file_is_refused(filled_hub: Hub) -> None:
    """A safetensors file that differs from its record stops the start."""
    settings = _settings(filled_hub, embedder="test_vit", models="hub", detector=_onnx())
    resolve_models(settings)
    path = settings.data_dir / "models" / "test_vit.r160_in1k.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(WeightsChanged):
        resolve_models(settings)
    path.unlink()
    filled_hub.files[TINY] = b"another file"
    with pytest.raises(WeightsChanged):
        resolve_models(settings)
    assert not path.exists()


def test_an_index_gets_its_own_file_or_says_what_is_missing(filled_hub: Hub) -> None:
    """load_models takes the described SHA-256 only: from the hub, or not at all."""
    settings = _settings(filled_hub, embedder="test_vit", models="hub", detector=_onnx())
    description = resolve_models(settings).description
    other = settings.model_copy(update={"data_dir": settings.data_dir / "other", "embedder": ""})
    assert load_models(description, other).description == description
    wanted = replace(description, embedder=replace(description.embedder, sha256="0" * 64))
    with pytest.raises(WeightsNotFound, match="0000") as caught:
        load_models(wanted, other)
    assert caught.value.details["model"] == "test_vit.r160_in1k"
    offline = other.model_copy(update={"models": "packaged", "data_dir": other.data_dir / "x"})
    with pytest.raises(WeightsNotFound, match="no hub was asked"):
        load_models(description, offline)


def test_a_described_file_is_found_under_any_name(filled_hub: Hub, tiny_embedder: bytes) -> None:
    """What counts is the SHA-256, not what the file is called."""
    settings = _settings(filled_hub, embedder="test_vit", models="hub", detector=_onnx())
    description = resolve_models(settings).description
    offline = _settings(None, data_dir=settings.data_dir / "other")
    folder = offline.data_dir / "models"
    folder.mkdir(parents=True)
    (folder / "renamed.safetensors").write_bytes(tiny_embedder)
    assert load_models(description, offline).description == description


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"detector": "yolo99z"}, id="detector"),
        pytest.param({"embedder": "no_such_net"}, id="embedder"),
        pytest.param({"embedder": "vit_base_patch16_224.no_such_tag"}, id="tag"),
        pytest.param({"embedder": "random:no_such_net"}, id="random"),
        pytest.param({"embedder": "folder/model.bin"}, id="kind-of-file"),
    ],
)
def test_names_that_nobody_knows(values: dict[str, str]) -> None:
    """An unknown name is said to be unknown, not unreachable."""
    with pytest.raises(UnknownModel):
        resolve_models(_settings(None, **values))


def test_a_path_that_is_not_there_is_said() -> None:
    """A missing file is no unknown name."""
    with pytest.raises(WeightsNotFound, match="there is no file"):
        resolve_models(_settings(None, detector="folder/own.onnx", models="packaged"))


@pytest.mark.parametrize("part", ["detector", "embedder"])
def test_a_foreign_precision_is_refused(part: str) -> None:
    """An index of a precision that is not known here is not filled with another one."""
    described = resolve_models(_settings(None, models="packaged")).description
    other = replace(getattr(described, part), precision="fp8")
    with pytest.raises(ModelError, match="in fp8 on native"):
        load_models(replace(described, **{part: other}), _settings(None))


def test_an_artifact_needs_a_store() -> None:
    """An int8 index without the store that keeps its network says what is missing."""
    described = resolve_models(_settings(None, models="packaged")).description
    int8 = replace(
        described.embedder, runtime="openvino", precision="int8", artifact=_sha256(b"network")
    )
    with pytest.raises(ModelError, match="no store is open"):
        load_models(replace(described, embedder=int8), _settings(None))


def test_random_weights_are_marked_and_repeatable() -> None:
    """They come by explicit name only, say so everywhere, and are the same every time."""
    settings = _settings(None, embedder="random:test_vit", models="packaged")
    loaded = resolve_models(settings)
    assert loaded.description.embedder.origin == "random"
    assert loaded.description.embedder.name == "random:test_vit"
    assert "random weights" in str(loaded.notice)
    crops = np.arange(160 * 160 * 3, dtype=np.uint32).astype(np.uint8).reshape(1, 160, 160, 3)
    again = load_models(ModelDescription.from_json(loaded.description.to_json()), settings)
    assert (again.embedder.embed(crops) == loaded.embedder.embed(crops)).all()
    assert "random weights" in str(again.notice)


def _onnx() -> str:
    from embedding_pipeline.models import packaged  # noqa: PLC0415

    path: Path = packaged.detector_file()
    return str(path)
