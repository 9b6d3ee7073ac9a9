"""Indexing speed: ours against the seed's sequential way, its own models and torch fp32 alone.

Contenders of every round, on the same pictures with the same weights:

- one-best: the sequential way, best detection above 0.5 only (the seed's code);
- one-all: the sequential way, every detection above 0.5 (its article);
- plain: the product's pipeline on torch and ONNX Runtime in fp32 (what pipelining alone gives);
- ours: the product's pipeline as the settings have it (and what runtime and precision give);
- models: ours without anything but the models, on decoded pictures and ready crops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from machine_peak import flops_of, peak_flops
from measuring import interleaved, ratio, table
from PIL import Image
from seed_way import SeedWay, plain_detector

from embedding_pipeline.bootstrap import Boxseek, limits_of, pipeline_of, real_models
from embedding_pipeline.domain.boxes import scale
from embedding_pipeline.domain.description import EmbedderDescription
from embedding_pipeline.domain.entries import Box
from embedding_pipeline.models.loaded import LoadedModels
from embedding_pipeline.pipeline.crop import cut, fill_of
from embedding_pipeline.pipeline.levels import CROPPED_INPUTS, least_side, level_for, levels_of
from embedding_pipeline.pipeline.runner import PipelineRunner, Priority
from embedding_pipeline.pipeline.tasks import PictureResult, PictureTask
from embedding_pipeline.settings import Settings
from minio_proxy.picture.decode import decode

Crops = np.ndarray


@dataclass(frozen=True, slots=True)
class Ours:
    """The product's pipeline, as a backfill uses it.

    Args:
        settings: it was made by.
        models: loaded.
        runner: in front of them.
    """

    settings: Settings
    models: LoadedModels
    runner: PipelineRunner

    def index(self, files: Sequence[bytes]) -> list[PictureResult]:
        """Results of these pictures."""
        return self.runner.run([PictureTask(data) for data in files], Priority.BACKFILL)

    def documents(self, files: Sequence[bytes]) -> int:
        """Vectors of these pictures."""
        return sum(len(result.checked().vectors) for result in self.index(files))


def ours_of(boxseek: Boxseek) -> Ours:
    """The pipeline of an open Boxseek."""
    if boxseek.models is None:
        raise SystemExit("the models are not loaded")
    return Ours(boxseek.settings, boxseek.models, boxseek.runner)


@contextmanager
def plainly_opened(embedder: str, folder: Path) -> Iterator[Ours]:
    """The same weights on torch and ONNX Runtime, in fp32, with every picture decoded in full."""
    settings = Settings(
        models="packaged",
        embedder=embedder,
        runtime="native",
        precision="fp32",
        shrink_on_load=False,
        data_dir=folder,
    )
    models = real_models(settings, None)
    runner = PipelineRunner(
        lambda: pipeline_of(settings, models), batch_pictures=settings.batch_pictures
    )
    try:
        if not runner.wait_ready(300):
            raise SystemExit(str(runner.error))
        yield Ours(settings, models, runner)
    finally:
        runner.close()


def crops_of(ours: Ours, files: Sequence[bytes]) -> list[tuple[np.ndarray, Crops]]:
    """What the detector is given of each picture, and its crops, as the pipeline cuts them."""
    how, detector = ours.models.description.embedder, ours.models.description.detector
    made = []
    for data, result in zip(files, ours.index(files), strict=True):
        picture = decode(data, limits_of(ours.settings), long_side=detector.decode_long_side)
        levels = levels_of(picture.rgb, least_side(detector))
        boxes = [region.box for region in result.checked().regions]
        crops = [cut_out(levels, picture.size_wh, box, how) for box in boxes]
        made.append((levels[-1], np.stack(crops)))
    return made


def cut_out(
    levels: Sequence[np.ndarray], size_wh: tuple[int, int], box: Box, how: EmbedderDescription
) -> np.ndarray:
    """One crop, as the pipeline cuts it."""
    level = level_for(levels, size_wh, box, CROPPED_INPUTS * how.input_size)
    return cut(
        level,
        scale(box, level.shape[1] / size_wh[0], level.shape[0] / size_wh[1]),
        rule=how.crop_rule,
        size=how.input_size,
        margin=how.margin,
        interpolation=how.interpolation,
        fill=fill_of(how.mean),
    )


def models_alone(ours: Ours, ready: Sequence[tuple[np.ndarray, Crops]]) -> Callable[[], int]:
    """The models on ready inputs, in the pipeline's batches."""
    batch = ours.settings.batch_pictures

    def run() -> int:
        documents = 0
        for start in range(0, len(ready), batch):
            part = ready[start : start + batch]
            ours.models.detector.detect([rgb for rgb, _ in part])
            documents += len(ours.models.embedder.embed(np.concatenate([c for _, c in part])))
        return documents

    return run


def throughput(boxseek: Boxseek, files: Sequence[bytes], rounds: int) -> dict[str, Any]:
    """All contenders with the embedder of an open Boxseek; ratios first.

    Args:
        boxseek: ours.
        files: pictures.
        rounds: that are counted.
    """
    ours, embedder = ours_of(boxseek), boxseek.settings.embedder
    with TemporaryDirectory() as folder, plainly_opened(embedder, Path(folder)) as plain:
        seed = SeedWay(plain.settings)
        ready = crops_of(ours, files)
        contenders: dict[str, Callable[[], int]] = {
            "one-best": lambda: seed.index(files, only_best=True),
            "one-all": lambda: seed.index(files, only_best=False),
            "plain": lambda: plain.documents(files),
            "ours": lambda: ours.documents(files),
            "models": models_alone(ours, ready),
        }
        documents: dict[str, int] = {}
        seconds = interleaved(contenders, rounds, documents)
        stages = stage_speeds(ours, seed, files, ready, rounds)
    summary = {"models": ours.models.description.summary()}
    return _report(seconds, documents, len(files)) | summary | stages


def stage_speeds(
    ours: Ours,
    seed: SeedWay,
    files: Sequence[bytes],
    ready: Sequence[tuple[np.ndarray, Crops]],
    rounds: int,
) -> dict[str, Any]:
    """Each stage alone, the detector against Ultralytics' call, the embedder against the peak."""
    limits, how = limits_of(ours.settings), ours.models.description
    crops = np.concatenate([made for _, made in ready])[:32]
    four_by_three = Image.fromarray(np.asarray(_four_by_three(ready)))
    array = np.asarray(four_by_three)
    results = ours.index(files)

    def cut_all() -> None:
        for (rgb, _), result in zip(ready, results, strict=True):
            for region in result.regions:
                cut_out([rgb], result.size_wh, region.box, how.embedder)

    peak = peak_flops()
    work = flops_of(seed.network, how.embedder.input_size)
    stages: dict[str, Callable[[], object]] = {
        "decode": lambda: [
            decode(data, limits, long_side=how.detector.decode_long_side) for data in files
        ],
        "detect": lambda: ours.models.detector.detect([rgb for rgb, _ in ready]),
        "crop": cut_all,
        "embed": lambda: ours.models.embedder.embed(crops),
        "embed, torch fp32": lambda: _torch_rows(seed.network, crops),
        "detect 4:3": lambda: ours.models.detector.detect([array] * 4),
        "detect 4:3, Ultralytics": lambda: [seed_call() for _ in range(4)],
    }
    seed_call = plain_detector(ours.settings, four_by_three)
    seconds = interleaved(stages, rounds)
    best = {name: min(values) for name, values in seconds.items()}
    return {
        "detector_against_ultralytics": ratio(
            seconds["detect 4:3, Ultralytics"], seconds["detect 4:3"]
        ),
        "embedder_against_torch_fp32": ratio(seconds["embed, torch fp32"], seconds["embed"]),
        "embedder_share_of_fp32_peak": round(work * len(crops) / best["embed"] / peak, 3),
        "peak_gflops_fp32": round(peak / 1e9, 1),
        "embedder_gflop_a_crop": round(work / 1e9, 2),
        "stages_per_s": {
            "decode (one thread), pictures": round(len(files) / best["decode"], 1),
            "detect, pictures": round(len(files) / best["detect"], 1),
            "crop (one thread), crops": round(sum(len(c) for _, c in ready) / best["crop"], 1),
            "embed, crops": round(len(crops) / best["embed"], 1),
        },
    }


@torch.inference_mode()
def _torch_rows(network: torch.nn.Module, crops: Crops) -> torch.Tensor:
    pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
    rows: torch.Tensor = network(pixels.contiguous())
    return rows


def _four_by_three(ready: Sequence[tuple[np.ndarray, Crops]]) -> np.ndarray:
    """The first picture whose sides are about 4:3, else the first."""
    for rgb, _ in ready:
        if abs(rgb.shape[1] / rgb.shape[0] - 4 / 3) < 0.01:
            return rgb
    return ready[0][0]


def _report(
    seconds: dict[str, list[float]], documents: dict[str, int], count: int
) -> dict[str, Any]:
    def per_document(slow: str, fast: str) -> float:
        return round(
            ratio(seconds[slow], seconds[fast]) * documents[fast] / max(1, documents[slow]), 2
        )

    middle = {name: sorted(values)[len(values) // 2] for name, values in seconds.items()}
    return {
        "documents_per_s_against_one_best": per_document("one-best", "ours"),
        "documents_per_s_against_one_all": per_document("one-all", "ours"),
        "of_that_by_pipelining": per_document("one-best", "plain"),
        "of_that_by_runtime_and_precision": ratio(seconds["plain"], seconds["ours"]),
        "time_of_a_picture_against_one_best": ratio(seconds["ours"], seconds["one-best"]),
        "pipeline_share_of_its_models": ratio(seconds["models"], seconds["ours"]),
        "figures": {
            name: {
                "images_per_s": round(count / middle[name], 2),
                "documents_per_s": round(documents[name] / middle[name], 2),
                "documents_a_picture": round(documents[name] / count, 2),
            }
            for name in seconds
        },
    }


def tables(result: dict[str, Any]) -> str:
    """The section for docs/benchmarks.md."""
    ratios = [(name, value) for name, value in result.items() if isinstance(value, float)]
    rows = [
        (name, *(figures[key] for key in ("images_per_s", "documents_per_s")))
        for name, figures in result["figures"].items()
    ]
    stages = list(result["stages_per_s"].items())
    return "\n\n".join(
        (
            f"{result['models']}",
            table(("ratio", "measured"), ratios),
            table(("contender", "images/s", "documents/s"), rows),
            table(("stage alone", "a second"), stages),
        )
    )
