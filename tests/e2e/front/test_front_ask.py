"""Giving a picture and choosing what of it is meant."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pillow_heif
import pytest
from PIL import Image
from playwright.sync_api import Locator, Route, expect

from support.front_page import PATIENCE_MS, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.models]


def middle(target: Locator) -> tuple[float, float]:
    """The middle of an element on the screen."""
    box = target.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(visitor: Visitor, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Press the mouse, move it in steps, let go; points are shares of the picture."""
    box = visitor.stage.bounding_box()
    assert box is not None
    (x1, y1), (x2, y2) = (
        (box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in (start, end)
    )
    visitor.page.mouse.move(x1, y1)
    visitor.page.mouse.down()
    visitor.page.mouse.move(x2, y2, steps=6)
    visitor.page.mouse.up()


@pytest.mark.parametrize("way", ["choose", "drop", "paste"])
def test_picture_is_outlined_and_searched(visitor: Visitor, bus: Path, way: str) -> None:
    """However a picture comes, its objects are outlined and the best of them is searched for."""
    visitor.open()
    getattr(visitor, way)(bus)
    expect(visitor.query.get_by_role("img")).to_be_visible()
    visitor.wait_results()
    assert visitor.outlines.count() >= 4
    expect(visitor.query.locator(".outline.strong")).to_have_count(1)
    expect(visitor.query.get_by_text("Searching for:")).to_be_visible()
    expect(visitor.page).to_have_title(re.compile("· Boxseek$"))


def test_hover_names_an_object_and_click_searches_it(visitor: Visitor, bus: Path) -> None:
    """Pointing at an outline names it; a click searches for it, and the address says so."""
    visitor.see_results(bus)
    other = visitor.query.locator(".outline:not(.strong)").last
    other.hover(force=True)
    expect(other.locator(".label")).to_be_visible()
    visitor.shoot("03-hover")
    label = other.locator(".label").inner_text()
    other.click(force=True)
    visitor.page.wait_for_url(re.compile(r"box="))
    visitor.wait_results()
    expect(visitor.query.get_by_text(f"Searching for: {label}")).to_be_visible()


def test_objects_stand_in_a_list_too(visitor: Visitor, bus: Path) -> None:
    """Small objects are hard to hit: each stands in a list that lights it up and searches it."""
    visitor.see_results(bus)
    expect(visitor.objects).to_have_count(visitor.outlines.count())
    unpressed = visitor.objects.and_(visitor.page.locator("[aria-pressed=false]")).first
    other = visitor.query.locator("li").get_by_role(
        "button", name=unpressed.get_attribute("aria-label") or "", exact=True
    )
    other.focus()
    lit = visitor.query.locator(".outline.lit")
    expect(lit).to_have_count(1)
    assert lit.get_attribute("aria-label") == other.get_attribute("aria-label")
    visitor.shoot("07-lit")
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_url(re.compile(r"box="))
    visitor.wait_results()
    expect(other).to_have_attribute("aria-pressed", "true")


def test_own_box_by_mouse(visitor: Visitor, bus: Path) -> None:
    """A box drawn with the mouse is searched at once and can be moved and resized."""
    visitor.see_results(bus)
    drag(visitor, (0.3, 0.25), (0.7, 0.6))
    visitor.page.wait_for_url(re.compile(r"box="))
    visitor.wait_results()
    expect(visitor.query.get_by_text("Searching for: your box")).to_be_visible()
    visitor.shoot("04-own-box")
    own = visitor.query.locator(".own")
    before = own.bounding_box()
    x, y = middle(own)
    visitor.page.mouse.move(x, y)
    visitor.page.mouse.down()
    visitor.page.mouse.move(x + 30, y + 20, steps=4)
    visitor.page.mouse.up()
    corner = visitor.query.locator(".handle.se")
    x, y = middle(corner)
    visitor.page.mouse.move(x, y)
    visitor.page.mouse.down()
    visitor.page.mouse.move(x + 20, y + 10, steps=4)
    visitor.page.mouse.up()
    after = own.bounding_box()
    assert before is not None
    assert after is not None
    assert after["x"] - before["x"] == pytest.approx(30, abs=2)
    assert after["width"] - before["width"] == pytest.approx(20, abs=2)
    was = visitor.page.url
    visitor.query.get_by_role("button", name="Search this box").click()
    expect(visitor.page).not_to_have_url(was)
    visitor.wait_results()


def test_own_box_by_keyboard(visitor: Visitor, bus: Path) -> None:
    """A box can be made, moved, resized and searched without a mouse."""
    visitor.see_results(bus)
    draw = visitor.query.get_by_role("button", name="Draw a box")
    draw.focus()
    visitor.page.keyboard.press("Enter")
    own = visitor.query.get_by_role("button", name=re.compile("^Your box"))
    before = own.bounding_box()
    own.focus()
    for key in ("ArrowLeft", "ArrowUp", "Shift+ArrowRight", "Shift+ArrowRight"):
        visitor.page.keyboard.press(key)
    after = own.bounding_box()
    assert before is not None
    assert after is not None
    assert after["x"] < before["x"]
    assert after["width"] > before["width"]
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_url(re.compile(r"box="))
    visitor.wait_results()
    own.focus()
    visitor.page.keyboard.press("Escape")
    expect(own).to_have_count(0)


def test_own_box_by_touch(visit: Callable[..., Visitor], bus: Path) -> None:
    """On a phone a finger scrolls, and draws once drawing was asked for."""
    visitor = visit(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    visitor.see_results(bus)
    visitor.shoot("05-phone-results")
    visitor.query.get_by_role("button", name="Draw a box").tap()
    visitor.query.get_by_role("button", name="Remove box").tap()
    visitor.query.get_by_role("button", name="Draw a box").tap()
    expect(visitor.query.locator(".own")).to_have_count(1)
    visitor.page.evaluate("scrollTo(0, 0)")
    box = visitor.stage.bounding_box()
    assert box is not None
    touch = visitor.page.context.new_cdp_session(visitor.page)
    start = (box["x"] + box["width"] * 0.05, box["y"] + box["height"] * 0.05)
    end = (box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.2)
    for kind, points in (
        ("touchStart", [start]),
        ("touchMove", [((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)]),
        ("touchMove", [end]),
        ("touchEnd", []),
    ):
        points_xy = [{"x": x, "y": y} for x, y in points]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points_xy})
    visitor.page.wait_for_url(re.compile(r"box="))
    visitor.wait_results()
    expect(visitor.query.get_by_text("Searching for: your box")).to_be_visible()


def test_whole_picture(visitor: Visitor, bus: Path) -> None:
    """The whole picture can be searched with; the address says so."""
    visitor.see_results(bus)
    visitor.query.get_by_role("button", name="Whole picture").click()
    visitor.page.wait_for_url(re.compile(r"whole=1"))
    visitor.wait_results()
    expect(visitor.query.get_by_text("Searching for: the whole picture")).to_be_visible()
    expect(visitor.query.get_by_role("button", name="Whole picture")).to_have_attribute(
        "aria-pressed", "true"
    )


def test_large_photograph_is_shrunk(visitor: Visitor, bus: Path, tmp_path: Path) -> None:
    """A large photograph with EXIF orientation leaves the browser small and upright."""
    large = tmp_path / "large.jpg"
    with Image.open(bus) as picture:
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned a quarter clockwise when shown
        turned = picture.resize((2430, 3240)).transpose(Image.Transpose.ROTATE_90)
        turned.save(large, exif=exif)
    visitor.open()
    with visitor.page.expect_response("**/v1/search") as answered:
        visitor.choose(large)
    query = answered.value.json()["query"]
    assert (query["width"], query["height"]) == (960, 1280)
    visitor.wait_results()
    # The bus spans nearly the whole width of the upright picture, and so does its outline.
    stage, outline = visitor.stage.bounding_box(), visitor.outlines.first.bounding_box()
    assert stage is not None
    assert outline is not None
    shown_width = min(stage["width"], stage["height"] * 960 / 1280)
    assert outline["width"] > 0.85 * shown_width


def test_camera_is_offered_on_a_phone(visit: Callable[..., Visitor]) -> None:
    """A phone's camera can be used directly."""
    visitor = visit(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    visitor.open()
    expect(visitor.page.get_by_role("button", name="Take a photo")).to_be_visible()
    assert visitor.page.locator("input[capture=environment]").count() == 1
    visitor.shoot("06-phone-start")


@pytest.mark.parametrize("ending", ["tiff", "heic"])
def test_format_that_the_browser_cannot_show(
    visitor: Visitor, bus: Path, tmp_path: Path, ending: str
) -> None:
    """What Chromium cannot show is searched with all the same; the service gives a preview."""
    foreign = tmp_path / f"bus.{ending}"
    with Image.open(bus) as picture:
        if ending == "heic":
            pillow_heif.from_pillow(picture).save(foreign, quality=80)
        else:
            picture.save(foreign)
    visitor.search_with(foreign)
    assert visitor.outlines.count() >= 4
    preview = visitor.query.get_by_role("img", name="The picture that is searched with")
    expect(preview).to_have_js_property("naturalWidth", 810, timeout=PATIENCE_MS)
    assert "/preview" in (preview.get_attribute("src") or "")
    visitor.shoot(f"08-{ending}")
    visitor.page.reload()
    visitor.wait_results()
    expect(preview).to_have_js_property("naturalWidth", 810, timeout=PATIENCE_MS)


def test_address_of_a_picture(visitor: Visitor, bus: Path) -> None:
    """A web address is asked with, its picture is shown once it is known, and it has an address.

    The service fetches from no private address, so the bytes are put in its place here.
    """

    def send_bytes(route: Route) -> None:
        assert b"https://pictures.example/bus.jpg" in (route.request.post_data_buffer or b"")
        files = {"image": ("bus.jpg", bus.read_bytes())}
        answer = httpx.post(f"{visitor.site.url}/v1/search", files=files, timeout=60)
        route.fulfill(status=answer.status_code, body=answer.content)

    visitor.open()
    visitor.page.route("**/v1/search", send_bytes, times=1)
    visitor.page.get_by_label("Picture address").fill("https://pictures.example/bus.jpg")
    visitor.page.keyboard.press("Enter")
    visitor.wait_results()
    expect(visitor.query.get_by_role("img", name="The picture that is")).to_be_visible()
    assert visitor.outlines.count() >= 4


@pytest.mark.parametrize("kind", ["text/uri-list", "text/plain"])
def test_dropped_link_is_searched_by(visitor: Visitor, kind: str) -> None:
    """A link that is dropped is asked with; the real service refuses this private one."""
    visitor.open()
    # The page knows by now that addresses are allowed.
    expect(visitor.page.get_by_label("Picture address")).to_be_visible()
    with visitor.page.expect_request("**/v1/search") as asked:
        visitor.drop_text(f"{visitor.site.url}/icon.svg", kind)
    assert f"{visitor.site.url}/icon.svg".encode() in (asked.value.post_data_buffer or b"")
    expect(visitor.alert).to_contain_text("not fetched")


def test_dropped_words_are_refused(visitor: Visitor, bus: Path) -> None:
    """Any other text is no question, and the next picture works."""
    visitor.open()
    visitor.drop_text("a red bus")
    expect(visitor.alert).to_contain_text("neither a picture nor the address of one")
    visitor.drop(bus)
    visitor.wait_results()
    expect(visitor.alert).to_have_count(0)


def test_several_dropped_pictures(visitor: Visitor, bus: Path, zidane: Path) -> None:
    """The first of several is searched with; all of them can be added."""
    visitor.open()
    visitor.drop(bus, zidane)
    notice = visitor.page.get_by_text("Searching with bus.jpg, the first of 2 files.")
    visitor.wait_results()
    expect(notice).to_be_visible()
    visitor.shoot("06-several")
    visitor.drop(zidane)
    expect(notice).to_have_count(0)
    visitor.drop(bus, zidane)
    expect(notice).to_be_visible()
    visitor.page.get_by_role("button", name="Add all 2").click()
    expect(visitor.page.get_by_text("0 added, 2 already there")).to_be_visible()


def test_private_address_is_refused(visitor: Visitor) -> None:
    """The real service fetches nothing from inside its network, and the page says so."""
    visitor.open()
    visitor.page.get_by_label("Picture address").fill(f"{visitor.site.url}/icon.svg")
    visitor.page.get_by_role("button", name="Search by address").click()
    expect(visitor.alert).to_contain_text("not fetched")
    visitor.shoot("45-address-refused")
    expect(visitor.alert.get_by_role("button", name="Try again")).to_have_count(0)
    visitor.alert.get_by_role("button", name="New search").click()
    expect(visitor.page.get_by_role("button", name="Choose a picture")).to_be_visible()


def test_link_can_be_copied(visit: Callable[..., Visitor], bus: Path) -> None:
    """A button copies the address of the search."""
    visitor = visit(permissions=["clipboard-read", "clipboard-write"])
    visitor.see_results(bus)
    visitor.query.get_by_role("button", name="Copy link").click()
    expect(visitor.query.get_by_text("Copied.")).to_be_visible()
    assert visitor.page.evaluate("navigator.clipboard.readText()") == visitor.page.url
