"""Which pictures the demo takes: downloaded, test data, packages; asked once."""

from __future__ import annotations

import http.server
import io
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedding_pipeline.cli import demo_pictures
from embedding_pipeline.cli.coco128 import fetch_coco128
from embedding_pipeline.cli.demo_pictures import choose_pictures, package_photographs
from minio_proxy.picture.header import Limits
from support.ingest_workshop import jpeg

LIMITS = Limits(max_bytes=64_000_000, max_pixels=50_000_000)


def archive(members: dict[str, bytes]) -> bytes:
    """A zip file."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return body.getvalue()


class StandIn:
    """A web server in place of the release page; ``body`` is what it answers."""

    def __init__(self) -> None:
        self.body = b""
        self.status = 200
        self.asked = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                self.send_response(outer.status)
                self.send_header("content-length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/coco128.zip"


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    """A running stand-in."""
    made = StandIn()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def test_photographs_are_unpacked_and_nothing_else(stand_in: StandIn, tmp_path: Path) -> None:
    """No name of the archive becomes a path; a second call asks nobody."""
    stand_in.body = archive(
        {
            "coco128/images/train2017/a.jpg": jpeg(1),
            "../../escape.jpg": jpeg(2),
            "coco128/labels/a.txt": b"0 0 0 1 1",
            "coco128/images/text.jpg": b"no picture",
            "coco128/.hidden.jpg": jpeg(3),
        }
    )
    folder = fetch_coco128(tmp_path / "demo", stand_in.url, connect_timeout_s=5)
    assert folder == tmp_path / "demo" / "coco128"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "a.jpg": jpeg(1),
        "escape.jpg": jpeg(2),
    }
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == ["coco128"]
    assert fetch_coco128(tmp_path / "demo", stand_in.url, connect_timeout_s=5) == folder
    assert stand_in.asked == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, b"gone"), (200, b"no zip at all"), (200, archive({"a.txt": b"x"}))],
    ids=["not found", "no zip", "no photographs"],
)
def test_what_cannot_be_had_is_none(
    stand_in: StandIn, tmp_path: Path, status: int, body: bytes
) -> None:
    """Nothing is left behind, the demo goes on with other pictures."""
    stand_in.status, stand_in.body = status, body
    assert fetch_coco128(tmp_path / "demo", stand_in.url, connect_timeout_s=5) is None
    assert not (tmp_path / "demo").exists()


def test_nobody_there_is_none(tmp_path: Path) -> None:
    """A refused connection is no error."""
    assert fetch_coco128(tmp_path, "http://127.0.0.1:9/x.zip", connect_timeout_s=1) is None


def test_an_archive_that_is_too_large_is_none(
    stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that sends something else cannot fill memory or disk."""
    monkeypatch.setattr("embedding_pipeline.cli.coco128.MAX_ZIP_BYTES", 1000)
    stand_in.body = archive({"a.jpg": jpeg(1, 64)}) * 3
    assert fetch_coco128(tmp_path, stand_in.url, connect_timeout_s=5) is None


def test_the_order_is_download_test_data_packages(tmp_path: Path) -> None:
    """Each is taken when those before it cannot be had; the choice is remembered."""
    downloaded = tmp_path / "downloaded"
    data = tmp_path / "data" / "coco128" / "images"
    downloaded.mkdir()
    data.mkdir(parents=True)
    first = choose_pictures(
        tmp_path / "one", download=lambda _: downloaded, test_data=str(data), limits=LIMITS
    )
    assert first.folder == downloaded
    second = choose_pictures(
        tmp_path / "two",
        download=lambda _: None,
        test_data=str(tmp_path / "data"),
        limits=LIMITS,
    )
    assert second.folder == data
    third = choose_pictures(
        tmp_path / "three", download=lambda _: None, test_data="", limits=LIMITS
    )
    assert {path.name.partition("-")[2] for path in third.folder.iterdir()} >= {
        "bus.jpg",
        "zidane.jpg",
    }
    assert "make demo IMAGES=" in third.told

    def asked(folder: Path) -> Path | None:
        raise AssertionError("the network was asked again")

    again = choose_pictures(tmp_path / "three", download=asked, test_data="", limits=LIMITS)
    assert again == third


def test_packages_give_photographs_and_no_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every one has at least 200 pixels a side and can be opened."""
    found = list(package_photographs(LIMITS))
    assert {"bus.jpg", "zidane.jpg"} <= {path.name for path in found}
    assert not any("baseline_images" in path.parts for path in found)
    monkeypatch.setattr(demo_pictures, "PACKAGES", ("no_such_package",))
    assert list(package_photographs(LIMITS)) == []
