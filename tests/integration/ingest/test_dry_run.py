"""``boxseek ingest --dry-run``: a plan, told at once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from embedding_pipeline.cli.ingesting import Manner, run_ingest
from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.ingest.ingest_run import IngestOptions
from embedding_pipeline.models.loaded import LoadedModels
from embedding_pipeline.settings import Settings
from support.ingest_fake_boxseek import logging_models
from support.ingest_workshop import fill_folder

PICTURES = 3


def test_with_an_index_no_model_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The plan needs only the description that lies with the index."""
    photos, settings = tmp_path / "photos", Settings(data_dir=tmp_path / "data")
    fill_folder(photos, PICTURES)
    assert run_ingest(settings, str(photos), IngestOptions(), Manner(nice=0), logging_models) == 0
    (photos / "more").mkdir()
    fill_folder(photos / "more", PICTURES + 1)
    capsys.readouterr()
    loaded = threading.Event()

    def never(settings: Settings, description: ModelDescription | None) -> LoadedModels:
        loaded.set()
        return logging_models(settings, description)

    dry = IngestOptions(dry_run=True)
    assert run_ingest(settings, str(photos), dry, Manner(nice=0), never) == 0
    told = capsys.readouterr().out
    assert not loaded.is_set()
    assert f"{2 * PICTURES + 1} found: {PICTURES + 1} new, 0 changed" in told
    assert f"{PICTURES} unchanged" in told
