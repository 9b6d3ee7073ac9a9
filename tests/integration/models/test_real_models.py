from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from embedding_pipeline.domain.boxes import iou_matrix
from embedding_pipeline.models import packaged
from embedding_pipeline.models.choose import packaged_embedder
from embedding_pipeline.models.detector import UltralyticsDetector
from embedding_pipeline.models.detector_network import UltralyticsNetwork
from embedding_pipeline.models.joined_detector import joined
from embedding_pipeline.models.loaded import LoadedModels
from embedding_pipeline.models.networks import build_network
from embedding_pipeline.models.quiet import import_ultralytics
from embedding_pipeline.models.resolve import resolve_models
from embedding_pipeline.models.weights import WeightsFolder
from embedding_pipeline.settings import Settings
from minio_proxy.picture.decode import decode
from minio_proxy.picture.header import Limits
from support.models_coverage import measure

pytestmark = pytest.mark.models

# Reference run: ultralytics 8.4.190's own predict on the packaged yolo11n.onnx at 640, bus.jpg.
BUS = {
    "bus": [(18, 230, 806, 735)],
    "person": [(671, 395, 810, 879), (47, 400, 239, 905), (223, 408, 344, 860), (0, 556, 69, 872)],
}


@pytest.fixture(scope="module", params=["native", "openvino"])
def loaded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> LoadedModels:
    """The packaged models at 640 pixels, on each runtime."""
    settings = Settings(
        models="packaged",
        data_dir=tmp_path_factory.mktemp("models"),
        quality="plain",
        detector_input_size=640,
        runtime=request.param,
        precision="fp32",
    )
    return resolve_models(settings)


@pytest.fixture(scope="module")
def bus() -> np.ndarray:
    """The upright pixels of bus.jpg."""
    return decode(_asset("bus.jpg"), Limits()).rgb


def _asset(name: str) -> bytes:
    spec = find_spec("ultralytics")
    assert spec is not None
    assert spec.origin is not None
    return (Path(spec.origin).parent / "assets" / name).read_bytes()


def test_detections_of_a_known_picture(loaded: LoadedModels, bus: np.ndarray) -> None:
    """The five objects of bus.jpg, each box within 3 pixels of the reference, ranks falling."""
    [(detections, truncated)] = loaded.detector.detect([bus])
    assert not truncated
    assert [d.label for d in detections] == ["bus", "person", "person", "person", "person"]
    scores = [d.confidence for d in detections]
    assert scores == sorted(scores, reverse=True)
    for label, boxes in BUS.items():
        found = np.array([d.box_xyxy for d in detections if d.label == label])
        nearest = np.abs(found[:, None] - np.array(boxes)[None]).max(axis=2).min(axis=1)
        assert nearest.max() <= 3


def test_our_input_agrees_with_ultralytics_own(
    loaded: LoadedModels, bus: np.ndarray, tmp_path: Path
) -> None:
    """Ultralytics' own predict finds the same objects (IoU >= 0.95, score within 0.03)."""
    ultralytics = import_ultralytics(tmp_path)
    model = ultralytics.YOLO(packaged.detector_file(), task="detect")
    theirs = model.predict(bus[..., ::-1], imgsz=(640, 480), conf=0.25, iou=0.7, verbose=False)[0]
    [(ours, _)] = loaded.detector.detect([bus])
    overlaps = iou_matrix(
        np.array([d.box_xyxy for d in ours]), theirs.boxes.xyxy.numpy().astype(np.float64)
    )
    assert overlaps.shape == (len(ours), len(ours))
    assert overlaps.max(axis=1).min() >= 0.95
    scores = theirs.boxes.conf.numpy()[overlaps.argmax(axis=1)]
    assert [d.confidence for d in ours] == pytest.approx(scores, abs=0.03)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_detections_do_not_depend_on_batch_mates(
    loaded: LoadedModels, bus: np.ndarray, batch_size: int, tmp_path: Path
) -> None:
    """Alone, among pictures of its shape and of others: bit for bit the same."""
    detector = UltralyticsDetector(
        packaged.detector_file(),
        loaded.description.detector,
        config_dir=tmp_path,
        batch_size=batch_size,
    )
    zidane = decode(_asset("zidane.jpg"), Limits()).rgb
    noise = np.random.default_rng(1).integers(0, 255, bus.shape, np.uint8)
    [alone] = detector.detect([bus])
    assert alone == loaded.detector.detect([bus])[0]
    mixed = [zidane, bus, noise, bus[:, ::-1], bus, noise[:200]]
    together = detector.detect(mixed)
    assert together[1] == together[4] == alone
    assert together[0] == detector.detect([zidane])[0]
    assert detector.detect([]) == []


def test_a_square_input_beside_the_processor_finds_the_same(
    bus: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU: one shape for all pictures, prepared and suppressed in threads of their own.

    The network stays on the processor here; that it says it is beside it is what is pretended.
    """
    settings = Settings(
        models="packaged", data_dir=tmp_path, quality="plain", runtime="native", precision="fp32"
    )
    rectangle = resolve_models(settings)
    monkeypatch.setattr(UltralyticsNetwork, "beside", True)
    square = resolve_models(settings)
    assert (rectangle.description.detector.square, square.description.detector.square) == (0, 1)
    zidane = decode(_asset("zidane.jpg"), Limits()).rgb
    pictures = [bus, zidane, bus[:, ::-1], bus[:400], zidane]
    seen: list[tuple[int, ...]] = []
    forward = UltralyticsNetwork._forward

    def watched(network: UltralyticsNetwork, inputs: list[np.ndarray]) -> list[np.ndarray]:
        seen.extend(image.shape for image in inputs)
        return forward(network, inputs)

    monkeypatch.setattr(UltralyticsNetwork, "_forward", watched)
    found = square.detector.detect(pictures)
    assert set(seen) == {(736, 736, 3)}
    assert found[1] == found[4] == square.detector.detect([zidane])[0]
    for (ours, _), (theirs, _) in zip(found, rectangle.detector.detect(pictures), strict=True):
        sure = [one for one in theirs if one.confidence >= 0.5]
        overlaps = iou_matrix(
            np.array([d.box_xyxy for d in sure]), np.array([d.box_xyxy for d in ours])
        )
        assert overlaps.max(axis=1).min() >= 0.9


@pytest.mark.parametrize(
    ("wish", "square"), [("auto", False), ("rectangle", False), ("square", True)]
)
def test_the_shape_of_the_input_can_be_wished_for(wish: str, square: bool, tmp_path: Path) -> None:
    """On a processor a rectangle costs less, so it is what auto takes."""
    settings = Settings.model_validate(
        {"models": "packaged", "data_dir": tmp_path, "runtime": "native", "detector_input": wish}
    )
    assert resolve_models(settings).description.detector.square is square


def test_too_many_objects_are_cut_by_rank(
    bus: np.ndarray, loaded: LoadedModels, tmp_path: Path
) -> None:
    """The best are kept and the rest is said to be left out."""
    few = replace(loaded.description.detector, max_objects=2)
    detector = UltralyticsDetector(packaged.detector_file(), few, config_dir=tmp_path)
    [(kept, truncated)] = detector.detect([bus])
    assert truncated
    assert kept == loaded.detector.detect([bus])[0][0][:2]


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 20_000, 3), (20_000, 1, 3), (2, 940, 3)], ids=str)
def test_odd_shapes_are_taken(loaded: LoadedModels, shape: tuple[int, int, int]) -> None:
    """Threads and single pixels give boxes inside the picture, or none."""
    [(detections, _)] = loaded.detector.detect([np.full(shape, 90, np.uint8)])
    for detection in detections:
        x1, y1, x2, y2 = detection.box_xyxy
        assert 0 <= x1 < x2 <= shape[1]
        assert 0 <= y1 < y2 <= shape[0]


def test_tiles_show_what_is_too_small_in_the_whole(loaded: LoadedModels, bus: np.ndarray) -> None:
    """People of ten pixels in the whole picture's input are found in tiles, where they are."""
    canvas = np.full((1600, 1600, 3), 114, np.uint8)
    top, left = 900, 620
    canvas[top : top + 360, left : left + 270] = bus[::3, ::3]
    how = replace(loaded.description.detector, input_size=320, join_iou=0.6)
    people = {}
    for tiles in (0, 16):
        wanted = replace(how, tiles=tiles)
        assert isinstance(loaded.detector, UltralyticsDetector)
        detector = joined(loaded.detector.described(wanted), wanted)
        [(found, _)] = detector.detect([canvas])
        people[tiles] = np.array([d.box_xyxy for d in found if d.label == "person"]).reshape(-1, 4)
    expected = np.array(BUS["person"]) / 3 + (left, top, left, top)
    again = {
        tiles: (iou_matrix(expected, p) >= 0.5).any(axis=1).sum() for tiles, p in people.items()
    }
    assert again[16] >= 3 > again[0]


@pytest.mark.parametrize("name", ["yolo26n", "yolo11n", "rtdetr-l"])
def test_other_kinds_of_detectors_run(name: str, loaded: LoadedModels, tmp_path: Path) -> None:
    """End-to-end models, .pt files and RT-DETR give detections in the picture (random weights)."""
    ultralytics = import_ultralytics(tmp_path)
    torch.manual_seed(3)
    kind = ultralytics.RTDETR if name.startswith("rtdetr") else ultralytics.YOLO
    path = tmp_path / f"{name}.pt"
    kind(f"{name}.yaml").save(path)
    low = replace(loaded.description.detector, score_floor=1e-7, input_size=160, max_objects=50)
    detector = UltralyticsDetector(path, low, config_dir=tmp_path)
    image = np.random.default_rng(3).integers(0, 255, (120, 200, 3), np.uint8)
    [(detections, truncated)] = detector.detect([image])
    assert truncated == (len(detections) == 50)
    assert detections
    boxes = np.array([d.box_xyxy for d in detections])
    assert boxes.min() >= 0
    assert (boxes.max(axis=0) <= (200, 120, 200, 120)).all()
    assert len(detector.labels) == 80


def test_vectors_do_not_depend_on_batch_mates(loaded: LoadedModels, bus: np.ndarray) -> None:
    """The same crop alone and among 40 others: cosine at least 0.99999."""
    crops = np.random.default_rng(2).integers(0, 255, (41, 224, 224, 3), np.uint8)
    crops[33] = bus[:224, :224]
    together = loaded.embedder.embed(crops)
    for row in (0, 33, 40):
        alone = loaded.embedder.embed(crops[row : row + 1])[0]
        cosine = float(
            alone @ together[row] / (np.linalg.norm(alone) * np.linalg.norm(together[row]))
        )
        assert cosine >= 0.99999
    assert loaded.embedder.embed(crops[:0]).shape == (0, 1280)


def test_crops_reach_the_network_as_described(loaded: LoadedModels, bus: np.ndarray) -> None:
    """Embedding equals (RGB / 255 - mean) / std through the bare network, within 1e-3."""
    how = loaded.description.embedder
    crop = bus[300:524, 300:524]
    scaled = (crop / 255.0 - np.array(how.mean)) / np.array(how.std)
    batch = torch.from_numpy(scaled.transpose(2, 0, 1)[None].astype(np.float32))
    with torch.inference_mode():
        expected = build_network(packaged_embedder(WeightsFolder(Path("none"))))(batch).numpy()
    assert loaded.embedder.embed(crop[None]) == pytest.approx(expected, abs=1e-3)


@pytest.mark.data
@pytest.mark.parametrize(
    ("quality", "least", "documents", "step"),
    [("plain", 0.55, 0.9, 1), ("default", 0.66, 1.3, 1), ("best", 0.75, 2.0, 2)],
)
def test_object_coverage_of_each_quality(
    quality: Literal["plain", "default", "best"],
    least: float,
    documents: float,
    step: int,
    test_data: Path,
    tmp_path: Path,
) -> None:
    """On coco128 each finds at least its share again, with so many documents an object at most.

    The best takes its time, so it sees every second picture only.
    """
    models = resolve_models(
        Settings(models="packaged", data_dir=tmp_path, quality=quality, precision="fp32")
    )
    assert models.description.detector.tiles == (16 if quality == "best" else 0)
    coverage = measure(test_data / "coco128", models.detector, slice(None, None, step))
    assert coverage.annotated == {1: 929, 2: 423}[step]
    assert coverage.share >= least
    assert coverage.documents <= documents * coverage.annotated
