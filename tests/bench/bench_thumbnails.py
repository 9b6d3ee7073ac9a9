"""What shrink-on-load and the cache save, measured side by side in one run.

    python tests/bench/bench_thumbnails.py [--width 320] [--repeats 9]

A 12-megapixel JPEG's thumbnail is compared with decoding the whole picture and resizing it:
time in one process, in turns; memory in processes of their own (peak resident set above the
one before the first call). A cached thumbnail from a folder is compared with making it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from minio_proxy.picture.decode import Limits, decode
from minio_proxy.picture.render import encode, fitted, render_thumbnail, resize
from minio_proxy.settings import ProxySettings
from minio_proxy.stores.folder import FolderStore
from minio_proxy.thumbnails import ThumbnailService

SIZE_WH = (4000, 3000)
IMAGE_KEY = "0" * 64


def make_photo() -> bytes:
    """Make a 12-megapixel JPEG with about as much detail as a photograph."""
    random = np.random.default_rng(7)
    layers = np.zeros((SIZE_WH[1], SIZE_WH[0], 3), dtype=np.float32)
    for step, weight in ((4, 0.15), (16, 0.25), (128, 0.6)):
        shape = (SIZE_WH[1] // step, SIZE_WH[0] // step, 3)
        noise = Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8))
        layers += weight * np.asarray(noise.resize(SIZE_WH, Image.Resampling.BICUBIC))
    out = BytesIO()
    Image.fromarray(layers.astype(np.uint8)).save(out, "JPEG", quality=88)
    return out.getvalue()


def shrunk_on_load(data: bytes, width: int) -> bytes:
    """Make the thumbnail as the product does."""
    return render_thumbnail(data, width, "image/jpeg", 70, Limits())


def decoded_in_full(data: bytes, width: int) -> bytes:
    """Make the same thumbnail from the whole picture."""
    picture = decode(data, Limits())
    return encode(resize(picture.rgb, fitted(picture.size_wh, width)), "image/jpeg", 70)


WAYS = {"shrunk_on_load": shrunk_on_load, "decoded_in_full": decoded_in_full}


def times_ms(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Measure calls in turns, so that a busy moment meets all of them; one time a round."""
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            spent[name].append((time.perf_counter() - began) * 1000)
    return spent


def times_faster(slow: list[float], fast: list[float]) -> float:
    """Median of the rounds' ratios: what disturbs the machine disturbs both sides of one."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def own_memory_mb(way: str, file: Path, width: int) -> float:
    """Measure one way's peak memory in a process of its own."""
    options = ["--memory", way, "--file", str(file), "--width", str(width)]
    command = [sys.executable, __file__, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def print_memory(way: str, file: Path, width: int) -> None:
    """Print by how many MB one call raises the peak, once code and codecs are loaded."""
    data = file.read_bytes()
    small = BytesIO()
    Image.new("RGB", (64, 64)).save(small, "JPEG")
    WAYS[way](small.getvalue(), width)
    before = peak_mb()
    WAYS[way](data, width)
    sys.stdout.write(f"{peak_mb() - before}\n")


def peak_mb() -> float:
    """Read this process's peak resident set (ru_maxrss would begin with the parent's)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


class OneOriginal:
    """Originals with one picture."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, image_key: str) -> bytes:
        """Give the picture."""
        return self._data

    def exists(self, image_key: str) -> bool:
        """It is always there."""
        return True


def cache_times_ms(data: bytes, width: int, repeats: int, folder: Path) -> dict[str, list[float]]:
    """Compare a cached thumbnail with making and keeping it, over a real folder store."""
    service = ThumbnailService.from_settings(
        FolderStore(folder),
        OneOriginal(data),
        ProxySettings(_env_file=None, thumbnail_memory_mb=0),
    )

    def make() -> None:
        service.delete(IMAGE_KEY)
        service.thumbnail(IMAGE_KEY, width, "image/jpeg")

    def cached() -> None:
        service.thumbnail(IMAGE_KEY, width, "image/jpeg")

    return times_ms({"made": make, "cached": cached}, repeats)


def measure(width: int, repeats: int) -> dict[str, float]:
    """Run everything and give ratios beside the figures they come from."""
    data = make_photo()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "photo.jpg"
        file.write_bytes(data)
        spent = times_ms({n: lambda w=w: w(data, width) for n, w in WAYS.items()}, repeats)
        memory = {name: own_memory_mb(name, file, width) for name in WAYS}
        cache = cache_times_ms(data, width, repeats, Path(folder) / "store")
    return {
        "file_mb": len(data) / 1e6,
        "width": width,
        **{f"{name}_ms": statistics.median(values) for name, values in (spent | cache).items()},
        **{f"{name}_mb": value for name, value in memory.items()},
        "times_faster": times_faster(spent["decoded_in_full"], spent["shrunk_on_load"]),
        "memory_part": memory["shrunk_on_load"] / memory["decoded_in_full"],
        "cached_times_faster": times_faster(cache["made"], cache["cached"]),
    }


def report(figures: dict[str, float]) -> None:
    """Print a table of the goals, and everything as JSON."""
    rows = [
        ("shrink-on-load, times faster", figures["times_faster"], ">= 3"),
        ("shrink-on-load, part of the memory", figures["memory_part"], "<= 0.25"),
        ("cached, times faster than made", figures["cached_times_faster"], ">= 10"),
    ]
    lines = [f"{'measure':38} {'value':>8}  goal"]
    lines += [f"{name:38} {value:8.2f}  {goal}" for name, value, goal in rows]
    lines.append(json.dumps({name: round(value, 3) for name, value in figures.items()}))
    sys.stdout.write("\n".join(lines) + "\n")


def main() -> None:
    """Run the benchmark, or one memory measurement for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--memory", choices=sorted(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.memory:
        print_memory(chosen.memory, chosen.file, chosen.width)
    else:
        report(measure(chosen.width, chosen.repeats))


if __name__ == "__main__":
    main()
