"""Backup and restore of the index as docs/elasticsearch.md tells it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from support.api_app import add, opened, png, refused
from support.servers_boxseek import GatedModels, best_hit, missing
from support.servers_faults import OwnServer, own_elasticsearch

pytestmark = pytest.mark.elasticsearch
REPOSITORY = "backup"
NIGHTLY = "nightly"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that snapshots go to."""
    return tmp_path_factory.mktemp("archive")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, archive: Path) -> Iterator[OwnServer]:
    """A node that may write snapshots into the folder."""
    folder = tmp_path_factory.mktemp("elasticsearch")
    with own_elasticsearch(folder, settings=[f"path.repo={archive}"]) as (node,):
        yield node


def test_snapshot_and_restore(node: OwnServer, archive: Path, tmp_path: Path) -> None:
    """A deleted version comes back with its aliases, is searched, and takes what came since."""
    prefix = f"test-{secrets.token_hex(6)}"
    settings: dict[str, Any] = {
        "index": "elasticsearch",
        "elasticsearch_url": node.url,
        "elasticsearch_index": prefix,
    }
    with (
        Elasticsearch(node.url, request_timeout=120) as server,
        opened(tmp_path, models=GatedModels(), **settings) as (boxseek, client),
    ):
        kept = add(client, png(1))[0]["image_key"]
        server.snapshot.create_repository(
            name=REPOSITORY, repository={"type": "fs", "settings": {"location": str(archive)}}
        )
        server.snapshot.create(
            repository=REPOSITORY,
            snapshot=NIGHTLY,
            indices=f"{prefix}-*",
            include_global_state=False,
            wait_for_completion=True,
        )
        later = add(client, png(2))[0]["image_key"]
        server.indices.delete(index=boxseek.index().version.name)
        asked = {"files": {"image": ("q.png", png(1))}}
        refused(client.post("/v1/search", **asked), 503, "index_not_found")
        server.snapshot.restore(
            repository=REPOSITORY,
            snapshot=NIGHTLY,
            indices=f"{prefix}-*",
            wait_for_completion=True,
        )
        assert best_hit(client, png(1)) == kept
        assert missing(boxseek, [kept, later]) == [later]
        assert add(client, png(2))[0]["status"] in {"indexed", "duplicate"}
        assert missing(boxseek, [kept, later]) == []
