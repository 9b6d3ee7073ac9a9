"""Figures of the page that are measured in a browser and kept beside the screenshots."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Page

from support.front_site import REPOSITORY

FIGURES = REPOSITORY / "artifacts" / "front_figures.json"
SECOND_MS = 1000.0


def keep_figure(name: str, value: Any) -> None:
    """Write a figure down, beside those of other tests."""
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.is_file() else {}
    text = json.dumps(known | {name: value}, indent=2, sort_keys=True)
    FIGURES.write_text(text + "\n", encoding="utf-8")


def redraw_ms(page: Page, width: int) -> float:
    """Milliseconds of script, style and layout until all is drawn at another window width."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def busy_s() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        named = {metric["name"]: metric["value"] for metric in metrics}
        return float(
            sum(named[name] for name in ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration"))
        )

    before = busy_s()
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    took_ms = (busy_s() - before) * SECOND_MS
    session.detach()
    return round(took_ms, 2)
