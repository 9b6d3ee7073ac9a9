"""Originals in place over HTTP: a folder and a bucket, whole and in part, changed and gone."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from embedding_pipeline.cli.ingesting import Manner, run_ingest
from embedding_pipeline.ingest.ingest_run import IngestOptions
from embedding_pipeline.settings import Settings
from minio_proxy.api.app import create_app
from minio_proxy.bootstrap import build_services
from support.ingest_fake_boxseek import logging_models
from support.ingest_workshop import fill_folder, jpeg, key_of
from support.servers import TestServers
from support.stores_s3 import random_bucket, raw_client, remove_bucket, s3_settings

NAME = "0001.jpg"
KEY = key_of(jpeg(1))


@dataclass(frozen=True, slots=True)
class Somewhere:
    """A source that a test may change.

    Args:
        text: as typed for ingest.
        settings: with originals in a store of their own.
        write: puts a file there.
        remove: takes one away.
    """

    text: str
    settings: Settings
    write: Callable[[str, bytes], object]
    remove: Callable[[str], object]


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.s3)])
def somewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Somewhere]:
    """Three pictures in a folder or bucket, brought in and not copied."""
    if request.param == "folder":
        photos = tmp_path / "photos"
        fill_folder(photos, 3)
        settings = Settings(_env_file=None, data_dir=tmp_path / "data")
        yield brought_in(
            Somewhere(
                str(photos),
                settings,
                lambda name, data: (photos / name).write_bytes(data),
                lambda name: (photos / name).unlink(),
            )
        )
        return
    server: TestServers = request.getfixturevalue("s3_server")
    client, bucket, own = raw_client(server), random_bucket(), random_bucket()
    client.make_bucket(bucket)
    fields = s3_settings(server, own, data_dir=tmp_path / "data").model_dump()
    try:
        there = Somewhere(
            f"s3://{bucket}/in/",
            Settings(_env_file=None, **fields),
            lambda name, data: client.put_object(bucket, f"in/{name}", io.BytesIO(data), len(data)),
            lambda name: client.remove_object(bucket, f"in/{name}"),
        )
        for number in range(3):
            there.write(f"{number:04d}.jpg", jpeg(number))
        yield brought_in(there)
    finally:
        remove_bucket(server, bucket)
        remove_bucket(server, own)


def brought_in(there: Somewhere) -> Somewhere:
    """Run ``boxseek ingest --in-place``."""
    manner = Manner(as_json=True, nice=0)
    options = IngestOptions(in_place=True)
    assert run_ingest(there.settings, there.text, options, manner, logging_models) == 0
    return there


@pytest.fixture
def client(somewhere: Somewhere) -> Iterator[TestClient]:
    """The proxy over them."""
    with (
        build_services(somewhere.settings) as services,
        TestClient(create_app(services), base_url="http://127.0.0.1") as made,
    ):
        assert services.store.list("originals/") == []
        yield made


def test_whole_in_part_and_known(client: TestClient) -> None:
    """GET, HEAD, ranges and conditions answer as for stored originals."""
    whole = client.get(f"/objects/{KEY}")
    assert (whole.status_code, whole.content) == (200, jpeg(1))
    assert whole.headers["content-type"] == "image/jpeg"
    assert whole.headers["etag"] == f'"{KEY}"'
    head = client.head(f"/objects/{KEY}")
    assert (head.status_code, int(head.headers["content-length"])) == (200, len(jpeg(1)))
    part = client.get(f"/objects/{KEY}", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, jpeg(1)[10:20])
    last = client.get(f"/objects/{KEY}", headers={"Range": "bytes=-7"})
    assert (last.status_code, last.content) == (206, jpeg(1)[-7:])
    beyond = client.get(f"/objects/{KEY}", headers={"Range": "bytes=999999-"})
    assert beyond.status_code == 416
    known = client.get(f"/objects/{KEY}", headers={"If-None-Match": f'"{KEY}"'})
    assert known.status_code == 304
    again = client.get(f"/objects/{KEY}")
    assert again.content == jpeg(1)


def test_thumbnails_crops_lists_and_metadata(client: TestClient) -> None:
    """What is made of originals is made of those in place, too."""
    assert client.get(f"/thumbnails/64/{KEY}").status_code == 200
    assert client.get(f"/crops/64/{KEY}?box=1,1,20,20").status_code == 200
    listed = [one["key"] for one in client.get("/objects").json()["objects"]]
    assert listed == sorted(key_of(jpeg(number)) for number in range(3))
    described = client.get(f"/objects/{KEY}/metadata").json()
    assert described["size_bytes"] == len(jpeg(1))


def test_changed_touched_and_gone(client: TestClient, somewhere: Somewhere) -> None:
    """Other bytes are 409, the same bytes anew are served, a missing file is 410."""
    assert client.get(f"/objects/{KEY}").status_code == 200
    somewhere.write(NAME, jpeg(1))
    assert client.get(f"/objects/{KEY}").content == jpeg(1)
    other = bytearray(jpeg(1))
    other[-5] ^= 1
    somewhere.write(NAME, bytes(other))
    for path in (f"/objects/{KEY}", f"/objects/{KEY}?download=true", f"/thumbnails/128/{KEY}"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (409, "source_changed"), path
        assert "boxseek ingest --in-place" in answer.json()["message"]
    assert client.head(f"/objects/{KEY}").status_code == 409
    somewhere.remove(NAME)
    answer = client.get(f"/objects/{KEY}")
    assert (answer.status_code, answer.json()["code"]) == (410, "source_gone")
    assert client.get(f"/objects/{key_of(jpeg(2))}").status_code == 200
    somewhere.write(NAME, jpeg(1))
    assert client.get(f"/objects/{KEY}").content == jpeg(1)


def test_deleting_touches_no_source(client: TestClient, somewhere: Somewhere) -> None:
    """The record goes, a later comparison finds the file again."""
    assert client.delete(f"/objects/{KEY}").status_code == 204
    assert client.get(f"/objects/{KEY}").status_code == 404
    brought_in(somewhere)
    assert client.get(f"/objects/{KEY}").content == jpeg(1)


@pytest.mark.s3
def test_offload_leaves_them_to_the_proxy(s3_server: TestServers, tmp_path: Path) -> None:
    """A redirect would lead to a store that has them not, so they are streamed."""
    own = random_bucket()
    fill_folder(tmp_path / "photos", 3)
    fields = s3_settings(s3_server, own, data_dir=tmp_path / "data").model_dump()
    try:
        there = Somewhere(
            str(tmp_path / "photos"),
            Settings(_env_file=None, **fields),
            lambda name, data: None,
            lambda name: None,
        )
        brought_in(there)
        for mode in ("redirect", "accel"):
            settings = there.settings.model_copy(update={"offload": mode})
            with (
                build_services(settings) as services,
                TestClient(create_app(services), base_url="http://127.0.0.1") as client,
            ):
                key = key_of(jpeg(9))
                client.post("/objects", content=jpeg(9))
                stored = client.get(f"/objects/{key}", follow_redirects=False)
                assert stored.status_code == (307 if mode == "redirect" else 200)
                assert ("x-accel-redirect" in stored.headers) is (mode == "accel")
                placed = client.get(f"/objects/{KEY}", follow_redirects=False)
                assert (placed.status_code, placed.content) == (200, jpeg(1))
    finally:
        remove_bucket(s3_server, own)


def test_a_watched_source_is_kept_in_step(
    somewhere: Somewhere, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command itself: a new file is brought in within seconds, and Ctrl-C's event ends it."""
    stop = threading.Event()

    class Interrupt:
        """Stands for the signal, which only a main thread gets."""

        def __enter__(self) -> threading.Event:
            return stop

        def __exit__(self, *_: object) -> None:
            return

    monkeypatch.setattr("embedding_pipeline.cli.ingesting.stop_on_interrupt", Interrupt)
    manner = Manner(as_json=True, nice=0, watch=True)
    options = IngestOptions(in_place=True, delete=True, delete_share=0.5)
    codes: list[int] = []
    thread = threading.Thread(
        target=lambda: codes.append(
            run_ingest(somewhere.settings, somewhere.text, options, manner, logging_models)
        )
    )
    thread.start()
    try:
        with build_services(somewhere.settings) as services:
            told = ""
            while '"event": "report"' not in told:
                told += capsys.readouterr().out
                time.sleep(0.05)
            somewhere.write("a new+one%2F ü.jpg", jpeg(30))
            wait_for(lambda: services.originals.exists(key_of(jpeg(30))))
            assert services.originals.read(key_of(jpeg(30))) == jpeg(30)
            somewhere.remove("a new+one%2F ü.jpg")
            wait_for(lambda: not services.originals.exists(key_of(jpeg(30))))
            assert len(services.originals.keys()) == 3
    finally:
        stop.set()
        thread.join(60)
    assert codes == [0]


def wait_for(done: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)
