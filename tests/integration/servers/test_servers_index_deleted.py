"""The index deleted in Elasticsearch: made again from originals and records in MinIO."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from embedding_pipeline.cli.rebuilding import run_rebuild
from support.api_app import add, opened, png, refused, search
from support.indexes_elasticsearch import elasticsearch_settings
from support.ingest_workshop import fill_folder
from support.servers import TestServers
from support.servers_boxseek import COLLECTION, GatedModels, backfill, best_hit, missing
from support.servers_faults import eventually
from support.stores_s3 import random_bucket, remove_bucket

pytestmark = [pytest.mark.elasticsearch, pytest.mark.s3]
PICTURES = 8


@pytest.fixture
def changes(test_servers: TestServers) -> Iterator[dict[str, Any]]:
    """Settings of both servers, with names of the test's own."""
    bucket = random_bucket()
    with elasticsearch_settings(test_servers.elasticsearch_url) as settings:
        yield {
            "index": "elasticsearch",
            "elasticsearch_url": test_servers.elasticsearch_url,
            "elasticsearch_index": settings.elasticsearch_index,
            "elasticsearch_timeout_s": 60.0,
            "store": "s3",
            "s3_endpoint": test_servers.s3_endpoint,
            "s3_access_key": test_servers.s3_access_key,
            "s3_secret_key": test_servers.s3_secret_key,
            "s3_bucket": bucket,
        }
    remove_bucket(test_servers, bucket)


def test_rebuilt_while_it_serves(
    changes: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """503 while the index is gone; after ``boxseek rebuild`` the same service has all again."""
    fill_folder(tmp_path / "photos", PICTURES)
    with opened(tmp_path, models=GatedModels(), **changes) as (boxseek, client):
        backfill(boxseek, tmp_path / "photos")
        key = add(client, png(1), collection="mine", metadata='{"camera": {"iso": 200}}')[0][
            "image_key"
        ]
        stored = boxseek.originals.keys()
        before = {one: boxseek.index().picture(one) for one in stored}
        with Elasticsearch(changes["elasticsearch_url"], request_timeout=60) as server:
            for name in server.indices.get(index=f"{changes['elasticsearch_index']}-*"):
                server.indices.delete(index=name)
        refused(client.post("/v1/search", data={"object_id": f"{key}-001"}), 503, "index_not_found")
        refused(client.get("/readyz"), 503, "index_not_found")
        assert run_rebuild(boxseek.settings, as_json=True, models=GatedModels()) == 0
        report = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (report["activated"], report["pictures"], report["failed"]) == (
            True,
            PICTURES + 1,
            {},
        )
        eventually(lambda: best_hit(client, png(1)) == key, within_s=30, what="search")
        assert missing(boxseek, stored) == []
        for one, old in before.items():
            new = boxseek.index().picture(one)
            assert new is not None
            assert old is not None
            assert new.entries == old.entries
            assert new.vectors.tobytes() == old.vectors.tobytes()
        assert client.get("/v1/collections").json()["collections"] == {
            COLLECTION: PICTURES,
            "mine": 1,
        }
        mine = search(client, png(1), metadata='{"camera.iso": 200}', limit=5)["hits"]
        assert [hit["image_key"] for hit in mine] == [key]
