"""A cluster of three with one replica loses its master by kill -9 in mid-backfill."""

from __future__ import annotations

import secrets
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from fastapi.testclient import TestClient

from embedding_pipeline.bootstrap import Boxseek
from support.api_app import add, opened, png
from support.ingest_workshop import fill_folder
from support.servers_boxseek import GatedModels, backfill, best_hit, in_thread, missing
from support.servers_faults import OwnServer, eventually, own_elasticsearch

pytestmark = pytest.mark.elasticsearch
PICTURES = 120
MOST_S = 60.0
"""Longest time without writes or searches; a few seconds on a machine with time to spare."""

WAIT_S = 180.0
"""For what comes before the fault: three nodes start and copy shards on two cores."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[OwnServer]]:
    """Three nodes of this file's own."""
    with own_elasticsearch(tmp_path_factory.mktemp("cluster"), nodes=3) as nodes:
        yield nodes


@dataclass
class Watch:
    """Asks again and again, and knows when the answers were right.

    Args:
        client: of the application.
        query: a picture that is there.
    """

    client: TestClient
    query: bytes
    found_at: list[float] = field(default_factory=list)
    refused: set[tuple[int, str]] = field(default_factory=set)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, object_id: str) -> None:
        """Search by an object of the index until stopped."""
        while not self.stop.wait(0.05):
            answer = self.client.post("/v1/search", data={"object_id": object_id, "limit": 1})
            if answer.status_code == 200 and answer.json()["hits"]:
                self.found_at.append(time.monotonic())
            else:
                self.refused.add((answer.status_code, answer.json().get("code", "")))

    def first_after(self, moment: float) -> float:
        """Seconds from a moment to the first right answer that began after it."""
        later = [at for at in self.found_at if at > moment]
        return later[0] - moment if later else 0.0


def master_of(cluster: list[OwnServer]) -> OwnServer:
    """Find the node that leads, once every shard has its replica."""
    with Elasticsearch(cluster[0].url, request_timeout=60) as client:
        eventually(
            lambda: (
                client.cluster.health(wait_for_status="green", timeout="5s")["status"] == "green"
            ),
            within_s=WAIT_S,
            what="replica of every shard",
        )
        name = client.cat.master(format="json")[0]["node"]  # type: ignore[index] # as JSON a list
    return cluster[int(str(name).removeprefix("node-"))]


def done(boxseek: Boxseek) -> int:
    """Pictures that the backfill has acknowledged."""
    return boxseek.progress.snapshot().done


def test_master_lost_in_mid_backfill(cluster: list[OwnServer], tmp_path: Path) -> None:
    """Writing and searching go on within seconds, and nothing acknowledged is lost."""
    fill_folder(tmp_path / "photos", PICTURES)
    models = GatedModels(PICTURES // 3)
    settings: dict[str, Any] = {
        "index": "elasticsearch",
        "elasticsearch_url": ",".join(node.url for node in cluster),
        "elasticsearch_index": f"test-{secrets.token_hex(6)}",
        "elasticsearch_replicas": 1,
        "elasticsearch_timeout_s": 30.0,
        "batch_pictures": 4,
    }
    with opened(tmp_path, models=models, **settings) as (boxseek, client):
        kept = add(client, png(1))[0]["image_key"]
        watch = Watch(client, png(1))
        watching = threading.Thread(target=watch.run, args=(f"{kept}-001",), name="watch")
        watching.start()
        try:
            run = in_thread(lambda: backfill(boxseek, tmp_path / "photos"))
            assert models.reached.wait(WAIT_S)
            master = master_of(cluster)
            before = done(boxseek)
            killed = time.monotonic()
            master.end()
            models.go_on.set()
            eventually(lambda: done(boxseek) > before, within_s=2 * MOST_S, what="further write")
            write_s = time.monotonic() - killed
            report = run.result(2 * WAIT_S)
            eventually(
                lambda: watch.first_after(killed + 0.2), within_s=2 * MOST_S, what="right answer"
            )
        finally:
            watch.stop.set()
            models.go_on.set()
            watching.join(60)
        search_s = watch.first_after(killed + 0.2) + 0.2
        sys.stdout.write(f"master killed: search after {search_s:.1f} s, write {write_s:.1f} s\n")
        assert search_s < MOST_S
        assert write_s < MOST_S
        assert watch.refused <= {(503, "index_unavailable")}
        assert report.states == {"indexed": PICTURES}
        keys = boxseek.originals.keys()
        assert len(keys) == PICTURES + 1
        assert missing(boxseek, keys) == []
        assert best_hit(client, png(1)) == kept
