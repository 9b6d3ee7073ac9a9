"""MinIO killed in mid-put and mid-get and started again, behind the store and behind Boxseek."""

from __future__ import annotations

import hashlib
import io
import secrets
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient

from embedding_pipeline.errors import IngestError
from embedding_pipeline.ingest import patience
from minio_proxy.errors import StoreDenied, StoreUnavailable
from minio_proxy.stores.s3 import S3Store
from support.api_app import add, opened, png, refused
from support.ingest_workshop import fill_folder
from support.servers import TestServers
from support.servers_boxseek import GatedModels, backfill, best_hit, in_thread, missing
from support.servers_faults import OwnServer, own_minio
from support.stores_cutting_proxy import CuttingProxy
from support.stores_s3 import random_bucket, s3_settings
from support.stores_streams import get, keys_of, put

pytestmark = pytest.mark.s3
KEY = "originals/ab/abcd"
BIG = 20 * 1024 * 1024
PICTURES = 16
BACK_S = 30.0
"""Longest time until a server that answers again is used again."""


@pytest.fixture(scope="module")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OwnServer, TestServers]]:
    """A MinIO of this file's own."""
    with own_minio(tmp_path_factory.mktemp("minio")) as found:
        yield found


class Interrupting(io.BytesIO):
    """A stream that does something once when a part of it was read."""

    def __init__(self, content: bytes, after: int, act: Callable[[], None]) -> None:
        super().__init__(content)
        self._after = after
        self._act: Callable[[], None] | None = act

    def read(self, size: int | None = -1) -> bytes:
        """Read on; the act comes before the first read beyond the mark."""
        if self._act is not None and self.tell() >= self._after:
            act, self._act = self._act, None
            act()
        return super().read(size)


def changes(known: TestServers, **more: Any) -> dict[str, Any]:
    """Settings of a Boxseek whose originals lie in a bucket of the test's own."""
    return {
        "store": "s3",
        "s3_endpoint": known.s3_endpoint,
        "s3_access_key": known.s3_access_key,
        "s3_secret_key": known.s3_secret_key,
        "s3_bucket": random_bucket(),
        "s3_connect_timeout_s": 2,
        "s3_read_timeout_s": 5,
        "batch_pictures": 4,
        **more,
    }


def test_killed_in_mid_put(minio: tuple[OwnServer, TestServers]) -> None:
    """The put is an error that leaves nothing; what was acknowledged before is intact."""
    server, known = minio
    store = S3Store(s3_settings(known, random_bucket(), s3_connect_timeout_s=2))
    kept = secrets.token_bytes(BIG)
    put(store, "kept", kept)
    content = secrets.token_bytes(BIG)
    dying = Interrupting(content, BIG // 2, lambda: server.end(signal.SIGKILL))
    with pytest.raises(StoreUnavailable, match="is it running"):
        store.put(KEY, dying, size_bytes=BIG)
    server.start()
    server.wait()
    assert keys_of(store) == ["kept"]
    assert get(store, "kept") == kept
    put(store, KEY, content)
    assert get(store, KEY) == content
    store.close()


def test_killed_right_after_an_acknowledged_put(minio: tuple[OwnServer, TestServers]) -> None:
    """Small and multipart objects that were acknowledged survive kill -9."""
    server, known = minio
    store = S3Store(s3_settings(known, random_bucket(), s3_connect_timeout_s=2))
    contents = {f"a/{size}": secrets.token_bytes(size) for size in (0, 1, 70_000, BIG)}
    for key, content in contents.items():
        put(store, key, content)
    server.end(signal.SIGKILL)
    server.start()
    server.wait()
    assert {key: get(store, key) for key in contents} == contents
    store.close()


def test_killed_in_mid_get(minio: tuple[OwnServer, TestServers]) -> None:
    """The stream raises instead of ending short; afterwards the same store reads it whole."""
    server, known = minio
    store = S3Store(s3_settings(known, random_bucket(), s3_connect_timeout_s=2))
    content = secrets.token_bytes(4 * BIG)
    put(store, KEY, content)
    got = bytearray()
    chunks = store.open(KEY)
    got += next(chunks)
    server.end(signal.SIGKILL)
    with pytest.raises(StoreUnavailable):
        deque(map(got.extend, chunks))
    assert 0 < len(got) < len(content)
    assert content.startswith(got)
    server.start()
    server.wait()
    assert get(store, KEY) == content
    store.close()


def test_uploads_and_pictures_while_it_is_away(
    minio: tuple[OwnServer, TestServers], tmp_path: Path
) -> None:
    """503 with what is wrong for uploads and originals, searches go on; then it recovers."""
    server, known = minio
    with opened(tmp_path, models=GatedModels(), **changes(known)) as (boxseek, client):
        key = add(client, png(1))[0]["image_key"]
        server.end(signal.SIGKILL)
        refused(
            client.post("/v1/images", files={"files": ("2.png", png(2))}), 503, "store_unavailable"
        )
        refused(client.get(f"/objects/{key}"), 503, "store_unavailable")
        refused(client.get("/readyz"), 503, "store_unavailable")
        assert best_hit(client, png(1)) == key
        server.start()
        server.wait()
        original = client.get(f"/objects/{key}")
        assert hashlib.sha256(original.content).hexdigest() == key
        assert client.get("/readyz").status_code == 200
        assert add(client, png(2))[0]["status"] == "indexed"
        assert missing(boxseek, boxseek.originals.keys()) == []


@pytest.mark.parametrize("stays_away", [False, True], ids=["comes back", "stays away"])
def test_killed_in_mid_backfill(
    minio: tuple[OwnServer, TestServers],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    stays_away: bool,
) -> None:
    """The run waits for the store, or ends with what to do; nothing acknowledged is missing."""
    server, known = minio
    if stays_away:
        monkeypatch.setattr(patience, "UNAVAILABLE_WAIT_S", 0.01)
    fill_folder(tmp_path / "photos", PICTURES)
    models = GatedModels(PICTURES // 2)
    with opened(tmp_path, models=models, **changes(known)) as (boxseek, _):
        run = in_thread(lambda: backfill(boxseek, tmp_path / "photos"))
        assert models.reached.wait(60)
        server.end(signal.SIGKILL)
        models.go_on.set()
        if stays_away:
            with pytest.raises((IngestError, StoreUnavailable), match="is it running"):
                run.result(120)
        server.start()
        server.wait()
        report = backfill(boxseek, tmp_path / "photos") if stays_away else run.result(120)
        assert report.states == {"indexed": PICTURES}
        keys = boxseek.originals.keys()
        assert len(keys) == PICTURES
        assert missing(boxseek, keys) == []


def test_wrong_credentials(minio: tuple[OwnServer, TestServers], tmp_path: Path) -> None:
    """Uploads and readiness say what is refused, the backfill which setting; it stops at once."""
    _, known = minio
    fill_folder(tmp_path / "photos", 2)
    settings = changes(known, s3_secret_key="wrong-wrong")
    with opened(tmp_path, models=GatedModels(), **settings) as (boxseek, client):
        for answer in (
            client.get("/readyz"),
            client.post("/v1/images", files={"files": ("2.png", png(2))}),
        ):
            assert "credentials" in answer.json()["message"]
            assert answer.json()["code"] == "store_denied"
            assert answer.status_code >= 500
        started = time.monotonic()
        with pytest.raises((IngestError, StoreDenied), match="BOXSEEK_S3_ACCESS_KEY"):
            backfill(boxseek, tmp_path / "photos")
        assert time.monotonic() - started < BACK_S
        assert boxseek.index().count().pictures == 0


def test_slow_answers(minio: tuple[OwnServer, TestServers], tmp_path: Path) -> None:
    """A slow store makes uploads slow and nothing else: searches don't wait for originals."""
    _, known = minio
    url = urlsplit(known.s3_endpoint)
    with CuttingProxy(url.hostname or "", url.port or 80) as proxy:
        settings = changes(known, s3_endpoint=proxy.url)
        with opened(tmp_path, models=GatedModels(), **settings) as (boxseek, client):
            first = add(client, png(1))[0]["image_key"]
            proxy.answer_delay_s = 1.0
            uploading = in_thread(lambda: add(client, png(2)))  # type: ignore[arg-type,return-value]
            searches = 0
            while not uploading.done():
                assert found_within(client, first, 4.0)
                searches += 1
            assert uploading.result()[0]["status"] == "indexed"  # type: ignore[index]
            assert searches
            proxy.answer_delay_s = 0.0
            assert missing(boxseek, boxseek.originals.keys()) == []


def found_within(client: TestClient, key: str, seconds: float) -> bool:
    """Whether a search by an object answers that quickly."""
    started = time.monotonic()
    answer = client.post("/v1/search", data={"object_id": f"{key}-001"})
    return answer.status_code == 200 and time.monotonic() - started < seconds
