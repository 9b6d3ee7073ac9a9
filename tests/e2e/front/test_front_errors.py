"""Every error is shown, in words that say what to do, and the page goes on working."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Route, expect

from embedding_pipeline.errors import IndexUnavailable
from minio_proxy.cli import add_key
from minio_proxy.settings import ProxySettings
from support.front_faults import fake_site
from support.front_page import Visitor
from support.front_site import LockedSite, Site

pytestmark = [pytest.mark.browser, pytest.mark.models]


def answer(route: Route, status: int, code: str, message: str, **headers: str) -> None:
    """Answer a request with an error in the API's form."""
    body = json.dumps({"code": code, "message": message, "details": {}})
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    route.fulfill(status=status, body=body, headers=named)


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [(503, "not_ready", "still being loaded"), (502, "", "instead of it")],
    ids=["503", "foreign-502"],
)
def test_failed_search(visitor: Visitor, bus: Path, status: int, code: str, words: str) -> None:
    """A failed search says why, the picture stays in sight, and trying again works."""
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


def test_text_file_is_refused_by_the_service(visitor: Visitor, bus: Path) -> None:
    """What is no picture at all is refused by the real service, and the page says so."""
    visitor.open()
    visitor.choose({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"})
    expect(visitor.alert).to_contain_text("not a picture of a kind")
    visitor.shoot("40-error-415")
    visitor.choose_another(bus)


def test_damaged_picture_is_refused_by_the_service(visitor: Visitor, bus: Path) -> None:
    """A picture that is cut off in its header is refused by the real service with 422."""
    half = bus.read_bytes()[:400]
    visitor.open()
    with visitor.page.expect_response("**/v1/search") as answered:
        visitor.choose({"name": "half.jpg", "mimeType": "image/jpeg", "buffer": half})
    assert answered.value.status == 422
    expect(visitor.alert).to_contain_text("damaged")
    visitor.choose_another(bus)


@pytest.mark.usefixtures("_built")
def test_busy_service_says_when_to_try_again(
    visit: Callable[..., Visitor], bus: Path, tmp_path: Path
) -> None:
    """The service's own 429 shows how long to wait before the button works."""
    key = add_key(ProxySettings(data_dir=tmp_path / "data"), "reader", "read")[1]
    with fake_site(tmp_path, rate_limit_per_minute=20) as (boxseek, url):
        boxseek.add([bus])
        visitor = visit()
        visitor.log_in(LockedSite(url, {"read": key}), "read")
        visitor.page.wait_for_load_state("networkidle")
        bearer = {"Authorization": f"Bearer {key}"}
        while httpx.get(f"{url}/v1/status", headers=bearer).status_code != 429:
            pass
        with visitor.page.expect_response("**/v1/search") as answered:
            visitor.choose(bus)
        assert answered.value.status == 429
        expect(visitor.alert).to_contain_text("busy")
        expect(visitor.alert.get_by_role("button")).to_be_disabled()
        expect(visitor.alert.get_by_role("button", name="Try again")).to_be_enabled()
        with visitor.page.expect_response("**/v1/search"):
            visitor.alert.get_by_role("button", name="Try again").click()
        visitor.page.context.close()


@pytest.mark.usefixtures("_built")
def test_index_that_does_not_answer(
    visit: Callable[..., Visitor], bus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service's own 503 says that the index is away; when it is back, trying again works."""

    def away(*_: object, **__: object) -> None:
        raise IndexUnavailable("The index is away.")

    with fake_site(tmp_path) as (boxseek, url):
        boxseek.add([bus])
        visitor = visit()
        visitor.page.goto(url)
        monkeypatch.setattr(boxseek.index(), "nearest", away)
        with visitor.page.expect_response("**/v1/search") as answered:
            visitor.choose(bus)
        assert answered.value.status == 503
        expect(visitor.alert).to_contain_text("The index does not answer")
        monkeypatch.undo()
        visitor.alert.get_by_role("button", name="Try again").click()
        visitor.wait_results()
        visitor.page.context.close()


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
    """The next question aborts the one before, whose answer is not shown if it comes."""
    held: list[Route] = []
    aborted: list[str] = []
    hold_first = lambda route: held.append(route) if not held else route.continue_()  # noqa: E731
    visitor.page.on(
        "requestfailed",
        lambda request: aborted.append(request.url) if "/v1/search" in request.url else None,
    )
    visitor.page.route("**/v1/search", hold_first)
    visitor.open()
    visitor.choose(bus)
    expect(visitor.query.get_by_text("Looking for objects")).to_be_visible()
    visitor.choose(zidane)
    visitor.wait_results()
    assert aborted == [f"{visitor.site.url}/v1/search"]
    address, count = visitor.page.url, visitor.outlines.count()
    held[0].abort()
    visitor.page.evaluate("() => new Promise((done) => requestIdleCallback(done))")
    assert visitor.page.url == address
    assert visitor.outlines.count() == count
    expect(visitor.alert).to_have_count(0)


def test_slow_service_says_so_and_can_be_stopped(visitor: Visitor, bus: Path) -> None:
    """After some seconds the page says that it takes long; it can be stopped and asked again."""
    held: list[Route] = []
    visitor.page.clock.install()
    visitor.page.route("**/v1/search", lambda route: held.append(route))  # noqa: PLW0108
    visitor.open()
    visitor.choose(bus)
    expect(visitor.query.get_by_text("Looking for objects")).to_be_visible()
    visitor.shoot("42-slow")
    expect(visitor.page.get_by_text("takes longer than usual")).to_have_count(0)
    visitor.page.clock.run_for(6100)
    expect(visitor.page.get_by_text("takes longer than usual")).to_be_visible()
    visitor.shoot("42-very-slow")
    visitor.page.get_by_role("button", name="Stop searching").click()
    expect(visitor.alert).to_contain_text("was stopped")
    visitor.page.unroute("**/v1/search")
    visitor.alert.get_by_role("button", name="Try again").click()
    visitor.wait_results()


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
    visitor.alert.get_by_role("button", name="New search").click()
    visitor.choose(bus)
    visitor.wait_results()


def test_box_outside_the_picture(visitor: Visitor, bus: Path) -> None:
    """An address with a box that lies outside is a clear error, not a broken page."""
    visitor.see_results(bus)
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
    visitor.see_results(bus)
    visitor.page.mouse.move(700, 500)
    visitor.page.mouse.wheel(0, 9000)
    expect(visitor.alert).to_contain_text("too old to go on")
    visitor.page.unroute("**/v1/search")
    visitor.alert.get_by_role("button", name="Try again").click()
    visitor.wait_results()
    expect(visitor.alert).to_have_count(0)
