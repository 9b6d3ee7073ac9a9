"""Elasticsearch stopped and killed before, during and after writes, and started again."""

from __future__ import annotations

import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from embedding_pipeline.bootstrap import Boxseek
from embedding_pipeline.errors import IndexUnavailable, IngestError
from embedding_pipeline.indexes import elasticsearch_index
from embedding_pipeline.indexes.elasticsearch_catalog import ElasticsearchCatalog
from embedding_pipeline.ingest import patience
from support.api_app import add, opened, png, refused, settings_of
from support.indexes_samples import description, picture
from support.ingest_workshop import fill_folder
from support.servers_boxseek import (
    GatedModels,
    backfill,
    best_hit,
    in_thread,
    missing,
)
from support.servers_faults import OwnServer, eventually, own_elasticsearch

pytestmark = pytest.mark.elasticsearch
PICTURES = 32
BATCH = 4
BACK_S = 30.0
"""Longest time until a node that answers again is used again."""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    """A node of this file's own."""
    with own_elasticsearch(tmp_path_factory.mktemp("elasticsearch")) as (node,):
        yield node


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive to bring in."""
    folder = tmp_path_factory.mktemp("photos")
    fill_folder(folder, PICTURES)
    return folder


def changes(node: OwnServer) -> dict[str, Any]:
    """Settings of a test: the node, names of its own, small batches."""
    return {
        "index": "elasticsearch",
        "elasticsearch_url": node.url,
        "elasticsearch_index": f"test-{secrets.token_hex(6)}",
        "batch_pictures": BATCH,
    }


def come_back(node: OwnServer) -> None:
    """Start a node again on its data."""
    node.start()
    node.wait()


def no_search(client: TestClient, key: str) -> None:
    """Check that a search, which needs no models, says that the index is away."""
    details = refused(
        client.post("/v1/search", data={"object_id": f"{key}-001"}), 503, "index_unavailable"
    )
    assert node_named(details)


def node_named(details: dict[str, object]) -> bool:
    """Whether an error's details say which server it is."""
    return str(details.get("place", "")).startswith("http://127.0.0.1:")


def test_killed_right_after_an_acknowledged_upload(
    node: OwnServer, photos: Path, tmp_path: Path
) -> None:
    """What was acknowledged survives kill -9; everything says 503 and recovers by itself."""
    settings = changes(node)
    with opened(tmp_path, models=GatedModels(), **settings) as (boxseek, client):
        rows = add(client, *(png(n) for n in range(3)))
        node.end(signal.SIGKILL)
        assert [row["status"] for row in rows] == ["indexed"] * 3
        no_search(client, rows[0]["image_key"])
        refused(client.get("/readyz"), 503, "index_unavailable")
        refused(
            client.post("/v1/images", files={"files": ("9.png", png(9))}), 503, "index_unavailable"
        )
        with pytest.raises(IndexUnavailable, match="BOXSEEK_ELASTICSEARCH_URL"):
            backfill(boxseek, photos)
        with pytest.raises(IndexUnavailable, match="BOXSEEK_ELASTICSEARCH_URL"):
            Boxseek.open(settings_of(tmp_path, **settings), models=GatedModels())
        come_back(node)
        eventually(lambda: best_hit(client, png(0)), within_s=BACK_S, what="search")
        assert missing(boxseek, [row["image_key"] for row in rows]) == []
        assert client.get("/readyz").status_code == 200
        assert add(client, png(9))[0]["status"] == "indexed"
        assert backfill(boxseek, photos).states == {"indexed": PICTURES}
        assert boxseek.index().count().pictures == PICTURES + 4


def test_a_backfill_waits_for_its_node(node: OwnServer, photos: Path, tmp_path: Path) -> None:
    """Stopped in the middle of a backfill and started again, the run ends as if nothing was."""
    models = GatedModels(PICTURES // 2)
    with opened(tmp_path, models=models, **changes(node)) as (boxseek, client):
        run = in_thread(lambda: backfill(boxseek, photos))
        assert models.reached.wait(60)
        first = eventually(lambda: boxseek.originals.keys(limit=1), within_s=30, what="original")
        node.end(signal.SIGTERM)
        models.go_on.set()
        no_search(client, first[0])
        come_back(node)
        report = run.result(120)
        assert (report.states, report.interrupted) == ({"indexed": PICTURES}, False)
        keys = boxseek.originals.keys()
        assert len(keys) == PICTURES
        assert missing(boxseek, keys) == []
        assert models.seen == PICTURES
        assert client.post("/v1/search", data={"object_id": f"{first[0]}-001"}).status_code == 200


def test_a_run_whose_node_stays_away_is_finished_by_the_next(
    node: OwnServer, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends with what to do; the next one repeats no model work and loses nothing."""
    monkeypatch.setattr(patience, "UNAVAILABLE_WAIT_S", 0.01)
    monkeypatch.setattr(elasticsearch_index, "RETRY_DEADLINE_S", 0.5)
    models = GatedModels(PICTURES // 2)
    with opened(tmp_path, models=models, **changes(node)) as (boxseek, client):
        kept = add(client, png(1))[0]["image_key"]
        run = in_thread(lambda: backfill(boxseek, photos))
        assert models.reached.wait(60)
        node.end(signal.SIGKILL)
        models.go_on.set()
        with pytest.raises(IngestError, match="run the same command again") as caught:
            run.result(120)
        assert caught.value.details["code"] == "index_unavailable"
        come_back(node)
        report = backfill(boxseek, photos)
        assert report.states == {"indexed": PICTURES}
        assert missing(boxseek, [kept, *boxseek.originals.keys()]) == []
        assert boxseek.index().count().pictures == PICTURES + 1
        assert models.seen == PICTURES + 1


def test_killed_in_mid_bulk(node: OwnServer, tmp_path: Path) -> None:
    """Bulks are broken off by kill -9: every acknowledged picture is there and whole."""
    with closing(ElasticsearchCatalog(settings_of(tmp_path, **changes(node)))) as catalog:
        catalog.activate(catalog.create(description()).name)
        index = catalog.open()
        acknowledged: list[str] = []
        enough, stop = threading.Event(), threading.Event()
        errors: list[IndexUnavailable] = []

        def write() -> None:
            for number in range(0, 100_000, 20):
                if stop.is_set():
                    return
                made = [picture(n) for n in range(number, number + 20)]
                try:
                    report = index.put(made)
                except IndexUnavailable as exc:
                    errors.append(exc)
                    return
                assert not report.failures
                acknowledged.extend(one.image_key for one in made)
                if len(acknowledged) >= 200:
                    enough.set()

        writer = threading.Thread(target=write, name="writer")
        writer.start()
        assert enough.wait(60)
        node.end(signal.SIGKILL)
        come_back(node)
        stop.set()
        writer.join(60)
        index.make_searchable()
        for key in acknowledged:
            found = index.picture(key)
            assert found is not None
            assert len(found.entries) == len(picture(0).entries)
        assert all("does not answer" in error.message for error in errors)
