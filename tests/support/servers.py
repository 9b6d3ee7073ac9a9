"""Which real servers the tests use, and how they are had.

In this order: addresses in the environment, a Docker engine that answers (through
testcontainers), the native servers once they are assembled (``make native``). Otherwise
the tests that need them are skipped with that reason.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal, TypeAlias

ROOT = Path(__file__).resolve().parents[2]
ELASTICSEARCH_IMAGE = "elasticsearch:8.19.21"
MINIO_IMAGE = "minio/minio:RELEASE.2025-09-07T16-13-09Z"
FORCE = "BOXSEEK_TEST_SERVERS"
ADDRESSES = ("BOXSEEK_TEST_ELASTICSEARCH_URL", "BOXSEEK_TEST_S3_ENDPOINT")

Source: TypeAlias = Literal["environment", "docker", "native", "none"]


@dataclass(frozen=True, slots=True)
class TestServers:
    """Addresses of servers that tests may use; each test makes its own index and bucket names.

    Args:
        source: where they come from.
        elasticsearch_url: base URL of a node.
        s3_endpoint: URL of an S3 store.
        s3_access_key: its access key.
        s3_secret_key: its secret key.
    """

    __test__ = False  # pytest would take the name for a class of tests

    source: Source
    elasticsearch_url: str
    s3_endpoint: str
    s3_access_key: str
    s3_secret_key: str


def choose(
    environment: Mapping[str, str],
    docker_answers: Callable[[], bool],
    native_assembled: Callable[[], bool],
) -> tuple[Source, str]:
    """Decide which servers to use; gives the source and the reason in words."""
    forced = environment.get(FORCE, "")
    if forced in {"docker", "native", "none"}:
        return forced, f"{FORCE}={forced}"  # type: ignore[return-value] # checked in the line above
    if all(environment.get(name) for name in ADDRESSES):
        return "environment", f"{' and '.join(ADDRESSES)} are set"
    if docker_answers():
        return "docker", "a Docker engine answers"
    if native_assembled():
        return "native", "the native servers are assembled"
    return "none", (
        "no test addresses in the environment, no Docker engine answers, and the native "
        "servers are not assembled (make native)"
    )


def docker_answers() -> bool:
    """Whether a Docker engine can be reached."""
    try:
        command = ["docker", "version", "--format", "{{.Server.Version}}"]
        return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def native(module: str) -> ModuleType:
    """One of the scripts of infra/native as a module: assemble, processes or native."""
    folder = str(ROOT / "infra" / "native")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(module)


@contextmanager
def native_servers(folder: Path) -> Iterator[TestServers]:
    """Native servers on free ports with their data below ``folder``; ended afterwards."""
    script = native("processes")
    servers = script.start(folder, elasticsearch_port=0, s3_port=0)
    try:
        yield TestServers(
            source="native",
            elasticsearch_url=servers.elasticsearch_urls[0],
            s3_endpoint=servers.s3_endpoint,
            s3_access_key=servers.s3_access_key,
            s3_secret_key=servers.s3_secret_key,
        )
    finally:
        script.stop(servers.pids)


@contextmanager
def docker_servers() -> Iterator[TestServers]:
    """Servers in containers on loopback; removed afterwards."""
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - needs an engine
    from testcontainers.core.wait_strategies import HttpWaitStrategy  # noqa: PLC0415 - as above

    elasticsearch = (
        DockerContainer(ELASTICSEARCH_IMAGE)
        .with_env("discovery.type", "single-node")
        .with_env("xpack.security.enabled", "false")
        .with_env("ES_JAVA_OPTS", "-Xms512m -Xmx512m")
        .waiting_for(HttpWaitStrategy(9200, "/_cluster/health").for_status_code(200))
    )
    minio = (
        DockerContainer(MINIO_IMAGE)
        .with_command("server /data")
        .with_env("MINIO_ROOT_USER", "boxseek")
        .with_env("MINIO_ROOT_PASSWORD", "boxseek-test")
        .waiting_for(HttpWaitStrategy(9000, "/minio/health/ready").for_status_code(200))
    )
    # Bound to loopback: testcontainers' own verb for ports takes no address.
    elasticsearch.ports.update({"9200/tcp": ("127.0.0.1", None)})  # type: ignore[dict-item] # docker takes pairs
    minio.ports.update({"9000/tcp": ("127.0.0.1", None)})  # type: ignore[dict-item] # docker takes pairs
    with elasticsearch, minio:
        yield TestServers(
            source="docker",
            elasticsearch_url=f"http://127.0.0.1:{elasticsearch.get_exposed_port(9200)}",
            s3_endpoint=f"http://127.0.0.1:{minio.get_exposed_port(9000)}",
            s3_access_key="boxseek",
            s3_secret_key="boxseek-test",
        )


@contextmanager
def environment_servers() -> Iterator[TestServers]:
    """Servers whose addresses the environment names; left as they are."""
    yield TestServers(
        source="environment",
        elasticsearch_url=os.environ[ADDRESSES[0]],
        s3_endpoint=os.environ[ADDRESSES[1]],
        s3_access_key=os.environ.get("BOXSEEK_TEST_S3_ACCESS_KEY", ""),
        s3_secret_key=os.environ.get("BOXSEEK_TEST_S3_SECRET_KEY", ""),
    )
