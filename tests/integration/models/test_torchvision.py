"""torchvision's models through the same door as the others, with random weights made here."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import get_model

from embedding_pipeline.domain.boxes import area
from embedding_pipeline.domain.entries import Detection
from embedding_pipeline.errors import ModelError, UnknownModel, UntrustedWeights
from embedding_pipeline.models.resolve import load_models, resolve_models
from embedding_pipeline.models.sources import detector_source, embedder_source
from embedding_pipeline.models.torchvision_embedder import weights_url
from embedding_pipeline.models.weights import WeightsFolder
from embedding_pipeline.settings import Settings

EMBEDDER = "torchvision:squeezenet1_1"
DETECTOR = "torchvision:fasterrcnn_mobilenet_v3_large_320_fpn"

pytestmark = pytest.mark.models


def _random_weights(folder: Path, name: str) -> str:
    """A file of random weights where torchvision's would lie; returns its SHA-256."""
    folder.mkdir(exist_ok=True)
    network = name.removeprefix("torchvision:")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        options = {"weights_backbone": None, "num_classes": 91} if "rcnn" in network else {}
        state = get_model(network, weights=None, **options).state_dict()
    file = folder / weights_url(name).rpartition("/")[2]
    torch.save(state, file)
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Both models from torchvision, their random weights trusted by their sums."""
    folder = tmp_path / "models"
    sums = [_random_weights(folder, name) for name in (EMBEDDER, DETECTOR)]
    return Settings(
        models="packaged",
        models_dir=folder,
        trusted_sha256=",".join(sums),
        embedder=EMBEDDER,
        detector=DETECTOR,
        detector_input_size=160,
        score_floor=0.01,
        max_objects=5,
        threads=1,
        runtime="native",
        precision="fp32",
    )


def _pictures() -> list[np.ndarray]:
    generator = np.random.default_rng(3)
    return [
        generator.integers(0, 255, shape, dtype=np.uint8) for shape in ((90, 120, 3), (64, 50, 3))
    ]


def _rank(one: Detection) -> tuple[float, float, float]:
    return (-one.confidence, one.box_xyxy[1], one.box_xyxy[0])


def test_a_second_detector_fulfils_the_port(settings: Settings) -> None:
    """Boxes inside their picture, in rank order, the same whatever else is in the call."""
    detector = resolve_models(settings).detector
    first, second = _pictures()
    together = detector.detect([first, second])
    assert together == [detector.detect([first])[0], detector.detect([second])[0]]
    assert detector.detect([]) == []
    detections, truncated = together[0]
    assert len(detections) == 5
    assert truncated
    assert list(detections) == sorted(detections, key=_rank)
    for found in detections:
        x1, y1, x2, y2 = found.box_xyxy
        assert 0 <= x1 < x2 <= 120
        assert 0 <= y1 < y2 <= 90
        assert area(found.box_xyxy) > 0
        assert found.label in detector.labels
        assert found.confidence >= 0.01
    assert len(detector.labels) == 80
    assert detector.labels[:2] == ("person", "bicycle")


def test_a_classifier_embeds_by_its_class_scores(settings: Settings) -> None:
    """1,000 dimensions, as torchvision's own forward pass has them on normalized pixels."""
    models = resolve_models(settings)
    how = models.description.embedder
    assert (how.name, how.dimension, how.input_size) == (EMBEDDER, 1000, 224)
    assert how.mean == (0.485, 0.456, 0.406)
    crops = np.random.default_rng(2).integers(0, 255, (2, 224, 224, 3), dtype=np.uint8)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        network = get_model("squeezenet1_1", weights=None).eval()
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (how.mean, how.std))
    pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        expected = network((pixels - mean) / std).numpy()
    np.testing.assert_allclose(models.embedder.embed(crops), expected, atol=1e-4)


def test_an_index_gets_the_very_same_models_again(settings: Settings) -> None:
    """By name and SHA-256, whatever the settings prefer by then."""
    models = resolve_models(settings)
    other = settings.model_copy(update={"embedder": "", "detector": "", "score_floor": 0.9})
    again = load_models(models.description, other)
    assert again.description == models.description
    assert again.detector.detect(_pictures()) == models.detector.detect(_pictures())


def test_what_cannot_be_done_is_said(settings: Settings, tmp_path: Path) -> None:
    """Unknown names, a file that nobody trusts, a detector as embedder, a network that is none."""
    for name in ("torchvision:squeezenet9", "torchvision:resnet18.NO_SUCH"):
        with pytest.raises(UnknownModel, match="torchvision knows no weights"):
            embedder_source(name, settings)
        with pytest.raises(UnknownModel, match="torchvision knows no weights"):
            detector_source(name, settings)
    with pytest.raises(UntrustedWeights):
        resolve_models(settings.model_copy(update={"trusted_sha256": ""}))
    with pytest.raises(ModelError, match="no classifier"):
        resolve_models(settings.model_copy(update={"embedder": DETECTOR}))
    with pytest.raises(ModelError, match="Faster R-CNN family"):
        resolve_models(settings.model_copy(update={"detector": EMBEDDER}))


def test_a_file_named_by_its_hash_is_known(tmp_path: Path) -> None:
    """As torchvision names its files; another content under that name is not."""
    data = b"weights"
    sha256 = hashlib.sha256(data).hexdigest()
    good, bad = tmp_path / f"net-{sha256[:8]}.pth", tmp_path / "net-00000000.pth"
    pickled = tmp_path / f"net-{sha256[:8]}.pt"
    for file in (good, bad, pickled):
        file.write_bytes(data)
    folder = WeightsFolder(tmp_path)
    assert folder.verified(good) == sha256
    assert folder.recorded() == {good.name: sha256}
    for file in (bad, pickled):
        with pytest.raises(UntrustedWeights):
            folder.verified(file)
