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
    visitor.search_with(bus)
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
    visitor.search_with(bus)
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
    visitor.search_with(bus)
    visitor.cards.first.locator(".open").click(position={"x": 8, "y": 8})
    dialog = visitor.page.get_by_role("dialog", name="Picture")
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


def test_steps_through_results(visitor: Visitor, bus: Path) -> None:
    """The large view goes to the next and previous result."""
    visitor.search_with(bus)
    visitor.cards.first.locator(".open").click(position={"x": 8, "y": 8})
    dialog = visitor.page.get_by_role("dialog", name="Picture")
    link = dialog.get_by_role("link", name="Open the original")
    first = link.get_attribute("href")
    dialog.get_by_role("button", name="Next result").click()
    expect(link).not_to_have_attribute("href", first or "")
    dialog.get_by_role("button", name="Previous result").click()
    expect(link).to_have_attribute("href", first or "")


def test_begin_with_a_picture_of_the_index(visitor: Visitor) -> None:
    """The start page offers pictures of the index, whose objects can be searched at once."""
    visitor.open()
    visitor.page.get_by_role("button", name="Picture 1. Open large").click()
    dialog = visitor.page.get_by_role("dialog", name="Picture")
    dialog.get_by_role("button", name="Search with this picture").click()
    visitor.page.wait_for_url(re.compile("object=.*-000"))
    visitor.wait_results()
    expect(visitor.query.get_by_text("Searching for: the whole picture")).to_be_visible()
