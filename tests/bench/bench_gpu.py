"""Boxseek on an NVIDIA GPU: batch sizes, agreement with the CPU, and how busy the card is kept.

The packaged detector is an ONNX file, which would run on the processor; its weights are put into
the same network in PyTorch first, so the detector is real and on the card. The ViT has seeded
random weights, which are as fast as trained ones.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import threading
import time
from ast import literal_eval
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from measuring import machine, pictures, say, table

from embedding_pipeline.bootstrap import limits_of, pipeline_of, real_models
from embedding_pipeline.models.choose import packaged_detector
from embedding_pipeline.models.quiet import available_cores
from embedding_pipeline.models.sources import config_dir
from embedding_pipeline.models.weights import WeightsFolder, sha256_of
from embedding_pipeline.pipeline.runner import PipelineRunner, Priority
from embedding_pipeline.pipeline.tasks import PictureTask
from embedding_pipeline.settings import Settings
from minio_proxy.picture.decode import decode

VIT = "random:vit_base_patch16_224"
BATCHES = (1, 8, 16, 32, 64, 128, 256)
BUSY_EVERY_S = 0.02


def main() -> None:
    """Measure and print; ``--json`` writes everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=int, default=1024)
    parser.add_argument("--batches", default="8,32,128", help="BOXSEEK_BATCH_PICTURES to try")
    parser.add_argument("--only", default="", help="ways whose name has this in it")
    parser.add_argument("--json", type=Path)
    how = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("PyTorch finds no GPU here, so there is nothing to measure.")
    torch.zeros(1, device="cuda")
    with TemporaryDirectory() as folder:
        weights = detector_in_torch(Path(folder))
        files = pictures(how.photographs)
        result: dict[str, Any] = {"machine": machine(), "torch": torch.__version__}
        result["decode_per_s"] = decoding(files[:256])
        say(f"{result['machine']['gpu']}; decoding {result['decode_per_s']} pictures/s\n")
        for embedder in ("", VIT):
            for precision in ("fp32", "bf16"):
                settings = Settings(
                    models="packaged",
                    detector=str(weights),
                    trusted_sha256=sha256_of(weights),
                    embedder=embedder or Settings.model_fields["embedder"].default,
                    runtime="native",
                    precision=precision,
                    data_dir=Path(folder) / "data",
                )
                name = f"{embedder or 'packaged'} {precision}"
                if how.only not in name:
                    continue
                result[name] = one_way(settings, files, [int(n) for n in how.batches.split(",")])
                say(told(name, result[name]))
    if how.json:
        how.json.write_text(json.dumps(result, indent=1))


def detector_in_torch(folder: Path) -> Path:
    """The packaged detector as a ``.pt`` file."""
    settings = Settings(models="packaged", data_dir=folder / "data")
    from embedding_pipeline.models.quiet import import_ultralytics  # noqa: PLC0415 - quiet first

    import_ultralytics(config_dir(settings))
    import onnx  # noqa: PLC0415 - only here
    from ultralytics.nn.tasks import DetectionModel  # noqa: PLC0415 - as above

    model = onnx.load(packaged_detector(WeightsFolder.of(settings)).path)
    named = {one.name: one for one in model.graph.initializer}
    network = DetectionModel("yolo11n.yaml", verbose=False).fuse(verbose=False)
    network.load_state_dict(
        {
            name: torch.from_numpy(onnx.numpy_helper.to_array(named[name]).copy())
            for name in network.state_dict()
        }
    )
    props = {one.key: one.value for one in model.metadata_props}
    network.names = literal_eval(props["names"])
    path = folder / "yolo11n.pt"
    torch.save({"model": network.eval(), "train_args": {"task": "detect", "imgsz": 640}}, path)
    return path


def decoding(files: list[bytes]) -> float:
    """Pictures a second that all threads decode."""
    limits = limits_of(Settings())
    with ThreadPoolExecutor(available_cores()) as pool:
        started = time.perf_counter()
        list(pool.map(lambda data: decode(data, limits), files))
        return round(len(files) / (time.perf_counter() - started), 1)


def one_way(settings: Settings, files: list[bytes], batches: list[int]) -> dict[str, Any]:
    """Models by batch size, agreement, and the whole pipeline."""
    started = time.perf_counter()
    models = real_models(settings, None)
    loaded_s = time.perf_counter() - started
    side = models.description.embedder.input_size
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (max(BATCHES), side, side, 3), np.uint8)
    image = decode(files[0], limits_of(settings)).rgb
    found: dict[str, Any] = {
        "loaded_s": round(loaded_s, 1),
        "chosen": chosen(models),
        "embed_per_s": {n: rate(partial(models.embedder.embed, crops[:n]), n) for n in BATCHES},
        "detect_per_s": {
            n: rate(partial(models.detector.detect, [image] * n), n) for n in (1, 8, 32)
        },
        "apart_by_batch": apart(models.embedder.embed, crops),
        "pipeline": {},
    }
    for size in batches:
        settings = settings.model_copy(update={"batch_pictures": size})
        found["pipeline"][size] = whole(settings, models, files)
    return found


def chosen(models: Any) -> dict[str, int]:
    """Inputs a call that were found best when the models were opened."""
    detector: Any = models.detector
    embedder: Any = models.embedder
    return {
        "pictures": detector._network.batch_size,
        "crops": embedder.network.batch_size,
    }


def apart(embed: Callable[[np.ndarray], np.ndarray], crops: np.ndarray) -> float:
    """Largest 1 - cosine between a crop embedded with one other and with many."""
    many = embed(crops[:64])
    few = np.concatenate([embed(crops[i : i + 2]) for i in range(0, 64, 2)])
    one, other = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (many, few))
    return float((1 - np.sum(one.astype(np.float64) * other, axis=1)).max())


def whole(settings: Settings, models: Any, files: list[bytes]) -> dict[str, float]:
    """The pipeline as a backfill uses it."""
    runner = PipelineRunner(
        lambda: pipeline_of(settings, models), batch_pictures=settings.batch_pictures
    )
    try:
        if not runner.wait_ready(120):
            raise SystemExit(str(runner.error))
        tasks = [PictureTask(data) for data in files]
        started = time.perf_counter()
        runner.run(tasks, Priority.BACKFILL)
        first = time.perf_counter() - started
        with watched() as busy:
            started = time.perf_counter()
            results = runner.run(tasks, Priority.BACKFILL)
            seconds = time.perf_counter() - started
    finally:
        runner.close()
    documents = sum(len(result.checked().vectors) for result in results)
    timings = {
        stage: statistics.mean(result.timings_ms.get(stage, 0.0) for result in results)
        for stage in ("decode", "detect", "crop", "embed")
    }
    return {
        "images_per_s": round(len(files) / seconds, 1),
        "documents_per_s": round(documents / seconds, 1),
        "first_pass_images_per_s": round(len(files) / first, 1),
        "gpu_busy": round(statistics.mean(busy) / 100, 2) if busy else -1.0,
        "timings_ms": {stage: round(value, 1) for stage, value in timings.items()},
    }


@contextmanager
def watched() -> Iterator[list[int]]:
    """Percent of the time in which the card computed, sampled until the block ends."""
    samples: list[int] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(BUSY_EVERY_S):
            samples.append(torch.cuda.utilization())

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield samples
    finally:
        ended.set()
        watcher.join()


def rate(run: Callable[[], object], count: int) -> float:
    """Inputs a second: the median of calls during half a second, after two for nothing."""
    run(), run()
    seconds: list[float] = []
    until = time.perf_counter() + 0.5
    while time.perf_counter() < until or len(seconds) < 3:
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return round(count / statistics.median(seconds), 1)


def told(name: str, found: dict[str, Any]) -> str:
    """Tables of one way."""
    head = (
        f"## {name}: loaded in {found['loaded_s']} s, calls of {found['chosen']}, a crop alone "
        f"and among many 1 - cosine {found['apart_by_batch']:.1e} apart"
    )
    return "\n\n".join(
        (
            head,
            table(("crops a call", "crops/s"), list(found["embed_per_s"].items())),
            table(("pictures a call", "pictures/s"), list(found["detect_per_s"].items())),
            table(
                (
                    "pictures a batch",
                    "images/s",
                    "documents/s",
                    "images/s of the first pass",
                    "GPU busy",
                    "ms by stage",
                ),
                [(size, *one.values()) for size, one in found["pipeline"].items()],
            ),
        )
    )


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
