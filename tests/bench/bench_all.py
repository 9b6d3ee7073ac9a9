"""Every figure of indexing and searching in one run: ``make bench``.

Contenders run in turns, so that a busy machine slows all of them; ratios come first, single
times are an order of magnitude. The result is written to artifacts/ as JSON, together with what
this machine is; tables for docs/benchmarks.md are printed.

ViT-B/16 has random weights here (it is named so): they say how fast it is and nothing else.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bench_growth
import bench_serving
import bench_throughput
from machine_peak import peak_flops
from measuring import machine, peak_memory_mb, pictures, say

from embedding_pipeline.bootstrap import Boxseek

VIT = "random:vit_base_patch16_224"
PACKAGED = ""
ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"
SECTIONS = ("throughput", "throughput-vit", "serving", "serving-vit", "growth", "growth-vit")

Section = Callable[[], tuple[dict[str, Any], str]]


class Lab:
    """Opens a Boxseek for each embedder once, for all sections; choosing models takes minutes.

    Args:
        folder: for their data.
        wishes: settings of runtime and precision.
        stack: closes them.
    """

    def __init__(self, folder: Path, wishes: dict[str, Any], stack: ExitStack) -> None:
        self._folder = folder
        self._wishes = wishes
        self._stack = stack
        self._opened: dict[str, Boxseek] = {}

    def boxseek(self, embedder: str) -> Boxseek:
        """The one with this embedder."""
        if embedder not in self._opened:
            folder = self._folder / str(len(self._opened))
            opened = bench_serving.opened(embedder, self._wishes, folder)
            self._opened[embedder] = self._stack.enter_context(opened)
        return self._opened[embedder]


def sections(options: argparse.Namespace, lab: Lab) -> dict[str, Section]:
    """What can be run, by name; each gives its result and its tables."""
    quick = options.quick
    rounds = options.rounds or (1 if quick else 3)

    def speed(embedder: str, count: int) -> Section:
        def run() -> tuple[dict[str, Any], str]:
            # One round of ViT-B/16 takes as long as several of the packaged embedder.
            turns = min(rounds, 2) if embedder == VIT and not options.rounds else rounds
            found = bench_throughput.throughput(lab.boxseek(embedder), pictures(count), turns)
            return found, bench_throughput.tables(found)

        return run

    def serving(embedder: str, count: int) -> Section:
        def run() -> tuple[dict[str, Any], str]:
            found = bench_serving.serving(
                lab.boxseek(embedder),
                pictures(count),
                entries=2_000 if quick else 20_000,
                backfill_s=10 if quick else 60,
            )
            return found, bench_serving.tables(found)

        return run

    def growth(embedder: str, archive: Sequence[int]) -> Section:
        def run() -> tuple[dict[str, Any], str]:
            found = bench_growth.growth(lab.boxseek(embedder), archive, rounds)
            return found, bench_growth.tables(found)

        return run

    return {
        "throughput": speed(PACKAGED, 8 if quick else 32),
        "throughput-vit": speed(VIT, 2 if quick else 16),
        "serving": serving(PACKAGED, 8 if quick else 24),
        "serving-vit": serving(VIT, 4 if quick else 16),
        "growth": growth(PACKAGED, (1_000, 5_000) if quick else (1_000, 10_000, 50_000)),
        "growth-vit": growth(VIT, ()),
    }


def reported(name: str, section: Section) -> dict[str, Any]:
    """Run a section and print its tables; its time and the memory so far go with its result."""
    began = time.perf_counter()
    found, text = section()
    took_s, memory_mb = round(time.perf_counter() - began, 1), peak_memory_mb()
    say(f"\n## {name}\n\n{text}\n\n{took_s:.0f} s, peak memory so far {memory_mb:.0f} MB")
    return found | {"took_s": took_s, "peak_memory_so_far_mb": memory_mb}


def main(arguments: Sequence[str]) -> None:
    """Run the sections that are asked for, print tables, write JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=SECTIONS, help="this section (repeat)")
    parser.add_argument("--quick", action="store_true", help="few pictures, one round, small index")
    parser.add_argument("--rounds", type=int, default=0, help="counted rounds (default 3)")
    parser.add_argument("--runtime", default="auto", help="as BOXSEEK_RUNTIME")
    parser.add_argument("--precision", default="auto", help="as BOXSEEK_PRECISION")
    parser.add_argument("--json", type=Path, default=ARTIFACTS / "bench.json")
    options = parser.parse_args(arguments)
    result: dict[str, Any] = {
        "machine": machine() | {"peak_gflops_fp32": round(peak_flops() / 1e9, 1)},
        "quick": options.quick,
    }
    say(json.dumps(result["machine"]))
    wishes = {"runtime": options.runtime, "precision": options.precision}
    with TemporaryDirectory() as folder, ExitStack() as stack:
        available = sections(options, Lab(Path(folder), wishes, stack))
        for name in options.only or SECTIONS:
            result[name] = reported(name, available[name])
            # After each section, so that an interrupted run keeps what it has.
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    say(f"\nwritten to {options.json}")


if __name__ == "__main__":
    main(sys.argv[1:])
