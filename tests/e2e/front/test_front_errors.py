"""Every error is shown, in words that say what to do, and the page goes on working."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from support.front_page import Visitor
from support.front_site import Site, boxseek, serving

pytestmark = [pytest.mark.browser, pytest.mark.models]


def answer(route: Route, status: int, code: str, message: str, **headers: str) -> None:
    """Answer a request with an error in the API's form."""
    body = json.dumps({"code": code, "message": message, "details": {}})
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    route.fulfill(status=status, body=body, headers=named)


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (413, "picture_too_large", "too large"),
        (415, "unsupported_format", "not a picture of a kind"),
        (422, "undecodable_picture", "damaged"),
        (503, "not_ready", "still being loaded"),
        (502, "", "instead of it"),
    ],
    ids=["413", "415", "422", "503", "foreign-502"],
)
def test_refused_picture(visitor: Visitor, bus: Path, status: int, code: str, words: str) -> None:
    """A refused picture is told why, stays in sight, and another one works."""
    if code:
        refuse = lambda route: answer(route, status, code, "In the words of the service.")  # noqa: E731
    else:
        refuse = lambda route: route.fulfill(status=status, body="<html>Bad gateway</html>")  # noqa: E731
    visitor.page.route("**/v1/search", refuse)
    visitor.open()
    visitor.choose(bus)
    expect(visitor.alert).to_contain_text(words)
    expect(visitor.query.get_by_role("img")).to_be_visible()
    visitor.shoot(f"40-error-{status}")
    visitor.page.unroute("**/v1/search")
    visitor.alert.get_by_role("button", name="Try again").click()
    visitor.wait_results()


def test_text_file_is_refused_by_the_service(visitor: Visitor) -> None:
    """What is no picture at all is refused by the real service, and the page says so."""
    visitor.open()
    visitor.choose({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"})
    expect(visitor.alert).to_contain_text("not a picture of a kind")


def test_busy_service_says_when_to_try_again(visitor: Visitor, bus: Path) -> None:
    """429 shows how long to wait before the button works."""
    refuse = lambda route: answer(route, 429, "too_many_requests", "Busy.", Retry_After="2")  # noqa: E731
    visitor.page.route("**/v1/search", refuse)
    visitor.open()
    visitor.choose(bus)
    expect(visitor.alert).to_contain_text("busy")
    expect(visitor.alert.get_by_role("button")).to_be_disabled()
    visitor.page.unroute("**/v1/search")
    expect(visitor.alert.get_by_role("button", name="Try again")).to_be_enabled()
    visitor.alert.get_by_role("button", name="Try again").click()
    visitor.wait_results()


def test_service_gone(visitor: Visitor, bus: Path) -> None:
    """Without a service the page says so, and works again when it is back."""
    visitor.open()
    visitor.page.context.set_offline(offline=True)
    visitor.choose(bus)
    expect(visitor.results.get_by_role("alert")).to_contain_text("cannot be reached")
    visitor.shoot("41-service-gone")
    visitor.page.context.set_offline(offline=False)
    visitor.results.get_by_role("button", name="Try again").click()
    visitor.wait_results()


def test_late_answer_is_dropped(visitor: Visitor, bus: Path, zidane: Path) -> None:
    """An answer that comes after the next question is not shown."""
    held: list[Route] = []
    hold_first = lambda route: held.append(route) if not held else route.continue_()  # noqa: E731
    visitor.page.route("**/v1/search", hold_first)
    visitor.open()
    visitor.choose(bus)
    expect(visitor.query.get_by_text("Looking for objects")).to_be_visible()
    visitor.shoot("42-slow")
    visitor.choose(zidane)
    visitor.wait_results()
    address, count = visitor.page.url, visitor.outlines.count()
    held[0].abort()
    visitor.page.wait_for_timeout(300)
    assert visitor.page.url == address
    assert visitor.outlines.count() == count
    expect(visitor.alert).to_have_count(0)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/?q=0123456789abcdef0123456789abcdef", "no longer kept"),
        ("/?object=" + "0" * 64 + "-001", "no longer in the index"),
        ("/?object=nonsense", "no longer in the index"),
    ],
    ids=["query", "object", "nonsense"],
)
def test_address_of_something_gone(visitor: Visitor, bus: Path, address: str, words: str) -> None:
    """An address whose search is no longer kept says so; a new search works."""
    visitor.open(address)
    expect(visitor.alert).to_contain_text(words)
    visitor.shoot("43-gone")
    visitor.page.get_by_role("link", name="Search", exact=True).click()
    visitor.choose(bus)
    visitor.wait_results()


def test_box_outside_the_picture(visitor: Visitor, bus: Path) -> None:
    """An address with a box that lies outside is a clear error, not a broken page."""
    visitor.search_with(bus)
    question = re.search(r"q=[\w-]+", visitor.page.url)
    assert question is not None
    visitor.open(f"/?{question.group()}&box=90000,90000,90100,90100")
    expect(visitor.alert).to_contain_text(re.compile("box", re.IGNORECASE))


def test_old_list_can_be_asked_again(visitor: Visitor, archive: Site, bus: Path) -> None:
    """When the frozen ranking has expired, the list says so and begins anew on demand."""

    def expire(route: Route) -> None:
        if b'name="cursor"' in (route.request.post_data_buffer or b""):
            answer(route, 410, "cursor_expired", "Too old.")
        else:
            route.continue_()

    visitor.page.route("**/v1/search", expire)
    visitor.search_with(bus)
    visitor.page.mouse.move(700, 500)
    visitor.page.mouse.wheel(0, 9000)
    expect(visitor.alert).to_contain_text("too old to go on")
    visitor.page.unroute("**/v1/search")
    visitor.alert.get_by_role("button", name="Try again").click()
    visitor.wait_results()
    expect(visitor.alert).to_have_count(0)


@pytest.fixture
def locked_site(site: Site, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A service that asks for a key: its address and a key."""
    data_dir = tmp_path / "locked"
    printed = boxseek(["keys", "add", "page", "--scope", "admin"], data_dir)
    with serving(data_dir) as url:
        yield url, printed.split()[0]


def test_login(visit: Callable[..., Visitor], locked_site: tuple[str, str], bus: Path) -> None:
    """With keys the page asks for one, says when it is wrong, then adds, shows and searches."""
    url, key = locked_site
    visitor = visit()
    visitor.page.goto(url)
    expect(visitor.page.get_by_role("heading", name="Log in")).to_be_visible()
    visitor.shoot("44-login")
    field = visitor.page.get_by_label("API key")
    field.fill("bsk_wrong")
    visitor.page.keyboard.press("Enter")
    expect(visitor.alert).to_contain_text("not valid")
    field.fill(key)
    visitor.page.get_by_role("button", name="Log in").click()
    visitor.page.get_by_role("link", name="Add pictures").click()
    visitor.choose(bus)
    expect(visitor.page.get_by_text("1 added")).to_be_visible()
    visitor.page.get_by_role("button", name="Show bus.jpg").click()
    visitor.wait_results()
    images = visitor.cards.locator("img")
    expect(images.first).to_have_js_property("complete", value=True)
    assert images.first.evaluate("(image) => image.naturalWidth") > 0
    expect(visitor.query.get_by_role("img")).to_be_visible()
    assert visitor.page.evaluate("document.cookie") == ""
    assert key not in visitor.page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")
