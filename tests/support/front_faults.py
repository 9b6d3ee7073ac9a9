"""The page on a service in this process, with fake models, whose parts a test can make fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from embedding_pipeline.api.app import create_app
from embedding_pipeline.bootstrap import Boxseek
from support.api_app import settings_of
from support.api_demo_app import fake_models
from support.front_site import FRONT
from support.proxy_services import running


@contextmanager
def fake_site(folder: Path, **changes: Any) -> Iterator[tuple[Boxseek, str]]:
    """Serve the built page and the whole API; gives what serves, and its address.

    Args:
        folder: for everything it keeps.
        changes: settings by name.
    """
    settings = settings_of(folder, front_dir=FRONT / "dist", **changes)
    with Boxseek.open(settings, models=fake_models) as boxseek:
        boxseek.wait_ready(30)
        with running(create_app(boxseek)) as port:
            yield boxseek, f"http://127.0.0.1:{port}"
