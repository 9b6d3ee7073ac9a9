"""What every test gets: no network but loopback, no .env, its own data folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pytest_socket import socket_allow_hosts

# Read by Ultralytics and the hubs at import time, so set before any test imports them.
os.environ.setdefault(
    "YOLO_CONFIG_DIR", str(Path(__file__).parent.parent / ".pytest_cache" / "yolo")
)
os.environ.setdefault("YOLO_OFFLINE", "True")
os.environ.setdefault("YOLO_AUTOINSTALL", "false")


@pytest.fixture(autouse=True)
def _loopback_only() -> None:
    """Block every socket that leaves this machine."""
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture(autouse=True)
def _clean_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of this machine reaches a test: neither the environment's nor a .env file's."""
    for name in [name for name in os.environ if name.startswith("BOXSEEK_")]:
        if not name.startswith("BOXSEEK_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("BOXSEEK_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder of real photographs that BOXSEEK_TEST_DATA names."""
    folder = os.environ.get("BOXSEEK_TEST_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("BOXSEEK_TEST_DATA names no folder of test pictures")
    return Path(folder).absolute()
