"""Going on from what was found: large pictures, searching on, addresses."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from support.front_page import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.models]


def test_click_on_a_box_in_a_result_searches_on(visitor: Visitor, bus: Path) -> None:
    """A matched box in a result is the next question, first in its own results."""
    visitor.see_results(bus)
    visitor.cards.nth(1).locator(".match.best").click()
    visitor.page.wait_for_url(re.compile(r"object=[0-9a-f]{64}-\d{3}"))
    visitor.wait_results()
    assert visitor.scores()[0] >= 0.99
    expect(visitor.query.get_by_role("img")).to_be_visible()
    expect(visitor.query.locator(".outline.strong")).to_have_count(1)


def test_back_forward_reload_and_share(
    visit: Callable[..., Visitor], visitor: Visitor, bus: Path
) -> None:
    """Every search has an address: history, reload and another person's window show the same."""
    visitor.see_results(bus)
    first, count = visitor.page.url, visitor.cards.count()
    visitor.cards.nth(1).locator(".match.best").click()
    visitor.page.wait_for_url(re.compile("object="))
    visitor.wait_results()
    second = visitor.page.url
    visitor.page.go_back()
    expect(visitor.page).to_have_url(first)
    expect(visitor.cards).to_have_count(count)
    expect(visitor.outlines.first).to_be_visible()
    visitor.page.go_forward()
    expect(visitor.page).to_have_url(second)
    visitor.wait_results()
    visitor.page.go_back()
    visitor.page.reload()
    visitor.wait_results()
    assert visitor.outlines.count() >= 4
    other = visit()
    other.page.goto(first)
    other.wait_results()
    expect(other.query.get_by_role("img")).to_be_visible()
    assert other.scores() == visitor.scores()


def test_large_picture_zooms_pans_and_searches(visitor: Visitor, bus: Path) -> None:
    """A result opened large shows all its objects, zooms and pans, and each can be searched."""
    visitor.see_results(bus)
    dialog = visitor.large()
    boxes = dialog.locator(".outline")
    expect(boxes.first).to_be_visible()
    assert boxes.count() >= 4
    visitor.shoot("20-large")
    stage, picture = dialog.locator(".stage"), dialog.locator(".stage img")
    before = picture.bounding_box()
    stage.hover()
    visitor.page.mouse.wheel(0, -500)
    zoomed = picture.bounding_box()
    assert before is not None
    assert zoomed is not None
    assert zoomed["width"] > before["width"] * 1.5
    area = stage.bounding_box()
    assert area is not None
    x, y = area["x"] + area["width"] / 2, area["y"] + area["height"] / 2
    visitor.page.mouse.move(x, y)
    visitor.page.mouse.down()
    visitor.page.mouse.move(x, y + 60, steps=4)
    visitor.page.mouse.up()
    panned = picture.bounding_box()
    assert panned is not None
    assert panned["y"] != zoomed["y"]
    expect(dialog).to_be_visible()  # dragging over an object searched for nothing
    visitor.shoot("21-zoomed")
    dialog.get_by_role("button", name="Show whole picture").click()
    dialog.locator(".chip").first.click()
    visitor.page.wait_for_url(re.compile("object="))
    expect(dialog).to_have_count(0)
    visitor.wait_results()


def test_pinch_zooms(visit: Callable[..., Visitor], bus: Path) -> None:
    """Two fingers zoom into a large picture around the place between them; one finger pans."""
    visitor = visit(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    visitor.see_results(bus)
    visitor.cards.first.locator(".open").tap(position={"x": 6, "y": 6})
    stage = visitor.page.get_by_role("dialog").locator(".stage")
    picture = stage.locator("img")
    expect(picture).to_be_visible()
    area, before = stage.bounding_box(), picture.bounding_box()
    assert area is not None
    assert before is not None
    touch = visitor.page.context.new_cdp_session(visitor.page)
    x, y = area["x"] + area["width"] / 2, area["y"] + area["height"] / 2

    def fingers(kind: str, *points: tuple[float, float]) -> None:
        touch.send(
            "Input.dispatchTouchEvent",
            {
                "type": kind,
                "touchPoints": [{"x": px, "y": py, "id": at} for at, (px, py) in enumerate(points)],
            },
        )

    fingers("touchStart", (x - 20, y), (x + 20, y))
    for apart in (35, 50, 65, 80):
        fingers("touchMove", (x - apart, y), (x + apart, y))
    fingers("touchEnd")
    zoomed = picture.bounding_box()
    assert zoomed is not None
    assert zoomed["width"] > before["width"] * 2
    visitor.shoot("22-pinched")
    fingers("touchStart", (x, y))
    for down in (20, 40, 60):
        fingers("touchMove", (x, y + down))
    fingers("touchEnd")
    panned = picture.bounding_box()
    assert panned is not None
    assert panned["y"] - zoomed["y"] == pytest.approx(60, abs=12)


def test_zooming_in_sharpens(visit: Callable[..., Visitor], bus: Path) -> None:
    """At rest a small thumbnail is enough; a sharper picture comes when more is to be seen."""
    visitor = visit(viewport={"width": 600, "height": 700})
    visitor.see_results(bus)
    picture = visitor.large().locator(".stage img")
    expect(picture).to_have_attribute("src", re.compile("/thumbnails/"))
    first = picture.get_attribute("src")
    for _ in range(3):
        visitor.page.get_by_role("button", name="Zoom in").click()
    expect(picture).not_to_have_attribute("src", first or "")


def test_new_question_begins_at_its_top(visitor: Visitor, bus: Path) -> None:
    """Searching on from far down shows the best results first; back returns to where one was."""
    visitor.see_results(bus)
    match = visitor.cards.nth(14).locator(".match.best")
    match.scroll_into_view_if_needed()
    far = visitor.page.evaluate("scrollY")
    assert far > 300
    match.dispatch_event("click")  # a smaller object may lie on its middle
    visitor.page.wait_for_url(re.compile("object="))
    visitor.wait_results()
    assert visitor.page.evaluate("scrollY") == 0
    visitor.page.go_back()
    visitor.page.wait_for_function("(y) => Math.abs(scrollY - y) < 5", arg=far)


def test_steps_through_results(visitor: Visitor, bus: Path) -> None:
    """The large view goes to the next and previous result."""
    visitor.see_results(bus)
    dialog = visitor.large()
    link = dialog.get_by_role("link", name="Open the original")
    first = link.get_attribute("href")
    dialog.get_by_role("button", name="Next result").click()
    expect(link).not_to_have_attribute("href", first or "")
    dialog.get_by_role("button", name="Previous result").click()
    expect(link).to_have_attribute("href", first or "")
    visitor.page.keyboard.press("ArrowRight")
    expect(link).not_to_have_attribute("href", first or "")
    expect(visitor.page.get_by_role("dialog", name=re.compile("^Picture 2 of "))).to_be_visible()


def test_begin_with_a_picture_of_the_index(visitor: Visitor) -> None:
    """The start page offers pictures of the index, whose objects can be searched at once."""
    visitor.open()
    visitor.page.get_by_role("button", name="Picture 1. Open large").click()
    dialog = visitor.page.get_by_role("dialog", name="Picture")
    dialog.get_by_role("button", name="Search with this picture").click()
    visitor.page.wait_for_url(re.compile("object=.*-000"))
    visitor.wait_results()
    expect(visitor.query.get_by_text("Searching for: the whole picture")).to_be_visible()
