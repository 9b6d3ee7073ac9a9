"""What a search shows: order, proportions, filters, pages, and an honest nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from support.front_page import Visitor
from support.front_site import Site

pytestmark = [pytest.mark.browser, pytest.mark.models]

WATCH_SHIFTS = """() => {
  window.shifted = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
}"""


def test_results_are_in_order_and_in_proportion(visitor: Visitor, bus: Path) -> None:
    """Best first, boxes labelled with their score, nothing jumps while pictures load."""
    visitor.search_with(bus)
    scores = visitor.scores()
    assert scores == sorted(scores, reverse=True)
    assert scores[0] >= 0.99
    expect(visitor.cards.first.locator(".match.best .label")).to_have_text(re.compile(r"\d\.\d\d$"))
    visitor.page.evaluate(WATCH_SHIFTS)
    visitor.page.wait_for_load_state("networkidle")
    images = visitor.cards.locator("img").evaluate_all(
        "(all) => all.filter((i) => i.naturalWidth > 0).map((i) =>"
        " [i.clientWidth / i.clientHeight, i.naturalWidth / i.naturalHeight])"
    )
    assert images
    assert all(shown == pytest.approx(true, rel=0.03) for shown, true in images)
    assert visitor.page.evaluate("window.shifted") < 0.02


def test_label_filter_and_back(visitor: Visitor, bus: Path) -> None:
    """A label leaves only pictures with it, the other labels stay in reach, back undoes it."""
    visitor.search_with(bus)
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


def test_score_slider_says_what_it_cuts_off(visitor: Visitor, bus: Path) -> None:
    """The slider hides what scores lower at once, says how many, and the address keeps it."""
    visitor.search_with(bus)
    before = visitor.cards.count()
    slider = visitor.page.get_by_role("slider", name="Lowest score")
    slider.focus()
    visitor.page.keyboard.press("End")
    visitor.page.keyboard.press("PageDown")
    expect(visitor.page.get_by_text(re.compile(r"Hides \d+ of \d+ loaded"))).to_be_visible()
    assert visitor.cards.count() < before
    assert "min=" in visitor.page.url
    visitor.shoot("11-score-cut")
    visitor.page.reload()
    visitor.wait_results()
    expect(visitor.page.get_by_text(re.compile(r"Hides \d+ of"))).to_be_visible()


def test_kinds_and_collections(visitor: Visitor, archive: Site, bus: Path) -> None:
    """Only whole pictures, or only one collection, can be searched."""
    visitor.search_with(bus)
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
    visitor.search_with(bus)
    visitor.page.get_by_label("from", exact=True).fill("2090-01-01")
    visitor.page.get_by_label("from", exact=True).blur()
    expect(visitor.page.get_by_role("heading", name="Nothing like this here")).to_be_visible()
    visitor.shoot("12-nothing")
    visitor.page.get_by_role("button", name="Clear the filters").click()
    visitor.wait_results()
    assert "after=" not in visitor.page.url


def test_pages_have_no_repeats(visitor: Visitor, archive: Site, bus: Path) -> None:
    """Scrolling on brings every picture once, until it says that this is everything."""
    visitor.search_with(bus)
    for _ in range(12):
        visitor.page.mouse.move(700, 500)
        visitor.page.mouse.wheel(0, 4000)
        visitor.page.wait_for_timeout(250)
        if visitor.results.get_by_text("That is everything").is_visible():
            break
    expect(visitor.results.get_by_text("That is everything")).to_be_visible()
    pictures = visitor.cards.locator("img").evaluate_all(
        "(all) => all.map((i) => new URL(i.src).pathname)"
    )
    assert len(pictures) > 24
    assert len(pictures) == len(set(pictures))
    visitor.shoot("13-end-of-list")


def test_crops_and_comparison(visitor: Visitor, bus: Path) -> None:
    """The matches can be seen as crops, and one beside what was searched for."""
    visitor.search_with(bus)
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
