"""What every test gets: no network but loopback, no .env, its own data folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from pytest_socket import socket_allow_hosts

from support import servers

# Read by Ultralytics and the hubs at import time, so set before any test imports them.
_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "alone")
os.environ.setdefault(
    "YOLO_CONFIG_DIR", str(Path(__file__).parent.parent / ".pytest_cache" / "yolo" / _WORKER)
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


@pytest.fixture(autouse=True)
def _keep_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backfill run in this process would lower its priority for all tests after it."""
    monkeypatch.setattr(os, "nice", lambda by: by)


@pytest.fixture(autouse=True)
def _plain_tracebacks() -> None:
    """Have unconfigured log lines written plainly: rich tracebacks take up to 20 seconds each."""
    plain = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    usual = (
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
    )
    structlog.configure(processors=[*usual, plain])


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder of real photographs that BOXSEEK_TEST_DATA names."""
    folder = os.environ.get("BOXSEEK_TEST_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("BOXSEEK_TEST_DATA names no folder of test pictures")
    return Path(folder).absolute()


@pytest.fixture(scope="session")
def test_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.TestServers]:
    """Real Elasticsearch and S3 servers for this run; see support/servers.py."""
    source, reason = servers.choose(
        os.environ, servers.docker_answers, lambda: servers.native("assemble").assembled()
    )
    if source == "none":
        pytest.skip(reason)
    if source == "environment":
        context = servers.environment_servers()
    elif source == "docker":
        context = servers.docker_servers()
    else:
        context = servers.native_servers(tmp_path_factory.mktemp("servers"))
    with context as found:
        _used_servers.append(f"{source} ({reason}): {found.elasticsearch_url} {found.s3_endpoint}")
        yield found


@pytest.fixture(scope="session")
def s3_server(test_servers: servers.TestServers) -> servers.TestServers:
    """A real S3 server: s3_endpoint, s3_access_key, s3_secret_key."""
    return test_servers


@pytest.fixture(scope="session")
def elasticsearch_url(test_servers: servers.TestServers) -> str:
    """Base URL of a real Elasticsearch 8 node."""
    return test_servers.elasticsearch_url


KINDS = ("unit", "contract", "integration", "e2e")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick tests first, the browser's last: it leaves an event loop running in this thread.

    Workers take files in this order, so no worker gets others after the browser's.
    """
    here = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        kind = item.path.relative_to(here).parts[0]
        return KINDS.index(kind) if kind in KINDS else len(KINDS)

    items.sort(key=place)


_used_servers: list[str] = []


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker: tell the one who prints which servers were used."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["servers"] = _used_servers


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear it from a worker."""
    _used_servers.extend(getattr(node, "workeroutput", {}).get("servers", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end which servers the tests used."""
    for line in _used_servers or ["none"]:
        terminalreporter.write_line(f"servers used: {line}")
