"""No space left: Elasticsearch at its real flood stage, MinIO on a file system that is full."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from fastapi.testclient import TestClient

from embedding_pipeline.errors import IngestError
from embedding_pipeline.ingest import patience
from minio_proxy.errors import StoreFull
from minio_proxy.stores.s3 import S3Store
from support.api_app import add, opened, png, refused
from support.ingest_workshop import fill_folder
from support.servers import TestServers
from support.servers_boxseek import GatedModels, backfill, best_hit, missing
from support.servers_faults import (
    OwnServer,
    eventually,
    own_elasticsearch,
    own_minio_on_small_disk,
)
from support.stores_s3 import random_bucket, s3_settings
from support.stores_streams import get, keys_of, put

PICTURES = 8
NOTICED_S = 90.0
"""A node looks at its disks every 10 s here, and twice before it acts on what it saw."""

DISK = "cluster.routing.allocation.disk.watermark"
FLOODED = {f"{DISK}.low": "9pb", f"{DISK}.high": "8pb", f"{DISK}.flood_stage": "7pb"}
DRY = {f"{DISK}.{name}": "1mb" for name in ("low", "high", "flood_stage")}
DISK_MB = 64
PART = 4 * 1024 * 1024


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    """A node of this file's own that looks at its disks as often as it can."""
    with own_elasticsearch(tmp_path_factory.mktemp("elasticsearch")) as (node,):
        _set(node, {"cluster.info.update.interval": "10s", **DRY})
        yield node


@pytest.fixture(scope="module")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestServers, Path]]:
    """A MinIO with a small disk of its own."""
    with own_minio_on_small_disk(tmp_path_factory.mktemp("minio"), DISK_MB) as found:
        yield found


def _set(node: OwnServer, settings: dict[str, str]) -> None:
    with Elasticsearch(node.url, request_timeout=60) as client:
        client.cluster.put_settings(persistent=settings)


def _blocked(node: OwnServer, alias: str) -> bool:
    with Elasticsearch(node.url, request_timeout=60) as client:
        (found,) = client.indices.get_settings(index=alias).values()
        return "read_only_allow_delete" in str(found["settings"]["index"].get("blocks", {}))


def _uploads(client: TestClient, picture: bytes) -> bool:
    answer = client.post("/v1/images", files={"files": ("n.png", picture)})
    return answer.status_code == 200


@pytest.mark.elasticsearch
def test_flood_stage(node: OwnServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes are refused with what to do, searches go on, and free space ends it by itself."""
    monkeypatch.setattr(patience, "UNAVAILABLE_WAIT_S", 0.01)
    fill_folder(tmp_path / "photos", PICTURES)
    alias = f"test-{secrets.token_hex(6)}"
    settings: dict[str, Any] = {
        "index": "elasticsearch",
        "elasticsearch_url": node.url,
        "elasticsearch_index": alias,
    }
    with opened(tmp_path, models=GatedModels(), **settings) as (boxseek, client):
        kept = add(client, png(1))[0]["image_key"]
        _set(node, FLOODED)
        eventually(lambda: _blocked(node, alias), within_s=NOTICED_S, what="read-only block")
        sent = {"files": ("2.png", png(2))}
        refused(client.post("/v1/images", files=sent), 507, "index_full")
        assert best_hit(client, png(1)) == kept
        with pytest.raises(IngestError, match="Free disk space"):
            backfill(boxseek, tmp_path / "photos")
        _set(node, DRY)
        eventually(lambda: _uploads(client, png(2)), within_s=NOTICED_S, what="upload")
        report = backfill(boxseek, tmp_path / "photos")
        assert sum(report.states.values()) == PICTURES
        keys = boxseek.originals.keys()
        assert len(keys) == PICTURES + 2
        assert missing(boxseek, keys) == []


@pytest.mark.s3
def test_full_disk_of_the_store(minio: tuple[TestServers, Path]) -> None:
    """Puts for which no space is left are StoreFull and leave nothing; the others stay whole."""
    known, disk = minio
    store = S3Store(s3_settings(known, random_bucket()))
    content = secrets.token_bytes(PART)
    kept: list[str] = []
    with _filled_up(disk, leave=4 * PART):
        with pytest.raises(StoreFull, match="free or add space"):
            _put_on_and_on(store, content, kept)
        assert kept
        assert keys_of(store) == kept
        assert all(get(store, key) == content for key in kept)
    eventually(lambda: _stored(store, content), within_s=NOTICED_S, what="put")
    assert get(store, "later") == content
    store.close()


@pytest.mark.s3
def test_uploads_to_a_full_store(minio: tuple[TestServers, Path], tmp_path: Path) -> None:
    """507 for uploads, while searches and pictures go on; uploads work again with space."""
    known, disk = minio
    settings: dict[str, Any] = {
        "store": "s3",
        "s3_endpoint": known.s3_endpoint,
        "s3_access_key": known.s3_access_key,
        "s3_secret_key": known.s3_secret_key,
        "s3_bucket": random_bucket(),
    }
    large = png(2, (1600, 1200))
    with opened(tmp_path, models=GatedModels(), **settings) as (boxseek, client):
        key = add(client, png(1))[0]["image_key"]
        with _filled_up(disk, leave=PART // 4):
            refused(client.post("/v1/images", files={"files": ("2.png", large)}), 507, "store_full")
            assert best_hit(client, png(1)) == key
            assert client.get(f"/objects/{key}").status_code == 200
        eventually(lambda: _uploads(client, large), within_s=NOTICED_S, what="upload")
        assert len(boxseek.originals.keys()) == 2
        assert missing(boxseek, boxseek.originals.keys()) == []


@contextmanager
def _filled_up(disk: Path, *, leave: int) -> Iterator[None]:
    """Fill a file system but for some bytes with a file of somebody else."""
    found = os.statvfs(disk)
    filler = disk / "filler"
    filler.write_bytes(bytes(found.f_bavail * found.f_frsize - leave))
    yield
    filler.unlink()


def _put_on_and_on(store: S3Store, content: bytes, kept: list[str]) -> None:
    """Put more than the disk holds; ``kept`` gets the keys that were acknowledged."""
    for number in range(DISK_MB):
        put(store, f"part/{number:02d}", content)
        kept.append(f"part/{number:02d}")


def _stored(store: S3Store, content: bytes) -> bool:
    """Put an object; MinIO notices new space only a moment later."""
    try:
        put(store, "later", content)
    except StoreFull:
        return False
    return True
