"""demo, serve and ingest on Elasticsearch and MinIO by settings alone, as processes over HTTP."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from support.api_app import png
from support.indexes_elasticsearch import elasticsearch_settings
from support.ingest_workshop import fill_folder
from support.servers import TestServers
from support.servers_faults import eventually
from support.stores_s3 import random_bucket, raw_client, remove_bucket

pytestmark = [pytest.mark.elasticsearch, pytest.mark.s3]
TESTS = Path(__file__).parents[2]
PICTURES = 60
FINDABLE_S = 2.0
"""An acknowledged upload is found at latest so much later, by the product's promise."""


@pytest.fixture
def environment(test_servers: TestServers) -> Iterator[dict[str, str]]:
    """The variables that choose the servers, and nothing else."""
    bucket = random_bucket()
    with elasticsearch_settings(test_servers.elasticsearch_url) as settings:
        yield {
            "BOXSEEK_INDEX": "elasticsearch",
            "BOXSEEK_ELASTICSEARCH_URL": test_servers.elasticsearch_url,
            "BOXSEEK_ELASTICSEARCH_INDEX": settings.elasticsearch_index,
            "BOXSEEK_STORE": "s3",
            "BOXSEEK_S3_ENDPOINT": test_servers.s3_endpoint,
            "BOXSEEK_S3_ACCESS_KEY": test_servers.s3_access_key,
            "BOXSEEK_S3_SECRET_KEY": test_servers.s3_secret_key,
            "BOXSEEK_S3_BUCKET": bucket,
        }
    remove_bucket(test_servers, bucket)


class Command:
    """``boxseek demo``, ``serve`` or ``ingest`` with fake models, a process of its own.

    Args:
        arguments: the command and what it takes.
        data: its data folder.
        environment: which servers.
        slow_s: seconds that a batch of four pictures takes the models.
    """

    def __init__(
        self, arguments: list[str], data: Path, environment: dict[str, str], slow_s: float = 0.0
    ) -> None:
        data.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "support.ingest_fake_boxseek", *arguments],
            env={
                **os.environ,
                **environment,
                "PYTHONPATH": str(TESTS),
                "BOXSEEK_DATA_DIR": str(data),
                "BOXSEEK_PORT": "0",
                "BOXSEEK_BATCH_PICTURES": "4",
                "BOXSEEK_TEST_SLOW_S": str(slow_s),
            },
            cwd=data,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def client(self) -> httpx.Client:
        """A client of the address that it prints, once it answers that it is ready."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found, line + self.process.communicate()[1]
        client = httpx.Client(base_url=found[0], timeout=60)
        eventually(lambda: client.get("/readyz").status_code == 200, within_s=60, what="readiness")
        return client

    def end(self) -> str:
        """Interrupt it; it must end with 0 and tell no trouble. Gives what it wrote."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, err
        assert "Traceback" not in err
        return out + err


def images(client: httpx.Client) -> dict[str, Any]:
    """State of the service."""
    status: dict[str, Any] = client.get("/v1/status").json()
    return status


def upload(client: httpx.Client, data: bytes) -> str:
    """Add a picture; its key."""
    answer = client.post("/v1/images", files={"files": ("up.png", data)})
    assert answer.status_code == 200, answer.text
    row = answer.json()["images"][0]
    assert row["status"] == "indexed", row
    return str(row["image_key"])


def found_first(client: httpx.Client, data: bytes) -> str:
    """Key of the best hit of a search with a picture."""
    answer = client.post("/v1/search", files={"image": ("q.png", data)}, data={"limit": 3})
    assert answer.status_code == 200, answer.text
    hits = answer.json()["hits"]
    return str(hits[0]["image_key"]) if hits and hits[0]["score"] > 0.999 else ""


def test_demo_serve_and_ingest(
    environment: dict[str, str], test_servers: TestServers, tmp_path: Path
) -> None:
    """The demo takes an upload in mid-backfill; ingest and serve go on with what it left."""
    photos = tmp_path / "photos"
    fill_folder(photos, PICTURES)
    with Command(["demo", str(photos)], tmp_path / "data", environment, 0.3) as demo:
        client = demo.client()
        eventually(lambda: images(client)["counts"]["images"], within_s=60, what="first pictures")
        key = upload(client, png(1))
        acknowledged = time.monotonic()
        eventually(
            lambda: found_first(client, png(1)) == key, within_s=FINDABLE_S, what="found upload"
        )
        status = images(client)
        waited_s = time.monotonic() - acknowledged
        sys.stdout.write(f"upload found {waited_s:.2f} s after its answer\n")
        assert status["backends"] == {"index": "elasticsearch", "store": "s3"}
        assert status["indexing"]["state"] != "idle", "the backfill was to run meanwhile"
        demo.end()
        client.close()
    bucket = environment["BOXSEEK_S3_BUCKET"]
    listed = raw_client(test_servers).list_objects(bucket, recursive=True)
    names = [item.object_name for item in listed]
    assert f"originals/{key[:2]}/{key}" in names
    assert not (tmp_path / "data" / "index").exists()
    assert not list((tmp_path / "data").rglob("originals"))
    with Command(["ingest", str(photos)], tmp_path / "data", environment) as ingest:
        out, err = ingest.process.communicate(timeout=120)
        assert ingest.process.returncode == 0, err
        assert f"{PICTURES} found" in out
    with Command(["serve"], tmp_path / "elsewhere", environment) as serve:
        client = serve.client()
        assert images(client)["counts"]["images"] == PICTURES + 1
        assert found_first(client, png(1)) == key
        assert client.delete(f"/v1/images/{key}").status_code == 204
        assert found_first(client, png(1)) == ""
        assert client.get(f"/objects/{key}").status_code == 404
        assert images(client)["counts"]["images"] == PICTURES
        serve.end()
        client.close()


def test_serve_without_its_servers(environment: dict[str, str], tmp_path: Path) -> None:
    """A start without Elasticsearch ends at once with one line that says what to do."""
    nowhere = environment | {"BOXSEEK_ELASTICSEARCH_URL": "http://127.0.0.1:9"}
    with Command(["serve"], tmp_path / "data", nowhere) as serve:
        _, err = serve.process.communicate(timeout=60)
        assert serve.process.returncode != 0
        assert "BOXSEEK_ELASTICSEARCH_URL" in err
        assert "Traceback" not in err
