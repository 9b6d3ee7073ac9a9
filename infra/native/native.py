"""Elasticsearch and MinIO without Docker: assemble, start, stop; standard library only.

    python infra/native/native.py build | up [--nodes 3] | down | status

Elasticsearch is assembled from Maven Central (a plain node: no security, no scripts, see
docs/elasticsearch.md), MinIO is built from the Go module proxy. Everything lies below
infra/native/build and infra/native/run, which git ignores. ``up`` writes the settings into
.env between two marker lines, ``down`` takes them back.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from env_file import write_block

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"
RUN = HERE / "run"
MINIO_VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"
ELASTICSEARCH_LIB = BUILD / "elasticsearch" / "lib"
NETTY_MODULE = BUILD / "elasticsearch" / "modules" / "transport-netty4"
MINIO_BINARY = BUILD / "bin" / "minio"
STARTED_JAVA = 17
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0


class NativeError(SystemExit):
    """Stops the script with one message that says what to do."""


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


# --- assembling -------------------------------------------------------------------------


def assembled() -> bool:
    """Whether both servers lie below build/ in the wanted versions."""
    return (BUILD / "complete").exists() and (BUILD / "complete").read_text() == _wanted()


def _wanted() -> str:
    sources = [HERE / "pom.xml", HERE / "ElasticsearchNode.java"]
    return MINIO_VERSION + "".join(source.read_text() for source in sources)


def build() -> None:
    """Assemble both servers below build/; does nothing when they are there."""
    if assembled():
        return
    check_tools()
    shutil.rmtree(BUILD / "elasticsearch", ignore_errors=True)
    print("native: fetching Elasticsearch's jars from Maven Central", flush=True)
    _run(
        [
            "mvn",
            "-q",
            "-B",
            "-f",
            str(HERE / "pom.xml"),
            "dependency:copy-dependencies",
            f"-DoutputDirectory={ELASTICSEARCH_LIB}",
        ]
    )
    _move_network_module()
    (BUILD / "elasticsearch" / "config").mkdir(exist_ok=True)
    _run(
        [
            "javac",
            "-cp",
            f"{ELASTICSEARCH_LIB}/*",
            "-d",
            str(BUILD / "elasticsearch" / "classes"),
            str(HERE / "ElasticsearchNode.java"),
        ]
    )
    print("native: building MinIO with Go (about three minutes the first time)", flush=True)
    _run(
        ["go", "install", f"github.com/minio/minio@{MINIO_VERSION}"],
        {"GOBIN": str(MINIO_BINARY.parent), "GOFLAGS": "-mod=mod -trimpath"},
    )
    (BUILD / "complete").write_text(_wanted())


def check_tools() -> None:
    """Stop with what is missing unless Java 17, Maven and Go are there."""
    missing = [
        f"{what} ({how})"
        for tool, what, how in (
            ("javac", "a JDK, Java 17 or newer", "Debian: apt install openjdk-17-jdk-headless"),
            ("mvn", "Maven", "Debian: apt install maven"),
            ("go", "Go 1.24 or newer", "see the Go project's download page"),
        )
        if not shutil.which(tool)
    ]
    if shutil.which("java") and java_major() < STARTED_JAVA:
        missing.append(f"Java {STARTED_JAVA} or newer; `java` is version {java_major()}")
    if missing:
        raise NativeError(
            "native servers need what this machine lacks:\n  - "
            + "\n  - ".join(missing)
            + "\nInstall it, or use the servers in containers instead: make up"
        )


def java_major() -> int:
    """Major version of the ``java`` on the path."""
    text = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True).stderr
    version = text.split('"')[1]
    return int(version.split(".")[0])


def _move_network_module() -> None:
    NETTY_MODULE.mkdir(parents=True)
    for jar in [
        *ELASTICSEARCH_LIB.glob("netty-*.jar"),
        *ELASTICSEARCH_LIB.glob("transport-netty4-*.jar"),
    ]:
        shutil.move(jar, NETTY_MODULE / jar.name)
    jar = next(NETTY_MODULE.glob("transport-netty4-*.jar"))
    inside = "META-INF/es-plugins/transport-netty4/plugin-descriptor.properties"
    text = subprocess.run(
        ["unzip", "-p", str(jar), inside], capture_output=True, text=True, check=True
    ).stdout
    # The rest of Elasticsearch runs from the class path, where a named module cannot be loaded.
    lines = [line for line in text.splitlines() if not line.startswith(("modulename", "#"))]
    (NETTY_MODULE / "plugin-descriptor.properties").write_text("\n".join(lines) + "\n")


def _run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    result = subprocess.run(command, env={**os.environ, **(environment or {})}, check=False)
    if result.returncode:
        raise NativeError(
            f"failed (exit {result.returncode}): {' '.join(command)}\n"
            "The lines above say why; run the same command again once that is mended."
        )


# --- starting and stopping --------------------------------------------------------------


def elasticsearch_command(
    data: Path,
    *,
    name: str,
    port: int,
    transport_port: int,
    heap_mb: int = 512,
    seeds: Sequence[int] = (),
    masters: Sequence[str] = (),
) -> list[str]:
    """Command line of one node; a cluster names the transport ports of all and its masters."""
    home = BUILD / "elasticsearch"
    java = ["java", f"-Xms{heap_mb}m", f"-Xmx{heap_mb}m", "-XX:+UseG1GC"]
    if java_major() >= 21:  # noqa: PLR2004 - first release with the incubating vector module open
        java += ["--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"]
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
    classpath = f"{home / 'classes'}:{ELASTICSEARCH_LIB}/*"
    return [*java, "-cp", classpath, "ElasticsearchNode", str(home), str(data), *pairs]


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
                folder / name,
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
        while _alive(pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        if _alive(pid):
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
    return process.pid


def _alive(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def _wait(url: str, pids: Mapping[str, int], folder: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        for name, pid in pids.items():
            if not _alive(pid):
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


# --- commands ---------------------------------------------------------------------------


def up(nodes: int, elasticsearch_port: int, s3_port: int) -> None:
    """Start both servers for everyday use and write their settings into .env."""
    if running():
        print("native: already running; `make down-native` stops them")
        return
    build()
    print(f"native: starting Elasticsearch ({nodes} node(s)) and MinIO", flush=True)
    servers = start(RUN, nodes=nodes, elasticsearch_port=elasticsearch_port, s3_port=s3_port)
    (RUN / "pids.json").write_text(json.dumps(dict(servers.pids)))
    write_block(
        {
            "BOXSEEK_INDEX": "elasticsearch",
            "BOXSEEK_ELASTICSEARCH_URL": ",".join(servers.elasticsearch_urls),
            "BOXSEEK_ELASTICSEARCH_REPLICAS": str(min(nodes - 1, 1)),
            "BOXSEEK_STORE": "s3",
            "BOXSEEK_S3_ENDPOINT": servers.s3_endpoint,
            "BOXSEEK_S3_ACCESS_KEY": servers.s3_access_key,
            "BOXSEEK_S3_SECRET_KEY": servers.s3_secret_key,
        }
    )
    print(
        f"native: Elasticsearch {', '.join(servers.elasticsearch_urls)}",
        f"and MinIO {servers.s3_endpoint} answer",
    )
    print("native: settings written to .env; demo, serve and ingest use them from now on")


def down() -> None:
    """Stop the servers that ``up`` started and take their settings out of .env."""
    pids = running()
    stop(pids)
    (RUN / "pids.json").unlink(missing_ok=True)
    write_block({})
    print(
        "native: stopped" if pids else "native: nothing was running",
        "(data kept below infra/native/run)",
    )


def running() -> dict[str, int]:
    """Process ids of the servers that ``up`` started and that still live."""
    file = RUN / "pids.json"
    pids = json.loads(file.read_text()) if file.exists() else {}
    return {name: pid for name, pid in pids.items() if _alive(pid) and _ours(pid)}


def _ours(pid: int) -> bool:
    # A process id can be given to another program after a reboot.
    return str(BUILD) in Path(f"/proc/{pid}/cmdline").read_text(errors="replace")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("command", choices=["build", "up", "down", "status"])
    parser.add_argument("--nodes", type=int, default=1, choices=[1, 3])
    parser.add_argument("--elasticsearch-port", type=int, default=9200)
    parser.add_argument("--s3-port", type=int, default=9000)
    arguments = parser.parse_args()
    if arguments.command == "build":
        build()
    elif arguments.command == "up":
        up(arguments.nodes, arguments.elasticsearch_port, arguments.s3_port)
    elif arguments.command == "down":
        down()
    else:
        print(json.dumps(running(), indent=2))


if __name__ == "__main__":
    main()
