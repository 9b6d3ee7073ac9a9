"""Recall against latency, drawn from the benchmark's measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

_MARKS = {"hnsw": "o", "int8_hnsw": "s", "bbq_hnsw": "^", "lancedb": "D"}


def draw(results: Sequence[Mapping[str, Any]], file: Path) -> None:
    """Draw a curve an index over num_candidates (LanceDB has one point, it has no such number).

    Args:
        results: of the benchmark's JSON.
        file: SVG or PNG.
    """
    mpl.use("agg")
    # The same figures give the same file.
    mpl.rcParams["svg.hashsalt"] = "boxseek"
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for result in results:
        points = sorted(
            (search["num_candidates"] or 0, search["p50_ms"], search["recall"])
            for search in result["searches"]
            if search["filter"] == "all"
        )
        # The search with the default is in the sweep, or has no number of its own.
        points = [point for point in points if point[0]] or points
        if not points:
            continue
        axes.plot(
            [x for _, x, _ in points],
            [y for _, _, y in points],
            marker=_MARKS.get(result["backend"], "o"),
            label=result["name"],
        )
        for candidates, x, y in points:
            if candidates:
                axes.annotate(
                    str(candidates), (x, y), (3, -9), textcoords="offset points", fontsize=7
                )
    entries = sorted({result["entries"] for result in results})
    axes.set_xscale("log")
    axes.set_xlabel("p50 of kNN for 10, ms (numbers at the points: num_candidates)")
    axes.set_ylabel("recall@10 against an exact scan")
    axes.set_title(
        f"{', '.join(f'{count:,}' for count in entries)} vectors of 768 dimensions "
        "(64 latent ones and noise)",
        fontsize=10,
    )
    axes.axhline(0.97, linewidth=0.8, linestyle="--", color="grey")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
    plt.close(figure)
