"""Every runtime and precision of detector and embedder: run as a script, prints ratios first.

Contenders run in interleaved rounds on the same inputs, so that a busy machine slows all of
them; ratios are medians of the rounds' ratios. What they are compared with is PyTorch fp32 in
whole batches (embedders) and Ultralytics' plain call, one picture at a time (detector, 4:3
pictures, the same input size, from decoded pixels to boxes). Random weights are as fast as
trained ones; int8 of those is calibrated on colour blobs.

With BOXSEEK_TEST_DATA the price of a cheaper precision is measured too: retrieval by marked
crops of COCO128 (same class in another picture), calibrated on crops that the detector finds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from measuring import interleaved, machine, pictures, ratio, say, table

from embedding_pipeline.domain.description import EmbedderDescription
from embedding_pipeline.errors import ModelError
from embedding_pipeline.models import packaged
from embedding_pipeline.models.calibration import CALIBRATION_CROPS, quantized
from embedding_pipeline.models.loaded import LoadedModels
from embedding_pipeline.models.network import Network, Way
from embedding_pipeline.models.opening import open_embedder_network, openvino_embedder
from embedding_pipeline.models.openvino_network import OpenVinoNetwork
from embedding_pipeline.models.peak import flops_of, matrix_peak_flops
from embedding_pipeline.models.quiet import import_ultralytics
from embedding_pipeline.models.resolve import load_models, module_of, resolve_models
from embedding_pipeline.models.samples import crop_of, sample_crops, spread
from embedding_pipeline.models.self_check import self_check
from embedding_pipeline.models.settling import blobs, described
from embedding_pipeline.models.torch_network import TorchNetwork
from embedding_pipeline.settings import Settings
from minio_proxy.picture.decode import decode
from minio_proxy.picture.header import Limits

WAYS = (
    Way("native", "fp32"),
    Way("native", "bf16"),
    Way("openvino", "fp32"),
    Way("openvino", "bf16"),
)
CROPS = {"": 64, "random:vit_small_patch16_224": 16, "random:vit_base_patch16_224": 8}
"""Embedders and the crops of one round; "" is the packaged one."""

SMALLEST_SIDE = 32
DETECTOR_PICTURES = 12
WANTED = {"vit_base int8 / torch fp32": 3.0, "vit_base fp32 share of peak": 0.8, "detector": 1.3}


def embedder(
    name: str, folder: Path, rounds: int, *, compiled: bool, peak: Callable[[], float]
) -> dict[str, Any]:
    """Ratios to PyTorch fp32, crops/s and shares of the matrix product of one embedder."""
    plain, settings = packaged_settings(folder, embedder=name)
    how = plain.description.embedder
    module = module_of(how, settings)
    networks = opened(how, module, settings)
    model = openvino_embedder(how, module, settings)
    probes = blobs((how.input_size, how.input_size))
    networks["openvino int8"] = OpenVinoNetwork(quantized(model, np.stack(probes)), "int8")
    warm_up_s = None
    if compiled:
        network = TorchNetwork(torch.compile(module()), how.mean, how.std)
        started = time.perf_counter()
        list(network.run([probes[0]] * CROPS[name]))
        warm_up_s = round(time.perf_counter() - started, 1)
        networks["native fp32 compiled"] = network
    inputs = [probes[i % len(probes)] for i in range(CROPS[name])]
    peaks = [peak()]
    seconds = interleaved({way: running(net, inputs) for way, net in networks.items()}, rounds)
    peaks.append(peak())
    rates = {way: len(inputs) / float(np.median(times)) for way, times in seconds.items()}
    best = max(peaks)
    return {
        "against_torch_fp32": {
            way: ratio(seconds["native fp32"], times) for way, times in seconds.items()
        },
        "share_of_matrix_product": {
            way: round(rates[way] * flops_of(model) / best, 3)
            for way in ("native fp32", "openvino fp32")
        },
        "crops_per_s": {way: round(rate, 1) for way, rate in rates.items()},
        "gflop_per_crop": round(flops_of(model) / 1e9, 2),
        "matrix_peak_gflops": round(best / 1e9, 1),
        "compile_warm_up_s": warm_up_s,
    }


def opened(
    how: EmbedderDescription, module: Callable[[], torch.nn.Module], settings: Settings
) -> dict[str, Network]:
    """A network of every way but int8."""
    return {
        str(way): open_embedder_network(described(how, way), module, settings, None) for way in WAYS
    }


def running(network: Network, inputs: Sequence[np.ndarray]) -> Callable[[], int]:
    """Run a network on all inputs."""
    return lambda: sum(1 for _ in network.run(inputs))


def detector(folder: Path, rounds: int, size: int) -> dict[str, Any]:
    """Ultralytics' plain call against ours on 4:3 pictures, from pixels to boxes."""
    ultralytics = import_ultralytics(folder / "yolo")
    yolo = ultralytics.YOLO(packaged.detector_file(), task="detect")
    plain, settings = packaged_settings(folder, detector_input_size=size)
    ours = {"native fp32": plain.detector}
    for way in WAYS[2:]:
        how = replace(plain.description, detector=described(plain.description.detector, way))
        ours[str(way)] = load_models(how, settings).detector
    images = four_to_three()
    flipped = [np.ascontiguousarray(image[..., ::-1]) for image in images]

    def ultralytics_call() -> int:
        return sum(
            len(yolo.predict(bgr, imgsz=size, conf=0.25, iou=0.7, verbose=False)[0].boxes)
            for bgr in flipped
        )

    contenders: dict[str, Callable[[], object]] = {"ultralytics": ultralytics_call}
    for name, model in ours.items():
        contenders[name] = lambda model=model: model.detect(images)
    fast = ours["openvino fp32"]
    contenders["openvino fp32, one a call"] = lambda: [fast.detect([image]) for image in images]
    seconds = interleaved(contenders, rounds)
    return {
        "against_ultralytics": {
            name: ratio(seconds["ultralytics"], times) for name, times in seconds.items()
        },
        "pictures_per_s": {
            name: round(len(images) / float(np.median(times)), 1) for name, times in seconds.items()
        },
        "input_size": size,
        "pictures": len(images),
    }


def four_to_three() -> list[np.ndarray]:
    """Upright RGB pixels of 640x480 pictures; others are cut and resized to it."""
    found = []
    for data in pictures(DETECTOR_PICTURES):
        rgb = decode(data, Limits()).rgb
        height = min(rgb.shape[0], rgb.shape[1] * 3 // 4)
        found.append(cv2.resize(rgb[:height, : height * 4 // 3], (640, 480)))
    return found


def quality(data: Path, folder: Path) -> dict[str, Any]:
    """P@10 and mAP@10 by marked crops of COCO128 in every precision of the packaged embedder."""
    plain, settings = packaged_settings(folder)
    how = plain.description.embedder
    paths = sorted((data / "coco128" / "images").glob("*.jpg"))
    crops, labels, numbers = marked(paths, how)
    module = module_of(how, settings)
    networks = opened(how, module, settings)
    sampled = sample_crops(
        (path.read_bytes() for path in spread(paths, 64)), plain.detector, how, Limits()
    )
    chosen = np.stack(spread(list(sampled.crops), CALIBRATION_CROPS))
    started = time.perf_counter()
    model = quantized(openvino_embedder(how, module, settings), chosen)
    took_s = time.perf_counter() - started
    networks["openvino int8"] = OpenVinoNetwork(model, "int8")
    vectors = {way: np.stack(list(network.run(crops))) for way, network in networks.items()}
    result: dict[str, Any] = {"queries": 0, "calibration_s": round(took_s, 1)}
    for way, found in vectors.items():
        check = self_check(vectors["native fp32"], found, labels, numbers)
        result["queries"] = check.queries
        result[way] = {
            "p_at_10": round(check.precision[1], 4),
            "map_at_10": round(check.mean_average_precision[1], 4),
            "same_nearest": round(check.overlap, 3),
        }
    return result


def marked(
    paths: Sequence[Path], how: EmbedderDescription
) -> tuple[list[np.ndarray], list[str], np.ndarray]:
    """Crops of marked objects of at least 32 x 32 pixels, their classes and pictures."""
    crops, labels, numbers = [], [], []
    for number, path in enumerate(paths):
        rgb = decode(path.read_bytes(), Limits()).rgb
        size = np.array((rgb.shape[1], rgb.shape[0]), np.float64)
        notes = path.parent.parent / "labels" / f"{path.stem}.txt"
        for line in notes.read_text().splitlines() if notes.is_file() else []:
            label, *values = line.split()
            center, half = (
                np.array(values[:2], float) * size,
                np.array(values[2:], float) * size / 2,
            )
            if (2 * half).min() >= SMALLEST_SIDE:
                box = (*(center - half), *(center + half))
                crops.append(crop_of(rgb, box, how))
                labels.append(label)
                numbers.append(number)
    return crops, labels, np.array(numbers, np.int64)


def packaged_settings(folder: Path, **values: Any) -> tuple[LoadedModels, Settings]:
    """Packaged models, native fp32, and the settings that give them."""
    settings = Settings(
        models="packaged", data_dir=folder, runtime="native", precision="fp32", **values
    )
    return resolve_models(settings), settings


def show(result: dict[str, Any]) -> None:
    """Tables, ratios first."""
    for name, found in result["embedders"].items():
        say(f"\n{name}, {found['gflop_per_crop']} GFLOP a crop")
        rows = [
            (way, times, found["crops_per_s"][way], found["share_of_matrix_product"].get(way, ""))
            for way, times in found["against_torch_fp32"].items()
        ]
        say(table(("way", "times torch fp32", "crops/s", "of the matrix product"), rows))
    if result["detector"]:
        found = result["detector"]
        say(f"\nyolo11n at {found['input_size']} pixels, 4:3 pictures")
        rows = [(w, t, found["pictures_per_s"][w]) for w, t in found["against_ultralytics"].items()]
        say(table(("way", "times Ultralytics' plain call", "pictures/s"), rows))
    if result["quality"]:
        found = dict(result["quality"])
        say(f"\ntf_efficientnet_lite0, {found.pop('queries')} queries by marked crop")
        say(f"int8 was calibrated in {found.pop('calibration_s')} s")
        rows = [(w, *scores.values()) for w, scores in found.items()]
        say(table(("way", "P@10", "mAP@10", "nearest the same"), rows))


def wanted(result: dict[str, Any]) -> dict[str, Any]:
    """What issue and documents promise, as measured; None where it was not."""
    base = result["embedders"].get("random:vit_base_patch16_224")
    found = result["detector"]
    return {
        "vit_base int8 / torch fp32": base and base["against_torch_fp32"]["openvino int8"],
        "vit_base fp32 share of peak": base and max(base["share_of_matrix_product"].values()),
        "detector": found and found["against_ultralytics"]["openvino fp32"],
    }


def main() -> int:
    """Run what is asked for; the exit status says whether what is wanted is reached."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=("packaged", "vit", "detector", "quality"))
    parser.add_argument("--size", type=int, default=640, help="detector's input, pixels")
    parser.add_argument("--compile", action="store_true", help="torch.compile too (minutes)")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    options = parser.parse_args()
    names = [n for n in CROPS if options.only in {None, "vit" if n else "packaged"}]
    result: dict[str, Any] = {"wanted": {}, "embedders": {}, "detector": None, "quality": None}
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for name in names:
            say(f"measuring {name or 'the packaged embedder'} ...")
            result["embedders"][name or packaged.EMBEDDER] = embedder(
                name, folder, options.rounds, compiled=options.compile, peak=matrix_peak_flops
            )
        if options.only in {None, "detector"}:
            say("measuring the detector ...")
            result["detector"] = detector(folder, options.rounds, options.size)
        data = os.environ.get("BOXSEEK_TEST_DATA")
        if data and options.only in {None, "quality"}:
            say("measuring quality ...")
            result["quality"] = quality(Path(data), folder)
    reached = wanted(result)
    result["wanted"] = {
        name: {"measured": reached[name], "at_least": least} for name, least in WANTED.items()
    }
    result["machine"] = machine()
    show(result)
    for name, pair in result["wanted"].items():
        say(f"{name}: {pair['measured']} (wanted: at least {pair['at_least']})")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return int(any((reached[name] or least) < least for name, least in WANTED.items()))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ModelError as error:
        sys.exit(error.message)
