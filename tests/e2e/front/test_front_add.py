"""Adding pictures, seeing what is in the index, deleting."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Route, expect

from embedding_pipeline.ingest.failures import LEDGERS
from embedding_pipeline.ingest.ingest_run import ledger_path
from embedding_pipeline.ingest.ledger import Ledger, LedgerRow
from support.front_page import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.models]


def noise(seed: int, name: str) -> dict[str, Any]:
    """A picture that no other test has, as a file to choose."""
    pixels = np.random.default_rng(seed).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": buffer.getvalue()}


def test_upload_many(visitor: Visitor, bus: Path) -> None:
    """Many files at once: added, already there, rejected and why; rejects can be retried."""
    visitor.open("/?page=add")
    visitor.shoot("30-add")
    text = {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"no picture at all"}
    same = {"name": "bus.jpg", "mimeType": "image/jpeg", "buffer": bus.read_bytes()}
    fresh = [noise(100 + at, f"noise-{at}.png") for at in range(5)]
    visitor.choose(*fresh, same, text)
    expect(visitor.page.get_by_text("7 of 7 pictures")).to_be_visible()
    expect(visitor.page.get_by_text("5 added, 1 already there, 1 not added")).to_be_visible()
    expect(visitor.page.locator(".rejected .reason")).not_to_be_empty()
    visitor.shoot("31-added")
    visitor.page.get_by_role("button", name="Retry what failed").click()
    expect(visitor.page.get_by_text("7 of 7 pictures")).to_be_visible()
    expect(visitor.page.locator(".rejected")).to_have_count(1)
    visitor.page.get_by_role("button", name="Show bus.jpg").click()
    visitor.wait_results()


def test_upload_by_keyboard(visitor: Visitor) -> None:
    """Adding needs no mouse: the collection, choosing, a retry, searching with what came in."""
    page = visitor.page
    visitor.open("/?page=add")
    visitor.press_until("Tab", "^Choose a folder$")
    page.keyboard.press("Tab")
    page.keyboard.type("by keys")
    expect(page.get_by_role("textbox", name="Collection")).to_have_value("by keys")
    visitor.press_until("Shift+Tab", "^Choose pictures$")
    words = {"name": "words.jpg", "mimeType": "image/jpeg", "buffer": b"no picture at all"}
    visitor.choose_by_key(noise(700, "keys.png"), words)
    expect(page.get_by_text("1 added, 0 already there, 1 not added")).to_be_visible()
    visitor.press_until("Tab", r"^Retry\s?words\.jpg$")
    with page.expect_response("**/v1/images") as again:
        page.keyboard.press("Enter")
    assert again.value.request.method == "POST"
    expect(page.locator(".rejected")).to_have_count(1)
    visitor.press_until("Shift+Tab", "^Choose pictures$")
    visitor.press_until("Tab", r"^Show\s?keys\.png$")
    page.keyboard.press("Enter")
    visitor.wait_results()
    expect(visitor.page.get_by_role("button", name=re.compile("^by keys"))).to_be_visible()


def test_upload_goes_on_after_a_busy_answer(visitor: Visitor) -> None:
    """429 makes the page wait as long as the service says, then it sends the same files again."""
    answers = iter([429, 200])

    def busy(route: Route) -> None:
        if route.request.method != "POST" or next(answers, 200) == 200:
            route.continue_()
            return
        body = '{"code": "too_many_requests", "message": "Busy.", "details": {}}'
        route.fulfill(status=429, headers={"Retry-After": "2"}, body=body)

    visitor.page.route("**/v1/images", busy)
    visitor.open("/?page=add")
    visitor.choose(noise(200, "later.png"))
    expect(visitor.alert.get_by_text("The service is busy")).to_be_visible()
    visitor.shoot("32-busy")
    expect(visitor.page.get_by_text("1 added, 0 already there, 0 not added")).to_be_visible()


def test_one_bad_file_does_not_spoil_the_others(visitor: Visitor) -> None:
    """When a request of several files is refused as a whole, each is sent alone."""
    posts: list[str] = []

    def refuse_many(route: Route) -> None:
        if route.request.method == "POST":
            posts.append(route.request.url)
        if len(posts) == 1 and route.request.method == "POST":
            text = '{"code": "picture_too_large", "message": "Too large.", "details": {}}'
            route.fulfill(status=413, body=text)
        else:
            route.continue_()

    visitor.page.route("**/v1/images", refuse_many)
    visitor.open("/?page=add")
    visitor.choose(noise(300, "one.png"), noise(301, "two.png"))
    expect(visitor.page.get_by_text("2 added, 0 already there, 0 not added")).to_be_visible()
    assert len(posts) == 3


def test_folder(visitor: Visitor, tmp_path: Path) -> None:
    """A whole folder is added, those below it too, each by its path inside the folder."""
    (tmp_path / "trip" / "day one").mkdir(parents=True)
    for seed, name in ((500, "trip/a.png"), (501, "trip/day one/b.png")):
        (tmp_path / name).write_bytes(noise(seed, name)["buffer"])
    visitor.open("/?page=add")
    visitor.page.locator("input[webkitdirectory]").set_input_files(tmp_path / "trip")
    expect(visitor.page.get_by_text("2 added, 0 already there, 0 not added")).to_be_visible()
    names = visitor.page.locator("li.upload .name")
    expect(names).to_have_text(["trip/a.png", "trip/day one/b.png"])


def test_upload_goes_on_while_its_sender_searches(visitor: Visitor, bus: Path) -> None:
    """Leaving the page of uploads loses none; the header tells how far they are."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "POST":
            held.append(route)
        else:
            route.continue_()

    visitor.open("/?page=add")
    visitor.page.route("**/v1/images", hold)
    visitor.choose(noise(600, "meanwhile.png"))
    expect(visitor.page.locator("li.upload")).to_have_count(1)
    visitor.page.get_by_role("link", name="Search", exact=True).click()
    expect(visitor.page.get_by_role("link", name="Add pictures 0 of 1")).to_be_visible()
    visitor.shoot("35-upload-goes-on")
    held[0].continue_()
    expect(visitor.page.get_by_role("link", name="Add pictures", exact=True)).to_be_visible()
    visitor.page.get_by_role("link", name="Add pictures").click()
    expect(visitor.page.get_by_text("1 added, 0 already there, 0 not added")).to_be_visible()


def test_index_page_lists_failures(visitor: Visitor) -> None:
    """What a backfill could not bring in is listed with its place and reason; names are text."""
    source = "folder:/photos"
    ledger = Ledger(ledger_path(visitor.site.data_dir / LEDGERS, source, None))
    ledger.set_facts({"source": source, "collection": None})
    broken: dict[str, Any] = {"stage": "decode", "reason": "The file ends too early."}
    gone: dict[str, Any] = {"stage": "read", "reason": "It is gone."}
    ledger.write(
        [
            LedgerRow("2014/<b>half</b>.jpg", "1-1", "", "rejected", retryable=False, **broken),
            LedgerRow("2015/gone.jpg", "1-1", "", "failed", retryable=True, **gone),
        ]
    )
    visitor.open("/?page=index")
    failures = visitor.page.get_by_role("region", name="Not brought in")
    expect(failures.get_by_role("listitem")).to_have_count(2)
    expect(failures.get_by_text("2014/<b>half</b>.jpg")).to_be_visible()
    expect(failures.get_by_text("The file ends too early.")).to_be_visible()
    expect(failures.get_by_text("may work another time", exact=False).last).to_be_visible()
    failures.scroll_into_view_if_needed()
    visitor.shoot("36-failures")


def test_index_page(visitor: Visitor) -> None:
    """Counts, labels, collections, models and the notice of stand-ins are there to see."""
    visitor.open("/?page=index")
    expect(visitor.page.get_by_text(re.compile(r"^\d+ pictures$"))).to_be_visible()
    expect(visitor.page.get_by_text("yolo11n", exact=True)).to_be_visible()
    expect(visitor.page.get_by_role("list", name="Labels").get_by_text("person")).to_be_visible()
    expect(visitor.page.get_by_text("samples")).to_be_visible()
    expect(visitor.page.get_by_text("an installed package (stand-in)").first).to_be_visible()
    visitor.shoot("33-index")


def test_delete_can_be_undone_and_is_done_after_ten_seconds(visitor: Visitor) -> None:
    """Deleting waits ten seconds and then calls; undo in between brings the picture back."""
    visitor.open("/?page=add")
    visitor.choose(noise(400, "to-delete.png"))
    expect(visitor.page.get_by_text("1 added")).to_be_visible()
    calls: list[str] = []
    visitor.page.on("request", lambda r: calls.append(r.url) if r.method == "DELETE" else None)
    visitor.page.get_by_role("button", name="Show to-delete.png").click()
    visitor.wait_results()
    visitor.page.clock.install()
    before = visitor.cards.count()
    for undo in (True, False):
        visitor.cards.first.locator(".open").click()
        visitor.page.get_by_role("button", name="Delete picture").click()
        expect(visitor.cards).to_have_count(before - 1)
        visitor.shoot("34-deleting")
        visitor.page.clock.run_for(6000)
        assert calls == []
        if undo:
            visitor.page.get_by_role("button", name="Undo").click()
            expect(visitor.cards).to_have_count(before)
            visitor.page.clock.run_for(20_000)
            assert calls == []
    visitor.page.clock.run_for(6000)
    expect(visitor.page.get_by_role("button", name="Undo")).to_have_count(0)
    assert len(calls) == 1
