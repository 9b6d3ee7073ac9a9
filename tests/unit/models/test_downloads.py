from __future__ import annotations

import socket
from pathlib import Path

import pytest

from embedding_pipeline.errors import WeightsChanged, WeightsNotFound
from embedding_pipeline.models.downloads import (
    DownloadProgress,
    Remote,
    download,
    why_unreachable,
)
from support.models_hub import hub

PATH = "/timm/tiny/resolve/main/model.safetensors"


def _refusing_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_file_arrives_whole_and_says_its_progress(tmp_path: Path) -> None:
    """Redirects are followed, progress ends at the total, nothing else stays in the folder."""
    seen: list[DownloadProgress] = []
    with hub() as state:
        state.files[PATH] = b"w" * 3_000_000
        remote = Remote("tiny", state.url + PATH, "tiny.safetensors")
        path = download(remote, tmp_path / "models", connect_timeout_s=1, progress=seen.append)
    assert path.read_bytes() == state.files[PATH]
    assert seen[-1] == DownloadProgress("tiny", 3_000_000, 3_000_000)
    assert [p.name for p in path.parent.iterdir()] == ["tiny.safetensors"]


def test_a_slow_hub_is_not_cut_off(tmp_path: Path) -> None:
    """Silence longer than the connect timeout ends neither the probe nor the download."""
    with hub() as state:
        state.files[PATH] = b"slow but whole"
        state.delay_s = 0.3
        remote = Remote("tiny", state.url + PATH, "tiny.safetensors")
        assert why_unreachable(remote, 0.1) is None
        path = download(remote, tmp_path, connect_timeout_s=0.1)
    assert path.read_bytes() == b"slow but whole"


def test_a_broken_download_leaves_no_half_file(tmp_path: Path) -> None:
    """A body that ends early is an error; an older whole file is left alone."""
    (tmp_path / "tiny.safetensors").write_bytes(b"old and whole")
    with hub() as state:
        state.files[PATH] = b"w" * 100_000
        state.cut_off = True
        remote = Remote("tiny", state.url + PATH, "tiny.safetensors")
        with pytest.raises(WeightsNotFound, match="could not be downloaded"):
            download(remote, tmp_path, connect_timeout_s=1)
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["tiny.safetensors"]
    assert (tmp_path / "tiny.safetensors").read_bytes() == b"old and whole"


def test_a_damaged_download_is_refused(tmp_path: Path) -> None:
    """Bytes that are not what the hub announces are not kept."""
    with hub() as state:
        state.files[PATH] = b"damaged"
        state.announced = "0" * 64
        with pytest.raises(WeightsNotFound, match="damaged"):
            download(
                Remote("tiny", state.url + PATH, "t.safetensors"), tmp_path, connect_timeout_s=1
            )
    assert not list(tmp_path.glob("*safetensors*"))


def test_another_file_than_the_expected_is_refused(tmp_path: Path) -> None:
    """A hub that has replaced a file cannot replace the one that is known."""
    with hub() as state:
        state.files[PATH] = b"new"
        with pytest.raises(WeightsChanged):
            download(
                Remote("tiny", state.url + PATH, "t.safetensors"),
                tmp_path,
                connect_timeout_s=1,
                expected_sha256="0" * 64,
            )
    assert not list(tmp_path.glob("*safetensors*"))


def test_a_hub_that_refuses_or_lacks_the_file_is_unreachable(tmp_path: Path) -> None:
    """A refused connection, an answer other than success and a bad address all have a reason."""
    refused = Remote("tiny", f"http://127.0.0.1:{_refusing_port()}{PATH}", "t.safetensors")
    assert "ConnectError" in str(why_unreachable(refused, 1))
    with pytest.raises(WeightsNotFound):
        download(refused, tmp_path, connect_timeout_s=1)
    with hub() as state:
        assert "404" in str(why_unreachable(Remote("t", state.url + PATH, "t"), 1))
        with pytest.raises(WeightsNotFound, match="404"):
            download(Remote("t", state.url + PATH, "t"), tmp_path, connect_timeout_s=1)
    assert why_unreachable(Remote("t", "http://[", "t"), 1) is not None
