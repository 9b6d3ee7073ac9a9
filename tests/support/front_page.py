"""What a visitor does on the page, in the words of the tests."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Locator, Page, expect

from support.front_site import REPOSITORY, LockedSite, Site

SCREENSHOTS = REPOSITORY / "artifacts" / "screenshots"
PATIENCE_MS = 20_000

DROP = """([files, texts, at]) => {
  const transfer = new DataTransfer();
  for (const [text, name, type] of files) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type }));
  }
  for (const [type, text] of Object.entries(texts)) transfer.setData(type, text);
  const target = document.querySelector(at);
  for (const kind of ["dragover", "drop"]) {
    const event = new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true });
    if (target.dispatchEvent(event)) throw new Error("the browser would leave the page");
  }
}"""
PASTE = """([text, name, type]) => {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type }));
  document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
}"""
FOCUSED = """() => {
  const it = document.activeElement;
  const name = it === document.body ? "" : it.ariaLabel || it.textContent.trim();
  return [name, it.ariaPressed];
}"""
PICTURES_THERE = """() => [...document.images].every((image) => {
  const { top, bottom } = image.getBoundingClientRect();
  const seen = image.naturalWidth > 0 && getComputedStyle(image).opacity === "1";
  return bottom <= 0 || top >= innerHeight || (image.complete && seen);
})"""


@dataclass
class Visitor:
    """A person at the page.

    Args:
        page: the browser's page.
        site: the service behind it.
        complaints: what the console said; a test fails on any that it does not expect.
    """

    page: Page
    site: Site
    complaints: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Collect errors of scripts and violations of the page's policy."""
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("console", self._hear)

    def _hear(self, message: ConsoleMessage) -> None:
        # The browser itself reports every answer above 399; tests of errors provoke those.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(f"console: {message.text}")

    def open(self, address: str = "/") -> None:
        """Open an address of the site."""
        self.page.goto(self.site.url + address)
        expect(self.page.get_by_role("link", name="Boxseek")).to_be_visible(timeout=PATIENCE_MS)

    def choose(self, *files: Path | dict[str, Any]) -> None:
        """Choose pictures with the page's first file chooser."""
        self.page.locator("input[type=file]").first.set_input_files(list(files))  # type: ignore[arg-type]

    def press_until(
        self, key: str, name: str, *, pressed: str | None = None, times: int = 90
    ) -> None:
        """Press a key until what has the focus has this name, and this state where one is given."""
        for _ in range(times):
            self.page.keyboard.press(key)
            found, state = self.page.evaluate(FOCUSED)
            if re.search(name, found or "") and pressed in {None, state}:
                return
        raise AssertionError(f"{key} never reached {name}")

    def choose_by_key(self, *files: Path | dict[str, Any]) -> None:
        """Press Enter on the button that has the focus, and choose in the chooser it opens."""
        with self.page.expect_file_chooser() as chooser:
            # Playwright asks the browser for choosers without waiting for its consent; a call
            # and its answer later the browser has it.
            self.page.evaluate("() => new Promise((done) => setTimeout(done))")
            self.page.keyboard.press("Enter")
        chooser.value.set_files(list(files))  # type: ignore[arg-type]

    def drop(self, *pictures: Path, at: str = "body") -> None:
        """Drop files on the page."""
        files = [
            [base64.b64encode(path.read_bytes()).decode(), path.name, "image/jpeg"]
            for path in pictures
        ]
        self.page.evaluate(DROP, [files, {}, at])

    def drop_text(self, text: str, kind: str = "text/plain") -> None:
        """Drop a text or a link on the page."""
        self.page.evaluate(DROP, [[], {kind: text}, "body"])

    def paste(self, picture: Path) -> None:
        """Paste a picture from the clipboard."""
        text = base64.b64encode(picture.read_bytes()).decode()
        self.page.evaluate(PASTE, [text, picture.name, "image/jpeg"])

    def search_with(self, picture: Path) -> None:
        """Open the page, give a picture, wait for its results."""
        self.open()
        self.choose(picture)
        self.wait_results()

    def see_results(self, picture: Path, more: str = "") -> None:
        """Open the address of a search with a picture; quicker than giving the picture again."""
        self.open(f"/?q={self.site.query_of(picture)}{more}")
        self.wait_results()

    def wait_results(self) -> None:
        """Wait until a search has answered."""
        self.page.wait_for_url(re.compile(r"[?&](q|object)="), timeout=PATIENCE_MS)
        expect(self.results.locator(".head .count")).not_to_have_text(
            "Searching…", timeout=PATIENCE_MS
        )
        expect(self.cards.first).to_be_visible(timeout=PATIENCE_MS)

    @property
    def results(self) -> Locator:
        """The region of the results."""
        return self.page.get_by_role("region", name="Results")

    @property
    def cards(self) -> Locator:
        """The results, as pictures or crops."""
        return self.results.locator("li.card")

    @property
    def query(self) -> Locator:
        """The panel with the picture that is searched with."""
        return self.page.get_by_role("region", name="Your picture")

    @property
    def stage(self) -> Locator:
        """The picture that is searched with."""
        return self.query.locator(".stage")

    @property
    def outlines(self) -> Locator:
        """The objects outlined in it."""
        return self.query.locator(".outline")

    @property
    def objects(self) -> Locator:
        """The objects of that picture as a list."""
        return self.query.get_by_role("list", name="Objects in your picture").get_by_role("button")

    @property
    def alert(self) -> Locator:
        """What is shown of an error."""
        return self.page.get_by_role("alert")

    def scores(self) -> list[float]:
        """The score of each result, in the order shown."""
        names = [
            card.get_attribute("aria-label") or "" for card in self.cards.locator(".open").all()
        ]
        return [float(re.search(r"score (-?[\d.]+)", name).group(1)) for name in names]  # type: ignore[union-attr]

    def large(self, rank: int = 1) -> Locator:
        """Open a result large, best first from 1; gives the dialog once its objects are there."""
        self.cards.nth(rank - 1).locator(".open").click(position={"x": 6, "y": 6})
        dialog = self.page.get_by_role("dialog", name="Picture")
        expect(dialog.locator(".stage")).to_be_visible(timeout=PATIENCE_MS)
        return dialog

    def log_in(self, locked_site: LockedSite, scope: str, address: str = "/") -> None:
        """Open an address of a site with keys and give it one."""
        self.page.goto(locked_site.url + address)
        self.page.get_by_label("API key").fill(locked_site.keys[scope])
        self.page.keyboard.press("Enter")
        expect(self.page.get_by_role("button", name="Log out")).to_be_visible()

    def choose_another(self, picture: Path) -> None:
        """Go on from a refused picture: the same cannot succeed, so another is offered first."""
        expect(self.alert.get_by_role("button")).to_have_text(["Another picture"])
        self.alert.locator("input[type=file]").set_input_files(picture)
        self.wait_results()
        expect(self.alert).to_have_count(0)

    def wait_pictures(self) -> None:
        """Wait until every picture that is in sight has been loaded and faded in."""
        self.page.wait_for_function(PICTURES_THERE, timeout=PATIENCE_MS)

    def shoot(self, name: str) -> None:
        """Keep a picture of this state for a person to look at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled")

    def violations(self) -> Sequence[str]:
        """What axe finds wrong, one line each."""
        source = REPOSITORY / "search-front" / "node_modules" / "axe-core" / "axe.min.js"
        self.page.evaluate(source.read_text(encoding="utf-8"))
        found = self.page.evaluate("() => axe.run().then((result) => result.violations)")
        return [
            f"{problem['id']}: {node['html']} {node['failureSummary']}"
            for problem in found
            for node in problem["nodes"]
        ]
