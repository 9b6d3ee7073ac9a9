"""The real application with fake models: for tests, and to try the page without weights.

``PYTHONPATH=tests python -m support.api_demo_app --port 8010`` serves it with two pictures.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from embedding_pipeline.api.app import create_app
from embedding_pipeline.bootstrap import Boxseek
from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.models.loaded import LoadedModels
from embedding_pipeline.settings import Settings
from minio_proxy.api.server import build_server
from support.models_fakes import FakeDetector, FakeEmbedder

NOTICE = "Fake models of the tests run here; what they find means nothing."


def fake_models(settings: Settings, description: ModelDescription | None) -> LoadedModels:
    """Fakes in place of both models, whatever is asked for."""
    detector, embedder = FakeDetector(), FakeEmbedder()
    made = ModelDescription(detector.description, embedder.description)
    return LoadedModels(detector, embedder, made, NOTICE)


def sample_pictures() -> list[Path]:
    """The photographs that come inside Ultralytics: a bus, and two men."""
    spec = find_spec("ultralytics")
    if spec is None or spec.origin is None:
        raise RuntimeError("Ultralytics is not installed")
    assets = Path(spec.origin).parent / "assets"
    return sorted(assets.glob("*.jpg"))


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8010)
    parser.add_argument("--data-dir", type=Path)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=options.data_dir or Path(folder), port=options.port, _env_file=None
        )
        with Boxseek.open(settings, models=fake_models) as boxseek:
            boxseek.add(sample_pictures(), collection="samples")
            build_server(create_app(boxseek), host=settings.host, port=settings.port).run()


if __name__ == "__main__":
    main()
