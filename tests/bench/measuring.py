"""What the benchmarks share: interleaved rounds, this machine, pictures, tables."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np

from embedding_pipeline.models.machine import this_machine

T = TypeVar("T")
LIBRARIES = ("torch", "timm", "ultralytics", "onnxruntime", "openvino", "numpy", "lancedb")


def pictures(count: int) -> list[bytes]:
    """The first ``count`` benchmark pictures, repeated with other bytes if there are fewer.

    They come from BOXSEEK_TEST_DATA/coco128, else they are Ultralytics' two.
    """
    folder = os.environ.get("BOXSEEK_TEST_DATA")
    paths = sorted((Path(folder) / "coco128" / "images").glob("*.jpg")) if folder else []
    if not paths:
        spec = find_spec("ultralytics")
        assets = Path(str(spec and spec.origin)).parent / "assets"
        paths = [assets / "bus.jpg", assets / "zidane.jpg"]
    files = [path.read_bytes() for path in paths[:count]]
    # Bytes after a JPEG's end mark change its hash and nothing else.
    return [files[i % len(files)] + b"\0" * (i // len(files)) for i in range(count)]


def enlarged(megapixels: float) -> bytes:
    """Ultralytics' bus.jpg at another size, with a camera's noise, as a camera's JPEG."""
    spec = find_spec("ultralytics")
    bgr = cv2.imread(str(Path(str(spec and spec.origin)).parent / "assets" / "bus.jpg"))
    factor = (megapixels * 1e6 / (bgr.shape[0] * bgr.shape[1])) ** 0.5
    how = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    resized = cv2.resize(bgr, None, fx=factor, fy=factor, interpolation=how)
    noise = np.random.default_rng(0).integers(-8, 9, resized.shape, np.int16)
    noisy = np.clip(resized.astype(np.int16) + noise, 0, 255).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 90])[1])


def interleaved(
    contenders: Mapping[str, Callable[[], T]], rounds: int, results: dict[str, T] | None = None
) -> dict[str, list[float]]:
    """Seconds of every round, each contender once a round, after one that is not counted.

    A busy machine then slows all of them; compare them within a round (``ratio``).

    Args:
        contenders: by name.
        rounds: that are counted.
        results: gets what each gave in the round that is not counted.
    """
    for name, run in contenders.items():
        result = run()
        if results is not None:
            results[name] = result
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        names = list(contenders)
        for name in names if number % 2 == 0 else reversed(names):
            started = time.perf_counter()
            contenders[name]()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """Median of the rounds' ratios."""
    return round(statistics.median(a / b for a, b in zip(over, under, strict=True)), 3)


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50 and p95 in ms."""
    p50, p95 = np.percentile(seconds, (50, 95))
    return {"p50_ms": round(1000 * float(p50), 1), "p95_ms": round(1000 * float(p95), 1)}


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def machine() -> dict[str, Any]:
    """This machine and the versions of what computes on it."""
    found = this_machine()
    return {
        "processor": found.processor,
        "flags": list(found.flags),
        "cores": found.cores,
        "memory_gb": round(found.memory_bytes / 1e9, 1),
        "gpu": found.gpu,
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "versions": {
            name: importlib.metadata.version(name) for name in LIBRARIES if find_spec(name)
        },
    }


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
