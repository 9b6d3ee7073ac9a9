"""How close the pipeline comes to its models: run as a script, prints a table and JSON.

Every round runs each contender once on the same pictures, so that a busy machine slows all
of them; the figures are medians of the rounds' ratios. Contenders:

- pipeline: the product's, composed with Towhee;
- plain: the same operators in plain Python (the difference is Towhee's share);
- models: the same models on inputs that are decoded and cropped already;
- one-best: one picture at a time, batch 1, only the best detection (the seed's code);
- one-all: one picture at a time, batch 1, every detection above 0.5 (the seed's article).

Pictures come from BOXSEEK_TEST_DATA/coco128, else bus.jpg and zidane.jpg repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from embedding_pipeline.models.loaded import LoadedModels
from embedding_pipeline.models.quiet import available_cores
from embedding_pipeline.models.resolve import resolve_models
from embedding_pipeline.pipeline import PicturePipeline, PictureTask
from embedding_pipeline.pipeline.crop import cut, fill_of
from embedding_pipeline.pipeline.flow import compose_plainly
from embedding_pipeline.settings import Settings
from minio_proxy.picture.decode import decode
from minio_proxy.picture.header import Limits

LIMITS = Limits()
REQUIRED_SHARE = 0.80


def pictures(count: int) -> list[bytes]:
    """The first ``count`` benchmark pictures, repeated if there are fewer."""
    folder = os.environ.get("BOXSEEK_TEST_DATA")
    if folder:
        paths = sorted((Path(folder) / "coco128" / "images").glob("*.jpg"))
    else:
        spec = find_spec("ultralytics")
        assets = Path(str(spec and spec.origin)).parent / "assets"
        paths = [assets / "bus.jpg", assets / "zidane.jpg"]
    files = [path.read_bytes() for path in paths[:count]]
    return [files[i % len(files)] for i in range(count)]


def models_alone(files: Sequence[bytes], loaded: LoadedModels, batch: int) -> Callable[[], int]:
    """The models on ready inputs: detect every batch, embed every batch's crops."""
    decoded = [decode(file, LIMITS).rgb for file in files]
    with PicturePipeline(loaded.detector, loaded.embedder, LIMITS) as pipeline:
        regions = [
            [region.box for region in result.checked().regions]
            for result in pipeline.run([PictureTask(file) for file in files])
        ]
    crops = [
        np.stack([_cut(rgb, box, loaded) for box in boxes])
        for rgb, boxes in zip(decoded, regions, strict=True)
    ]

    def run() -> int:
        documents = 0
        for start in range(0, len(files), batch):
            loaded.detector.detect(decoded[start : start + batch])
            documents += len(loaded.embedder.embed(np.concatenate(crops[start : start + batch])))
        return documents

    return run


def pipelined(files: Sequence[bytes], pipeline: PicturePipeline) -> Callable[[], int]:
    """The pipeline over all files."""
    tasks = [PictureTask(file) for file in files]
    return lambda: sum(len(result.checked().regions) for result in pipeline.run(tasks))


def one_at_a_time(
    files: Sequence[bytes], loaded: LoadedModels, *, only_best: bool
) -> Callable[[], int]:
    """The sequential way: decode, detect, then embed each crop in a batch of its own."""

    def run() -> int:
        documents = 0
        for file in files:
            rgb = decode(file, LIMITS).rgb
            [(detections, _)] = loaded.detector.detect([rgb])
            kept = [d for d in detections if d.confidence > 0.5]
            for found in kept[:1] if only_best else kept:
                vector = loaded.embedder.embed(_cut(rgb, found.box_xyxy, loaded)[None])[0]
                documents += bool(np.linalg.norm(vector))
        return documents

    return run


def measure(
    contenders: dict[str, Callable[[], int]], rounds: int
) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Seconds of every round and documents of one, after one round that is not counted."""
    documents = {name: run() for name, run in contenders.items()}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        names = list(contenders)
        for name in names if number % 2 == 0 else reversed(names):
            started = time.perf_counter()
            contenders[name]()
            seconds[name].append(time.perf_counter() - started)
    return seconds, documents


def report(
    seconds: dict[str, list[float]], documents: dict[str, int], count: int
) -> dict[str, object]:
    """Ratios first, then figures that only this machine at this moment gives."""

    def ratio(a: str, b: str) -> float:
        pairs = zip(seconds[a], seconds[b], strict=True)
        return round(statistics.median(x / y for x, y in pairs), 4)

    figures = {
        name: {
            "pictures_per_s": round(count / statistics.median(values), 2),
            "documents_per_s": round(documents[name] / statistics.median(values), 2),
            "documents": documents[name],
        }
        for name, values in seconds.items()
    }
    per_document = {
        name: ratio(name, "pipeline") * documents["pipeline"] / documents[name]
        for name in ("one-best", "one-all")
        if documents[name]
    }
    return {
        "pipeline_share_of_models": ratio("models", "pipeline"),
        "towhee_share_of_time": round(1 - ratio("plain", "pipeline"), 4),
        "documents_per_s_against": {name: round(v, 2) for name, v in per_document.items()},
        "time_per_picture_against_one_best": ratio("pipeline", "one-best"),
        "figures": figures,
    }


def main() -> int:
    """Run the benchmark; the exit status says whether the required share is reached."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--pictures", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--embedder", default="", help="e.g. random:vit_base_patch16_224")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    options = parser.parse_args()
    files = pictures(options.pictures)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(models="packaged", embedder=options.embedder, data_dir=Path(folder))
        loaded = resolve_models(settings)
        how = {"batch_pictures": options.batch, "decode_threads": available_cores()}
        with (
            PicturePipeline(loaded.detector, loaded.embedder, LIMITS, **how) as ours,
            PicturePipeline(
                loaded.detector, loaded.embedder, LIMITS, **how, composer=compose_plainly
            ) as plain,
        ):
            seconds, documents = measure(
                {
                    "pipeline": pipelined(files, ours),
                    "models": models_alone(files, loaded, options.batch),
                    "plain": pipelined(files, plain),
                    "one-best": one_at_a_time(files, loaded, only_best=True),
                    "one-all": one_at_a_time(files, loaded, only_best=False),
                },
                options.rounds,
            )
    result = report(seconds, documents, len(files)) | {
        "models": loaded.description.summary(),
        "pictures": len(files),
        "rounds": options.rounds,
        "batch": options.batch,
        "machine": {"cores": available_cores(), "cpu": platform.processor() or platform.machine()},
    }
    text = json.dumps(result, indent=2)
    sys.stdout.write(text + "\n")
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    share = float(str(result["pipeline_share_of_models"]))
    sys.stdout.write(
        f"\nThe pipeline runs at {share:.1%} of its models alone (at least {REQUIRED_SHARE:.0%}).\n"
    )
    return 0 if share >= REQUIRED_SHARE else 1


def _cut(
    rgb: np.ndarray, box: tuple[float, float, float, float], loaded: LoadedModels
) -> np.ndarray:
    how = loaded.description.embedder
    return cut(
        rgb,
        box,
        rule=how.crop_rule,
        size=how.input_size,
        margin=how.margin,
        interpolation=how.interpolation,
        fill=fill_of(how.mean),
    )


if __name__ == "__main__":
    sys.exit(main())
