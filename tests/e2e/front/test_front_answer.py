"""What a search shows: order, proportions, filters, pages, and an honest nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.sync_api import expect

from support.front_page import Visitor
from support.front_site import Site, add_pictures

pytestmark = [pytest.mark.browser, pytest.mark.models]

CUT_AGREES = """() => {
  const head = document.querySelector(".head .count").textContent;
  const said = /([\\d,]+) below the score cut/.exec(head);
  const heading = document.querySelector("section.below h2");
  return said !== null && heading !== null && heading.textContent.startsWith(`${said[1]} picture`);
}"""

WATCH_SHIFTS = """
  window.shifted = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
"""
SHOWN = """(all) => all.filter((image) => image.naturalWidth > 0).map((image) => ({
  wide: image.clientWidth,
  high: image.clientHeight,
  width: image.naturalWidth,
  height: image.naturalHeight,
  address: image.currentSrc,
}))"""


def test_results_are_in_order_and_in_proportion(visitor: Visitor, bus: Path) -> None:
    """Best first, boxes labelled with their score, and nothing jumps from the first byte on."""
    visitor.page.add_init_script(WATCH_SHIFTS)
    visitor.see_results(bus)
    question = {"query_id": visitor.site.query_of(bus), "limit": "24"}
    hits = httpx.post(f"{visitor.site.url}/v1/search", data=question, timeout=60).json()["hits"]
    assert visitor.scores() == pytest.approx([hit["score"] for hit in hits], abs=0.0051)
    assert visitor.scores()[0] >= 0.99
    expect(visitor.cards.first.locator(".match.best .label")).to_have_text(re.compile(r"\d\.\d\d$"))
    visitor.wait_pictures()
    images = visitor.cards.locator("img").evaluate_all(SHOWN)
    assert images
    for image in images:
        true = image["width"] / image["height"]
        assert image["wide"] / image["high"] == pytest.approx(true, rel=0.03)
    visitor.shoot("02-results")
    assert visitor.page.evaluate("window.shifted") < 0.02


@pytest.mark.parametrize(
    "screen",
    [
        {"viewport": {"width": 1360, "height": 900}},
        {
            "viewport": {"width": 390, "height": 844},
            "device_scale_factor": 3,
            "is_mobile": True,
            "has_touch": True,
        },
    ],
    ids=["desk", "phone"],
)
def test_thumbnails_come_in_the_size_of_their_place(
    visit: Callable[..., Visitor], archive: Site, bus: Path, screen: dict[str, Any]
) -> None:
    """No thumbnail is wider than its place on this screen needs, and none is blurred."""
    visitor = visit(**screen)
    visitor.see_results(bus)
    visitor.wait_pictures()
    images = visitor.cards.locator("img").evaluate_all(SHOWN)
    assert images
    for image in images:
        found = re.search(r"/thumbnails/(\d+)/", image["address"])
        assert found is not None
        needed = image["wide"] * screen.get("device_scale_factor", 1)
        enough = next(width for width in (256, 512, 1024, 1600) if width >= needed)
        assert 0.6 * min(needed, 512) <= int(found.group(1)) <= enough


ROWS = """(list) => {
  const edge = list.getBoundingClientRect().right;
  const rows = new Map();
  for (const card of list.children) {
    const { top, right } = card.getBoundingClientRect();
    rows.set(Math.round(top), edge - right);
  }
  return [...rows.values()];
}"""


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_rows_fill_the_width(
    visit: Callable[..., Visitor], archive: Site, bus: Path, width: int
) -> None:
    """Every row of pictures but the last of each part ends where the list ends."""
    assert archive.pictures > 20
    visitor = visit(viewport={"width": width, "height": 900})
    visitor.see_results(bus)
    lists = visitor.results.locator("ol.pictures")
    gaps = [gap for part in lists.all() for gap in part.evaluate(ROWS)[:-1]]
    assert len(gaps) >= 2
    assert max(gaps) < 2


def test_label_filter_and_back(visitor: Visitor, bus: Path) -> None:
    """A label leaves only pictures with it, the other labels stay in reach, back undoes it."""
    visitor.see_results(bus)
    all_results = visitor.cards.count()
    labels = visitor.page.get_by_role("group", name="Labels")
    names = labels.get_by_role("button").all_inner_texts()
    chosen = labels.get_by_role("button", name=re.compile("^person "))
    chosen.click()
    visitor.page.wait_for_url(re.compile("label=person"))
    visitor.wait_results()
    expect(chosen).to_have_attribute("aria-pressed", "true")
    shown = visitor.cards.locator(".match.best .label").all_inner_texts()
    assert shown
    assert all(text.startswith("person ") for text in shown)
    assert labels.get_by_role("button").all_inner_texts() == names
    visitor.shoot("10-label-filter")
    visitor.page.go_back()
    expect(chosen).to_have_attribute("aria-pressed", "false")
    expect(visitor.cards).to_have_count(all_results)


def test_score_slider_says_and_shows_what_it_cuts_off(visitor: Visitor, bus: Path) -> None:
    """The slider hides what scores lower at once, says how many, shows them small, and undoes."""
    visitor.see_results(bus)
    before = visitor.cards.count()
    slider = visitor.page.get_by_role("slider", name="Lowest score")
    slider.focus()
    visitor.page.keyboard.press("End")
    visitor.page.keyboard.press("PageDown")
    expect(visitor.page.get_by_text(re.compile(r"Hides \d+ of \d+ loaded"))).to_be_visible()
    assert visitor.cards.count() < before
    assert "min=" in visitor.page.url
    below = visitor.page.get_by_role("region", name="Below the score cut")
    visitor.page.wait_for_function(CUT_AGREES)  # more may be loaded in the meantime
    expect(below.get_by_role("button", name=re.compile("^Cut off")).first).to_be_visible()
    visitor.wait_pictures()
    visitor.shoot("11-score-cut")
    kept = visitor.cards.count()
    below.get_by_role("button", name=re.compile("^Lower the cut")).click()
    expect(visitor.cards).not_to_have_count(kept)
    visitor.page.reload()
    visitor.wait_results()
    expect(visitor.page.get_by_text(re.compile(r"Hides \d+ of"))).to_be_visible()
    visitor.page.get_by_role("button", name=re.compile("^Remove filter: score")).click()
    expect(visitor.page.get_by_text(re.compile(r"^Keeps all \d+ loaded"))).to_be_visible()
    assert visitor.cards.count() >= before


def test_dates(visitor: Visitor, bus: Path, tmp_path: Path) -> None:
    """Pictures can be found by when they were taken, by keyboard too; others drop out."""
    dated = tmp_path / "dated.jpg"
    with Image.open(bus) as picture:
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = "2015:06:01 12:00:00"
        picture.resize((405, 540)).save(dated, exif=exif)
    add_pictures(visitor.site.url, [dated], "dated")
    visitor.see_results(bus)
    visitor.page.get_by_label("from", exact=True).focus()
    visitor.page.keyboard.type("01012015")
    visitor.page.keyboard.press("Tab")
    visitor.page.wait_for_url(re.compile("after=2015-01-01"))
    expect(visitor.cards).to_have_count(1)
    visitor.page.get_by_label("before", exact=True).fill("2016-01-01")
    visitor.page.wait_for_url(re.compile("before=2016-01-01"))
    expect(visitor.cards).to_have_count(1)
    visitor.shoot("16-dates")
    visitor.page.get_by_role("button", name="Remove filter: taken before 2016-01-01").click()
    visitor.page.get_by_label("before", exact=True).fill("2015-06-01")
    expect(visitor.page.get_by_role("heading", name="Nothing like this here")).to_be_visible()
    visitor.page.get_by_role("button", name=re.compile("^Remove filter: taken before")).click()
    visitor.large().get_by_text("Jun 1, 2015").wait_for()
    visitor.page.get_by_role("button", name="Delete picture").click()
    expect(visitor.cards).to_have_count(0)


def test_kinds_and_collections(visitor: Visitor, archive: Site, bus: Path) -> None:
    """Only whole pictures, or only one collection, can be searched."""
    visitor.see_results(bus)
    filters = visitor.page.get_by_role("region", name="Filters")
    filters.get_by_text("Pictures", exact=True).click()
    visitor.page.wait_for_url(re.compile("kinds=image"))
    visitor.wait_results()
    expect(visitor.cards.first.locator(".whole")).to_be_visible()
    filters.get_by_role("button", name="Clear filters").click()
    visitor.wait_results()
    filters.get_by_role("button", name=re.compile("^samples")).click()
    visitor.page.wait_for_url(re.compile("collection=samples"))
    expect(visitor.cards).to_have_count(2)


def test_nothing_like_this(visitor: Visitor, bus: Path) -> None:
    """A filter that leaves nothing says so, what may help, and how to undo it."""
    visitor.see_results(bus)
    visitor.page.get_by_label("from", exact=True).fill("2090-01-01")
    visitor.page.get_by_label("from", exact=True).blur()
    expect(visitor.page.get_by_role("heading", name="Nothing like this here")).to_be_visible()
    visitor.shoot("12-nothing")
    visitor.page.get_by_role("button", name="Clear the filters").click()
    visitor.wait_results()
    assert "after=" not in visitor.page.url


def test_pages_have_no_repeats(visitor: Visitor, archive: Site, bus: Path) -> None:
    """Scrolling on brings every picture once, until it says that this is everything."""
    visitor.see_results(bus)
    end = visitor.results.get_by_text("That is everything")
    visitor.page.mouse.move(700, 500)
    while visitor.results.get_by_text("so far").count() > 0:
        shown = visitor.cards.count()
        visitor.page.mouse.wheel(0, 20_000)
        visitor.page.wait_for_function(
            "(n) => document.querySelectorAll('li.card').length > n", arg=shown
        )
    expect(end).to_be_visible()
    pictures = visitor.cards.locator("img").evaluate_all(
        "(all) => all.map((image) => image.src.split('/').at(-1))"
    )
    assert len(pictures) > 24
    assert len(pictures) == len(set(pictures))
    visitor.shoot("13-end-of-list")


def test_crops_and_comparison(visitor: Visitor, bus: Path) -> None:
    """The matches can be seen as crops, and one beside what was searched for."""
    visitor.see_results(bus)
    visitor.results.get_by_text("Crops", exact=True).click()
    first = visitor.cards.first
    expect(first.get_by_role("img")).to_have_count(0)  # the button's name says it already
    expect(first.locator("img")).to_have_js_property("complete", value=True)
    assert first.locator("img").evaluate("(image) => image.naturalWidth") > 0
    visitor.shoot("14-crops")
    first.get_by_role("button", name=re.compile("^Compare")).click()
    dialog = visitor.page.get_by_role("dialog", name="Side by side")
    expect(dialog.get_by_role("img")).to_have_count(2)
    expect(dialog.get_by_text("Score 1.00")).to_be_visible()
    visitor.shoot("15-comparison")
    visitor.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert "view=crops" in visitor.page.url
