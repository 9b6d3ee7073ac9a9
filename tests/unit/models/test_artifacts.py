"""Files that belong to an index, kept in the store."""

from pathlib import Path

import pytest

from embedding_pipeline.errors import WeightsChanged, WeightsNotFound
from embedding_pipeline.models.artifacts import Artifacts
from minio_proxy.stores.folder import FolderStore


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    """A second process with the same store gets the same bytes."""
    sha256 = Artifacts(FolderStore(tmp_path / "store")).save(b"network")
    assert Artifacts(FolderStore(tmp_path / "store")).load(sha256) == b"network"


@pytest.mark.parametrize("name", ["no-sha", "../../secret", "ab" * 32])
def test_a_missing_artifact_is_named(tmp_path: Path, name: str) -> None:
    """What is not there, or no SHA-256 at all, is an error that names it."""
    with pytest.raises(WeightsNotFound, match=name.replace(".", r"\.")):
        Artifacts(FolderStore(tmp_path / "store")).load(name)


def test_a_changed_artifact_is_refused(tmp_path: Path) -> None:
    """Other bytes under the name are not loaded."""
    sha256 = Artifacts(FolderStore(tmp_path / "store")).save(b"network")
    next(tmp_path.rglob(sha256)).write_bytes(b"other")
    with pytest.raises(WeightsChanged):
        Artifacts(FolderStore(tmp_path / "store")).load(sha256)
