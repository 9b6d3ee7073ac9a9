"""One browser and one service with real models and pictures for all tests of the page."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from minio_proxy.access import SCOPES
from minio_proxy.cli import add_key
from minio_proxy.settings import ProxySettings
from support.front_browser import find_chromium, launch_arguments
from support.front_page import PATIENCE_MS, Visitor
from support.front_site import FRONT, SMALL_BYTES, LockedSite, Site, add_pictures, serving

ARCHIVE_PICTURES = 28
"""With the samples more than one page of results, and not much to index."""
DESKTOP = {"width": 1360, "height": 900}


def assets() -> Path:
    """The photographs that come inside Ultralytics."""
    spec = find_spec("ultralytics")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "assets"


@pytest.fixture(scope="session")
def bus() -> Path:
    """A street with a bus and people, 810 x 1080."""
    return assets() / "bus.jpg"


@pytest.fixture(scope="session")
def zidane() -> Path:
    """Two men, 1280 x 720."""
    return assets() / "zidane.jpg"


@pytest.fixture(scope="session")
def _playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session", autouse=True)
def _patience() -> None:
    """A busy machine is no failure: every state is waited for as long as every action."""
    expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser(_playwright: Playwright) -> Iterator[Browser]:
    """A real Chromium."""
    path, reason = find_chromium(os.environ, _playwright.chromium.executable_path)
    if path is None:
        pytest.skip(reason)
    started = _playwright.chromium.launch(executable_path=path, args=launch_arguments())
    yield started
    started.close()


@pytest.fixture(scope="session")
def _built() -> None:
    if not (FRONT / "dist" / "index.html").is_file():
        pytest.skip("the page is not built (make front)")


@pytest.fixture(scope="session")
def site(_built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A service with the samples and, where there is one, some of the archive of photographs."""
    archive = os.environ.get("BOXSEEK_TEST_DATA")
    given = {"samples": sorted(assets().glob("*.jpg"))}
    if archive:
        photographs = sorted(Path(archive, "coco128", "images").glob("*.jpg"))
        given["archive"] = photographs[:ARCHIVE_PICTURES]
    data_dir = tmp_path_factory.mktemp("front") / "data"
    with serving(data_dir, {"BOXSEEK_ALLOW_URLS": "true"}) as url:
        for collection, pictures in given.items():
            add_pictures(url, pictures, collection)
        yield Site(url, data_dir, sum(map(len, given.values())), tuple(given))


@pytest.fixture(scope="session")
def locked_site(
    _built: None, bus: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LockedSite]:
    """A service with a key of each scope, a small limit on pictures, and one picture."""
    data_dir = tmp_path_factory.mktemp("locked") / "data"
    settings = ProxySettings(data_dir=data_dir)
    keys = {scope: add_key(settings, scope, scope)[1] for scope in SCOPES}
    with serving(data_dir, {"BOXSEEK_MAX_BYTES": str(SMALL_BYTES)}) as url:
        add_pictures(url, [bus], "samples", key=keys["admin"])
        yield LockedSite(url, keys)


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Callable[..., Visitor]]:
    """Make visitors; each has a window of its own, and none may see a script fail."""
    visitors: list[Visitor] = []

    def make(**options: Any) -> Visitor:
        context = browser.new_context(**{"viewport": DESKTOP, **options})
        context.set_default_timeout(PATIENCE_MS)
        visitor = Visitor(context.new_page(), site)
        visitor.listen()
        visitors.append(visitor)
        return visitor

    yield make
    for visitor in visitors:
        visitor.page.context.close()
    assert [line for visitor in visitors for line in visitor.complaints] == []


@pytest.fixture
def visitor(visit: Callable[..., Visitor]) -> Visitor:
    """A person at a desk."""
    return visit()


@pytest.fixture
def archive(site: Site) -> Site:
    """The service, if it holds the archive: enough pictures for several pages."""
    if "archive" not in site.collections:
        pytest.skip("BOXSEEK_TEST_DATA names no folder of test pictures")
    return site
