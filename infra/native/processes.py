"""Starting the servers on loopback and ending them by their process ids."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assemble import (
    BUILD,
    ELASTICSEARCH_LIB,
    LAUNCHER,
    MINIO_BINARY,
    NativeError,
    java_command,
    java_major,
)

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Servers:
    """Where the servers answer and how to stop them.

    Args:
        elasticsearch_urls: one URL a node.
        s3_endpoint: URL of MinIO.
        s3_access_key: MinIO's root user.
        s3_secret_key: MinIO's root password.
        pids: process ids by name (``elasticsearch-1``, ``minio``).
    """

    elasticsearch_urls: tuple[str, ...]
    s3_endpoint: str
    s3_access_key: str
    s3_secret_key: str
    pids: Mapping[str, int]


def elasticsearch_command(
    data: Path,
    *,
    name: str,
    port: int,
    transport_port: int,
    heap_mb: int = 512,
    seeds: Sequence[int] = (),
    masters: Sequence[str] = (),
    java_options: Sequence[str] = (),
) -> list[str]:
    """Command line of one node; a cluster names the transport ports of all and its masters."""
    home = BUILD / "elasticsearch"
    major = java_major()
    java = [java_command(), f"-Xms{heap_mb}m", f"-Xmx{heap_mb}m", "-XX:+UseG1GC", *java_options]
    if class_archive(major).exists():
        java.append(f"-XX:SharedArchiveFile={class_archive(major)}")
    if major >= 21:  # noqa: PLR2004 - first with the incubating vector module open
        java += ["--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"]
        # Lucene 9.12 stops at 23 unless told; the module's interface has not changed since.
        java += [f"-Dorg.apache.lucene.vectorization.upperJavaFeatureVersion={major}"]
    settings = {
        "cluster.name": "boxseek",
        "node.name": name,
        "http.host": "127.0.0.1",
        "http.port": str(port),
        "transport.host": "127.0.0.1",
        "transport.port": str(transport_port),
    }
    if len(masters) > 1:
        settings["discovery.seed_hosts"] = ",".join(f"127.0.0.1:{seed}" for seed in seeds)
        settings["cluster.initial_master_nodes"] = ",".join(masters)
    else:
        settings["discovery.type"] = "single-node"
    pairs = [f"{key}={value}" for key, value in settings.items()]
    classpath = f"{LAUNCHER}:{ELASTICSEARCH_LIB}/*"
    return [*java, "-cp", classpath, "ElasticsearchNode", str(home), str(data), *pairs]


def class_archive(major: int) -> Path:
    """Classes that a node loads, ready made for one version of Java: it starts in half the time."""
    return BUILD / "elasticsearch" / f"classes-{major}.jsa"


def make_class_archive() -> None:
    """Start a node once and let Java write down what it loaded; does nothing when it is there."""
    archive = class_archive(java_major())
    if archive.exists():
        return
    print("native: making starts quicker (an archive of Elasticsearch's classes)", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        port, transport = _free_port(), _free_port()
        fresh = Path(folder) / archive.name
        command = elasticsearch_command(
            Path(folder) / "data",
            name="archive",
            port=port,
            transport_port=transport,
            java_options=[f"-XX:ArchiveClassesAtExit={fresh}"],
        )
        pids = {"archive": _spawn(command, Path(folder) / "archive.log", {})}
        try:
            _wait(f"http://127.0.0.1:{port}/_cluster/health?timeout=5s", pids, Path(folder))
        finally:
            stop(pids)
        if fresh.exists():
            shutil.move(fresh, archive)
        else:  # another Java may not know how; nodes start without it, only later
            print("native: this Java wrote no archive; Elasticsearch starts as slowly as before")


def minio_command(data: Path, *, port: int) -> list[str]:
    """Command line of MinIO; root user and password come from its environment."""
    return [str(MINIO_BINARY), "server", str(data), "--address", f"127.0.0.1:{port}", "--quiet"]


def start(
    folder: Path,
    *,
    nodes: int = 1,
    elasticsearch_port: int = 9200,
    s3_port: int = 9000,
    heap_mb: int = 512,
) -> Servers:
    """Start the servers with their data below ``folder``; returns when both answer.

    Clusters of different sizes keep their data apart: a node cannot leave its cluster alone.

    Port 0 picks free ports. A port that is taken stops with its setting's name. Processes
    that were started are ended again when one of them does not come up.
    """
    http_ports = _ports(elasticsearch_port, nodes, "ES_PORT")
    transport_ports = [_free_port() for _ in range(nodes)]
    (minio_port,) = _ports(s3_port, 1, "S3_PORT")
    names = [f"elasticsearch-{number + 1}" for number in range(nodes)]
    credentials = _credentials(folder)
    pids: dict[str, int] = {}
    try:
        for name, port, transport in zip(names, http_ports, transport_ports, strict=True):
            command = elasticsearch_command(
                folder / f"cluster-of-{nodes}" / name,
                name=name,
                port=port,
                transport_port=transport,
                heap_mb=heap_mb,
                seeds=transport_ports,
                masters=names,
            )
            pids[name] = _spawn(command, folder / f"{name}.log", {})
        environment = {
            "MINIO_ROOT_USER": credentials["access_key"],
            "MINIO_ROOT_PASSWORD": credentials["secret_key"],
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
        }
        pids["minio"] = _spawn(
            minio_command(folder / "minio", port=minio_port), folder / "minio.log", environment
        )
        servers = Servers(
            elasticsearch_urls=tuple(f"http://127.0.0.1:{port}" for port in http_ports),
            s3_endpoint=f"http://127.0.0.1:{minio_port}",
            s3_access_key=credentials["access_key"],
            s3_secret_key=credentials["secret_key"],
            pids=pids,
        )
        for url in servers.elasticsearch_urls:
            health = (
                f"{url}/_cluster/health?wait_for_nodes={nodes}&wait_for_status=yellow&timeout=5s"
            )
            _wait(health, pids, folder)
        _wait(f"{servers.s3_endpoint}/minio/health/ready", pids, folder)
    except BaseException:
        stop(pids)
        raise
    return servers


def stop(pids: Mapping[str, int]) -> None:
    """End the processes by id: SIGTERM, and SIGKILL for one that does not end in time."""
    for pid in pids.values():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    for pid in pids.values():
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


def _spawn(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> int:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
            cwd=log.parent,
            start_new_session=True,
        )
    # It outlives this script by intention and is ended by its id; without a return code
    # Python would warn that it was forgotten.
    process.returncode = 0
    return process.pid


def alive(pid: int) -> bool:
    """Whether a process lives; one that ended and waits to be noticed does not."""
    with contextlib.suppress(ChildProcessError):
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def _wait(url: str, pids: Mapping[str, int], folder: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        for name, pid in pids.items():
            if not alive(pid):
                tail = (folder / f"{name}.log").read_text(errors="replace").splitlines()[-15:]
                raise NativeError(
                    f"{name} ended while starting; its log ends with:\n" + "\n".join(tail)
                )
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                if answer.status == 200 and b'"timed_out":true' not in answer.read():  # noqa: PLR2004
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise NativeError(f"no answer from {url} within {START_TIMEOUT_S:.0f} s; logs: {folder}")


def _ports(first: int, count: int, setting: str) -> list[int]:
    if first == 0:
        return [_free_port() for _ in range(count)]
    for port in range(first, first + count):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                raise NativeError(
                    f"port {port} is taken; choose another: make up-native {setting}=..."
                )
    return list(range(first, first + count))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _credentials(folder: Path) -> dict[str, str]:
    file = folder / "credentials.json"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        fresh = {"access_key": "boxseek", "secret_key": secrets.token_urlsafe(24)}
        file.touch(mode=0o600)
        file.write_text(json.dumps(fresh))
    return dict(json.loads(file.read_text()))
