"""Writes the description of the API: ``python -m embedding_pipeline.api.openapi > openapi.json``.

The page generates its types from it. No model is loaded and nothing is opened but an empty
folder.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from embedding_pipeline.api.app import describe_app
from minio_proxy.api.metrics import Metrics
from minio_proxy.bootstrap import build_services
from minio_proxy.settings import ProxySettings


def description() -> dict[str, Any]:
    """The OpenAPI document of every route."""
    with TemporaryDirectory() as folder:
        settings = ProxySettings(data_dir=Path(folder), store="folder", _env_file=None)
        with build_services(settings) as services:
            return describe_app(services, Metrics()).openapi()


if __name__ == "__main__":
    json.dump(description(), sys.stdout, indent=2, sort_keys=True)
    sys.stdout.write("\n")
