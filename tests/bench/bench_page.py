"""Measure the page in a real Chromium: first paint, script, layout shift, search, outlines.

The service, the models and the pictures are real. Every visit has an empty cache. "slow phone"
is what Lighthouse assumes of one: a quarter of this machine's speed, 1.6 Mbit/s, 150 ms a
round trip.

Run: python tests/bench/bench_page.py --rounds 5
     python tests/bench/bench_page.py --images /path/to/photographs --count 40
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from support.front_browser import find_chromium, launch_arguments
from support.front_figures import redraw_ms
from support.front_page import Visitor
from support.front_site import Site, add_pictures, serving

OBSERVE = """
  window.figures = { shift: 0, largest: 0 };
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) figures.shift += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
  new PerformanceObserver((list) => {
    figures.largest = list.getEntries().at(-1).startTime;
  }).observe({ type: "largest-contentful-paint", buffered: true });
"""
READ = """() => ({
  ...figures,
  first: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
})"""
MBIT_BYTES = 125_000
THROUGHPUT_MBIT = 1.6
ROUND_TRIP_MS = 150
SLOWER = 4


@dataclass(frozen=True, slots=True)
class Screen:
    """On what the page is opened.

    Args:
        name: in the table.
        options: of the browser's context.
        slow: with a slow phone's processor and network.
    """

    name: str
    options: dict[str, Any]
    slow: bool = False


@dataclass(slots=True)
class Visit:
    """What one visit with an empty cache took; times in milliseconds, sizes in bytes."""

    first_paint_ms: float = 0.0
    largest_paint_ms: float = 0.0
    shift: float = 0.0
    search_ms: float = 0.0
    script_bytes: int = 0
    start_bytes: int = 0
    requests: int = 0
    outlines_ms: list[float] = field(default_factory=list)


PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 3,
    "is_mobile": True,
    "has_touch": True,
}
SCREENS = (
    Screen("desk", {"viewport": {"width": 1366, "height": 768}}),
    Screen("wide", {"viewport": {"width": 2560, "height": 1300}}),
    Screen("phone", PHONE),
    Screen("slow phone", PHONE, slow=True),
)


def main() -> None:
    """Visit on every screen in turns and print the table."""
    arguments = parse()
    pictures = photographs(arguments.images)[: arguments.count]
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder) / "data") as url,
        sync_playwright() as playwright,
    ):
        add_pictures(url, pictures, "bench")
        path, reason = find_chromium(os.environ, playwright.chromium.executable_path)
        if path is None:
            raise SystemExit(reason)
        browser = playwright.chromium.launch(executable_path=path, args=launch_arguments())
        site = Site(url, Path(folder), len(pictures), ("bench",))
        visits: dict[str, list[Visit]] = {screen.name: [] for screen in SCREENS}
        for _ in range(arguments.rounds + 1):  # the first round makes the thumbnails
            for screen in SCREENS:
                visits[screen.name].append(visit(browser, site, screen, pictures[0]))
        browser.close()
    table = {name: summary(found[1:]) for name, found in visits.items()}
    print(json.dumps(table, indent=2) if arguments.json else markdown(table))  # noqa: T201


def visit(browser: Browser, site: Site, screen: Screen, picture: Path) -> Visit:
    """Open the start page with an empty cache, search with a picture, redraw 100 outlines."""
    context = browser.new_context(**screen.options)
    page = context.new_page()
    page.add_init_script(OBSERVE)
    seen = Visit()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    kinds: dict[str, str] = {}

    def answered(event: dict[str, Any]) -> None:
        kinds[event["requestId"]] = event["type"]

    def finished(event: dict[str, Any]) -> None:
        kind = kinds.get(event["requestId"], "")
        sent = int(event["encodedDataLength"])
        seen.requests += 1
        seen.start_bytes += sent
        seen.script_bytes += sent if kind == "Script" else 0

    session.on("Network.responseReceived", answered)
    session.on("Network.loadingFinished", finished)
    if screen.slow:
        slow_down(session)
    page.goto(site.url)
    expect(page.get_by_role("button", name="Picture 1. Open large")).to_be_visible()
    visitor = Visitor(page, site)
    visitor.wait_pictures()
    session.remove_listener("Network.loadingFinished", finished)
    read = page.evaluate(READ)
    seen.first_paint_ms, seen.largest_paint_ms = read["first"], read["largest"]
    began = time.perf_counter()
    visitor.choose(picture)
    visitor.wait_results()
    seen.search_ms = (time.perf_counter() - began) * 1000
    visitor.wait_pictures()
    seen.shift = page.evaluate(READ)["shift"]
    if screen.name == "desk":
        seen.outlines_ms = outlines_ms(page, visitor, picture)
    context.close()
    return seen


def slow_down(session: Any) -> None:
    """A quarter of the speed, and a slow mobile network."""
    rate = THROUGHPUT_MBIT * MBIT_BYTES
    session.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": ROUND_TRIP_MS,
            "downloadThroughput": rate,
            "uploadThroughput": rate / 2,
        },
    )
    session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})


def outlines_ms(page: Page, visitor: Visitor, picture: Path) -> list[float]:
    """Script, style and layout of redrawing 100 outlines at another size of the window."""

    def crowd(route: Route) -> None:
        answer = route.fetch()
        body = answer.json()
        wide, high = body["width"] / 10, body["height"] / 10
        body["objects"] = [
            {
                "box": [x * wide, y * high, x * wide + wide * 0.9, y * high + high * 0.9],
                "label": "thing",
                "confidence": 0.5,
            }
            for x in range(10)
            for y in range(10)
        ]
        route.fulfill(response=answer, body=json.dumps(body))

    page.route("**/v1/queries/*", crowd)
    visitor.see_results(picture)
    expect(visitor.outlines).to_have_count(100)
    return [redraw_ms(page, width) for width in (1340, 1300, 1260, 1220, 1180)]


def summary(visits: Sequence[Visit]) -> dict[str, float]:
    """Medians over the visits; the largest shift."""
    outlines = [took for one in visits for took in one.outlines_ms]
    found = {
        "first_paint_ms": statistics.median(one.first_paint_ms for one in visits),
        "largest_paint_ms": statistics.median(one.largest_paint_ms for one in visits),
        "layout_shift": max(one.shift for one in visits),
        "script_kB": statistics.median(one.script_bytes for one in visits) / 1000,
        "all_kB": statistics.median(one.start_bytes for one in visits) / 1000,
        "requests": statistics.median(one.requests for one in visits),
        "search_ms": statistics.median(one.search_ms for one in visits),
    }
    if outlines:
        found["outlines_100_ms"] = statistics.median(outlines)
    return {name: round(value, 4) for name, value in found.items()}


def markdown(table: dict[str, dict[str, float]]) -> str:
    """The table of docs/benchmarks.md."""
    rows = [
        (
            "| screen | first paint ms | largest paint ms | layout shift | script kB | all kB "
            "| requests | picture to results ms | 100 outlines ms |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, one in table.items():
        outlines = f"{one['outlines_100_ms']:.1f}" if "outlines_100_ms" in one else ""
        rows.append(
            f"| {name} | {one['first_paint_ms']:.0f} | {one['largest_paint_ms']:.0f} "
            f"| {one['layout_shift']:.3f} | {one['script_kB']:.0f} | {one['all_kB']:.0f} "
            f"| {one['requests']:.0f} | {one['search_ms']:.0f} | {outlines} |"
        )
    return "\n".join(rows)


def photographs(folder: Path | None) -> list[Path]:
    """The given photographs, else those inside Ultralytics."""
    if folder is not None:
        return sorted(folder.glob("*.jpg"))
    spec = find_spec("ultralytics")
    if spec is None or spec.origin is None:
        raise SystemExit("no photographs: give --images")
    return sorted((Path(spec.origin).parent / "assets").glob("*.jpg"))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="visits on every screen")
    parser.add_argument("--images", type=Path, help="folder of photographs to index")
    parser.add_argument("--count", type=int, default=40, help="how many of them")
    parser.add_argument("--json", action="store_true", help="for machines")
    return parser.parse_args()


if __name__ == "__main__":
    main()
