"""Opens the real application with fake models, and talks to it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from fastapi.testclient import TestClient
from PIL import Image

from embedding_pipeline.api.app import create_app
from embedding_pipeline.bootstrap import Boxseek, ModelSource
from embedding_pipeline.settings import Settings
from support.api_demo_app import fake_models

BASE = "http://127.0.0.1:8000"


def png(seed: int, size_wh: tuple[int, int] = (64, 48)) -> bytes:
    """A picture of noise, another one for every seed."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (size_wh[1], size_wh[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def settings_of(folder: Path, **changes: Any) -> Settings:
    """Settings of a test: a folder of its own, no page unless one is given."""
    given = {"data_dir": folder / "data", "front_dir": folder / "no-page", **changes}
    return Settings(_env_file=None, **given)


@contextmanager
def opened(
    folder: Path,
    *,
    models: ModelSource = fake_models,
    ready: bool = True,
    packaged: bool = False,
    **changes: Any,
) -> Iterator[tuple[Boxseek, TestClient]]:
    """Open Boxseek, with fake models unless others are given, and a client of its application.

    Args:
        folder: for everything it keeps.
        models: loads the models.
        ready: wait until they are loaded.
        packaged: where real models come from, without asking any hub.
        changes: settings by name.
    """
    changes |= {"models": "packaged"} if packaged else {}
    with Boxseek.open(settings_of(folder, **changes), models=models) as boxseek:
        if ready:
            boxseek.wait_ready(30)
        with TestClient(create_app(boxseek), base_url=BASE) as client:
            yield boxseek, client


def add(client: TestClient, *pictures: bytes, **fields: str) -> list[dict[str, Any]]:
    """Upload pictures; their rows."""
    files = [("files", (f"{n}.png", data)) for n, data in enumerate(pictures)]
    answer = client.post("/v1/images", files=files, data=fields)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["images"]
    return rows


def search(client: TestClient, picture: bytes | None = None, **fields: Any) -> dict[str, Any]:
    """Search; the answer."""
    files = {"image": ("query.png", picture)} if picture is not None else None
    answer = client.post("/v1/search", files=files, data=fields)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    """Check that an answer is this error in the one shape; its details."""
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), answer.text
    assert set(body) == {"code", "message", "details"}
    assert body["message"]
    details: dict[str, Any] = body["details"]
    return details
