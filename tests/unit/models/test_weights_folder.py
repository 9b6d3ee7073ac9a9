from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from embedding_pipeline.errors import UntrustedWeights, WeightsChanged
from embedding_pipeline.models.weights import WeightsFolder


def test_a_file_is_recorded_once_and_must_stay_the_same(tmp_path: Path) -> None:
    """The first sight of a safetensors file is remembered; another content is refused."""
    folder = WeightsFolder(tmp_path)
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"first")
    first = hashlib.sha256(b"first").hexdigest()
    assert folder.verified(path) == first
    assert folder.recorded() == {"a.safetensors": first}
    assert WeightsFolder(tmp_path).verified(path) == first
    path.write_bytes(b"second")
    with pytest.raises(WeightsChanged) as caught:
        folder.verified(path)
    assert caught.value.details["expected"] == first
    assert folder.recorded() == {"a.safetensors": first}


def test_a_file_elsewhere_is_recorded_by_its_path(tmp_path: Path) -> None:
    """Two files of one name in different folders do not meet in the ledger."""
    folder = WeightsFolder(tmp_path / "models")
    path = tmp_path / "other" / "a.onnx"
    path.parent.mkdir()
    path.write_bytes(b"x")
    folder.verified(path)
    assert list(folder.recorded()) == [str(path)]


def test_an_unlisted_pickle_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """The message names the variable and the SHA-256 that would trust the file."""
    path = tmp_path / "own.pt"
    path.write_bytes(b"pickle")
    sha256 = hashlib.sha256(b"pickle").hexdigest()
    with pytest.raises(UntrustedWeights, match=f"BOXSEEK_TRUSTED_SHA256={sha256}"):
        WeightsFolder(tmp_path).verified(path)
    assert WeightsFolder(tmp_path, [sha256.upper()]).verified(path) == sha256


def test_a_damaged_ledger_is_said(tmp_path: Path) -> None:
    """A ledger that cannot be read never counts as empty."""
    (tmp_path / "weights.json").write_text("{")
    (tmp_path / "a.onnx").write_bytes(b"x")
    with pytest.raises(WeightsChanged, match="damaged"):
        WeightsFolder(tmp_path).verified(tmp_path / "a.onnx")


def test_only_whole_weights_are_listed(tmp_path: Path) -> None:
    """Parts of downloads and other files are no weights."""
    (tmp_path / "sub").mkdir()
    for name in (".a.pt.x.part", "a.pt", "b.onnx", "notes.txt", "sub/model.safetensors", ".c.pt"):
        (tmp_path / name).write_bytes(b"x")
    names = [path.relative_to(tmp_path).as_posix() for path in WeightsFolder(tmp_path).files()]
    assert names == ["a.pt", "b.onnx", "sub/model.safetensors"]
