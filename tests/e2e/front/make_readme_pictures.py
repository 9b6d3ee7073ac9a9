"""Make the README's pictures of the page: ``python tests/e2e/front/make_readme_pictures.py``.

Serves the photographs that come inside installed packages with the packaged models, and
takes docs/images/page.png, page-dark.png and page-phone.png.
"""

from __future__ import annotations

import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from PIL import Image
from playwright.sync_api import sync_playwright

from support.front_browser import find_chromium, launch_arguments
from support.front_page import Visitor
from support.front_site import REPOSITORY, Site, add_pictures, serving

IMAGES = REPOSITORY / "docs" / "images"
COLORS = 128
VIEWS = {
    "page": {"viewport": {"width": 1180, "height": 720}, "color_scheme": "light"},
    "page-dark": {"viewport": {"width": 1180, "height": 720}, "color_scheme": "dark"},
    "page-phone": {"viewport": {"width": 390, "height": 780}, "color_scheme": "light"},
}


def photographs() -> list[Path]:
    """Photographs inside Ultralytics and, where they are installed, other packages."""
    found: list[Path] = []
    for package, folder in (
        ("ultralytics", "assets"),
        ("matplotlib", "mpl-data/sample_data"),
        ("skimage", "data"),
        ("sklearn", "datasets/images"),
    ):
        spec = find_spec(package)
        if spec and spec.origin:
            found += sorted((Path(spec.origin).parent / folder).glob("*.jpg"))
    return found


def shrink(path: Path) -> None:
    """Keep a picture small: fewer colours are enough for a page."""
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(COLORS).save(path, optimize=True)


def main() -> None:
    """Take every view."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    pictures = photographs()
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder) / "data") as url,
        sync_playwright() as playwright,
    ):
        add_pictures(url, pictures, "samples")
        path, reason = find_chromium(os.environ, playwright.chromium.executable_path)
        if path is None:
            raise SystemExit(reason)
        browser = playwright.chromium.launch(executable_path=path, args=launch_arguments())
        for name, options in VIEWS.items():
            page = browser.new_page(**options)
            visitor = Visitor(page, Site(url, Path(folder), len(pictures), ("samples",)))
            visitor.search_with(pictures[0])
            visitor.wait_pictures()
            page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")
            shrink(IMAGES / f"{name}.png")
            print(f"{name}.png: {(IMAGES / f'{name}.png').stat().st_size} bytes")  # noqa: T201
        browser.close()


if __name__ == "__main__":
    main()
