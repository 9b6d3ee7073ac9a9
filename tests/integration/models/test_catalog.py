from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from embedding_pipeline.errors import UnknownModel, UntrustedWeights
from embedding_pipeline.models.catalog import list_models, pull, show
from embedding_pipeline.settings import Settings
from support.models_hub import hub

pytestmark = pytest.mark.models

TINY = "/timm/test_vit.r160_in1k/resolve/main/model.safetensors"


def test_the_list_has_packages_defaults_and_local_files(tmp_path: Path) -> None:
    """What is here has a size and a SHA-256; what would be refused says why."""
    (tmp_path / "own.onnx").write_bytes(b"own")
    (tmp_path / "odd.pt").write_bytes(b"odd")
    infos = {(i.name, i.origin): i for i in list_models(Settings(models_dir=tmp_path))}
    assert infos["own", "local"].size_bytes == 3
    assert infos["own", "local"].problem is None
    assert "no list" in str(infos["odd", "local"].problem)
    assert infos["yolo11n", "packaged"].kind == "detector"
    assert infos["tf_efficientnet_lite0", "packaged"].kind == "embedder"
    assert infos["yolo11n", "hub"].path is None
    assert infos["vit_base_patch16_224.augreg2_in21k_ft_in1k", "hub"].sha256 is None


def test_pull_downloads_once(tmp_path: Path) -> None:
    """A pulled file is recorded; pulling again asks nobody."""
    with hub() as state:
        state.files[TINY] = b"weights"
        settings = Settings(models_dir=tmp_path, hub_endpoint=state.url)
        [info] = pull(["test_vit"], settings)
        assert info.sha256 == hashlib.sha256(b"weights").hexdigest()
        assert info.origin == "hub"
        state.requests.clear()
        [again] = pull(["test_vit"], settings)
        assert again.origin == "local"
        assert state.requests == []


def test_pull_refuses_pickles_that_nobody_vouches_for(tmp_path: Path) -> None:
    """The release's file is there afterwards but is not called usable."""
    with hub() as state:
        state.files["/yolo11s.pt"] = b"pickle"
        settings = Settings(models_dir=tmp_path, detector_release_url=state.url)
        with pytest.raises(UntrustedWeights):
            pull(["yolo11s"], settings)


def test_show_knows_names_of_both_kinds(tmp_path: Path) -> None:
    """Detectors say where they would come from, embedders what they expect."""
    settings = Settings(models_dir=tmp_path)
    assert str(show("yolo26s", settings).details["url"]).endswith("/yolo26s.pt")
    vit = show("vit_small_patch16_224", settings)
    assert (vit.kind, vit.details["input_size"]) == ("embedder", 224)
    assert show("tf_efficientnet_lite0", settings).origin == "packaged"
    with pytest.raises(UnknownModel, match="neither"):
        show("no_such_model", settings)
