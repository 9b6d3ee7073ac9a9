"""Elasticsearch goes away while the models load, and comes back: ready without a restart."""

from __future__ import annotations

import secrets
import signal
import threading
from pathlib import Path

import pytest

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.models.loaded import LoadedModels
from embedding_pipeline.settings import Settings
from support.api_app import add, opened, png, refused
from support.api_demo_app import fake_models
from support.servers_faults import eventually, own_elasticsearch

pytestmark = pytest.mark.elasticsearch


def test_an_index_that_was_away_while_models_loaded_is_used_once_it_is_back(
    tmp_path: Path,
) -> None:
    """Until then everything says that the index is away; nobody restarts anything."""
    loading, go_on = threading.Event(), threading.Event()

    def slow_models(settings: Settings, description: ModelDescription | None) -> LoadedModels:
        loading.set()
        assert go_on.wait(60)
        return fake_models(settings, description)

    with own_elasticsearch(tmp_path / "elasticsearch") as (node,):
        changes = {
            "index": "elasticsearch",
            "elasticsearch_url": node.url,
            "elasticsearch_index": f"test-{secrets.token_hex(6)}",
        }
        with opened(tmp_path, models=slow_models, ready=False, **changes) as (boxseek, client):
            assert loading.wait(60)
            node.end(signal.SIGKILL)
            go_on.set()
            eventually(lambda: boxseek.runner.error, within_s=60, what="the reason")
            refused(client.get("/readyz"), 503, "index_unavailable")
            node.start()
            node.wait()
            eventually(
                lambda: client.get("/readyz").status_code == 200, within_s=90, what="readiness"
            )
            assert add(client, png(1))[0]["status"] == "indexed"
