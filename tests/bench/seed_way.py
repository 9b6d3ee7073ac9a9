"""The sequential way of the seed: one picture at a time, fp32, batches of one, plain calls.

Ultralytics' own call, Pillow, timm's own preprocessing, one crop a call of the network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from timm.data import create_transform, resolve_model_data_config
from ultralytics import YOLO

from embedding_pipeline.models.choose import packaged_detector, packaged_embedder
from embedding_pipeline.models.networks import build_network, build_random
from embedding_pipeline.models.resolve import RANDOM_PREFIX
from embedding_pipeline.models.weights import WeightsFolder
from embedding_pipeline.settings import Settings

MIN_SCORE = 0.5


class SeedWay:
    """Both models as the seed calls them.

    Args:
        settings: name the embedder and the detector's input size.
    """

    def __init__(self, settings: Settings) -> None:
        folder = WeightsFolder.of(settings)
        self._detector: Any = YOLO(packaged_detector(folder).path, task="detect")
        self._input_size = settings.detector_input_size
        name = settings.embedder
        self.network = (
            build_random(name.removeprefix(RANDOM_PREFIX))
            if name.startswith(RANDOM_PREFIX)
            else build_network(packaged_embedder(folder))
        )
        self._prepare = create_transform(**resolve_model_data_config(self.network))

    def detect(self, picture: Image.Image, score: float = MIN_SCORE) -> Any:
        """Ultralytics' result for one picture."""
        return self._detector.predict(
            picture, imgsz=self._input_size, conf=score, device="cpu", verbose=False
        )[0]

    @torch.inference_mode()
    def embed(self, crop: Image.Image) -> np.ndarray:
        """Unit vector of one crop, ``(dimension,)`` float32."""
        vector = self.network(self._prepare(crop)[None])[0].numpy()
        unit: np.ndarray = vector / np.linalg.norm(vector)
        return unit

    def index(self, files: Sequence[bytes], *, only_best: bool) -> int:
        """Documents of these pictures: one vector a detection, or only of the best one."""
        documents = 0
        for data in files:
            picture = Image.open(BytesIO(data)).convert("RGB")
            boxes = self.detect(picture).boxes.xyxy.tolist()
            for box in boxes[:1] if only_best else boxes:
                documents += len(self.embed(picture.crop(box))) > 0
        return documents


def plain_detector(settings: Settings, picture: Image.Image) -> Callable[[], object]:
    """The plain Ultralytics call on one picture."""
    way: Any = YOLO(Path(packaged_detector(WeightsFolder.of(settings)).path), task="detect")
    return lambda: way.predict(
        picture,
        imgsz=settings.detector_input_size,
        conf=settings.score_floor,
        iou=settings.nms_iou,
        max_det=settings.max_objects,
        device="cpu",
        verbose=False,
    )
