"""A service with keys: logging in, what a key may, a session that ends, limits of its own."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from support.front_page import Visitor
from support.front_site import SMALL_BYTES, LockedSite

pytestmark = [pytest.mark.browser, pytest.mark.models]


def test_login(visit: Callable[..., Visitor], locked_site: LockedSite, zidane: Path) -> None:
    """With keys the page asks for one, says when it is wrong, then adds, shows and searches."""
    visitor = visit()
    visitor.page.goto(locked_site.url)
    expect(visitor.page.get_by_role("heading", name="Log in")).to_be_visible()
    visitor.shoot("44-login")
    visitor.page.get_by_label("API key").fill("bsk_wrong")
    visitor.page.keyboard.press("Enter")
    expect(visitor.alert).to_contain_text("not valid")
    visitor.log_in(locked_site, "admin")
    visitor.page.get_by_role("link", name="Add pictures").click()
    visitor.choose(zidane)
    expect(visitor.page.get_by_text("1 added")).to_be_visible()
    visitor.page.get_by_role("button", name=f"Show {zidane.name}").click()
    visitor.wait_results()
    visitor.wait_pictures()
    assert visitor.cards.locator("img").first.evaluate("(image) => image.naturalWidth") > 0
    expect(visitor.query.get_by_role("img").first).to_be_visible()
    expect(visitor.large().get_by_role("button", name="Delete picture")).to_be_visible()
    visitor.page.keyboard.press("Escape")
    assert visitor.page.evaluate("document.cookie") == ""
    key = locked_site.keys["admin"]
    assert key not in visitor.page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")
    visitor.page.get_by_role("button", name="Log out").click()
    expect(visitor.page.get_by_role("heading", name="Log in")).to_be_visible()
    visitor.page.reload()
    expect(visitor.page.get_by_role("heading", name="Log in")).to_be_visible()


def test_picture_above_the_limit_is_refused_by_the_service(
    visit: Callable[..., Visitor], locked_site: LockedSite, bus: Path
) -> None:
    """A picture of more bytes than the service takes gets its own 413; a smaller one works."""
    pixels = np.random.default_rng(8).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    assert len(buffer.getvalue()) > SMALL_BYTES > bus.stat().st_size
    visitor = visit()
    visitor.log_in(locked_site, "read")
    with visitor.page.expect_response("**/v1/search") as answered:
        visitor.choose({"name": "n.png", "mimeType": "image/png", "buffer": buffer.getvalue()})
    assert answered.value.status == 413
    expect(visitor.alert).to_contain_text("too large")
    visitor.choose_another(bus)


def test_a_key_that_may_only_read_sees_nothing_else(
    visit: Callable[..., Visitor], locked_site: LockedSite
) -> None:
    """Who may only search is offered neither adding nor deleting, and told why where he asks."""
    visitor = visit()
    visitor.log_in(locked_site, "read")
    expect(visitor.page.get_by_role("link", name="Add pictures")).to_have_count(0)
    visitor.page.get_by_role("button", name="Picture 1. Open large").click()
    dialog = visitor.page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Search with this picture")).to_be_visible()
    expect(dialog.get_by_role("button", name="Delete picture")).to_have_count(0)
    visitor.shoot("46-read-only")
    visitor.page.goto(f"{locked_site.url}/?page=add")
    expect(visitor.page.get_by_text("Your key may search, not add")).to_be_visible()
    expect(visitor.page.get_by_role("button", name="Choose pictures")).to_have_count(0)


def test_session_that_ends_asks_for_the_key_and_goes_on(
    visit: Callable[..., Visitor], locked_site: LockedSite, bus: Path
) -> None:
    """When the login has expired, the page asks for it and then answers what was asked."""
    visitor = visit()
    visitor.log_in(locked_site, "read")
    visitor.page.context.clear_cookies()
    visitor.choose(bus)
    expect(visitor.page.get_by_role("heading", name="Log in")).to_be_visible()
    visitor.page.get_by_label("API key").fill(locked_site.keys["read"])
    visitor.page.keyboard.press("Enter")
    visitor.wait_results()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_where_something_failed(
    visit: Callable[..., Visitor], locked_site: LockedSite, bus: Path, scheme: str
) -> None:
    """Login, a refused key, a refused picture and a deletion that can be undone break no rule."""
    visitor = visit(color_scheme=scheme, reduced_motion="reduce")
    found: dict[str, list[str]] = {}

    def check(name: str) -> None:
        visitor.shoot(f"47-{scheme}-{name}")
        found[name] = list(visitor.violations())

    visitor.page.goto(locked_site.url)
    expect(visitor.page.get_by_role("heading", name="Log in")).to_be_visible()
    check("login")
    visitor.page.get_by_label("API key").fill("bsk_wrong")
    visitor.page.keyboard.press("Enter")
    expect(visitor.alert).to_contain_text("not valid")
    check("wrong-key")
    visitor.log_in(locked_site, "admin")
    visitor.choose({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"})
    expect(visitor.alert).to_contain_text("not a picture of a kind")
    check("refused")
    visitor.choose_another(bus)
    visitor.large().get_by_role("button", name="Delete picture").click()
    expect(visitor.page.get_by_role("button", name="Undo")).to_be_visible()
    check("toast")
    visitor.page.get_by_role("button", name="Undo").click()
    expect(visitor.page.get_by_role("button", name="Undo")).to_have_count(0)
    assert {name: problems for name, problems in found.items() if problems} == {}
