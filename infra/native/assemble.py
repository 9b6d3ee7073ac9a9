"""Elasticsearch from Maven Central and MinIO from the Go module proxy, below build/."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"
MINIO_VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"
ELASTICSEARCH_LIB = BUILD / "elasticsearch" / "lib"
NETTY_MODULE = BUILD / "elasticsearch" / "modules" / "transport-netty4"
LAUNCHER = BUILD / "elasticsearch" / "launcher.jar"
"""A jar and no folder of classes: Java archives loaded classes of jars alone."""
MINIO_BINARY = BUILD / "bin" / "minio"
OLDEST_JAVA = 17


class NativeError(SystemExit):
    """Stops the script with one message that says what to do."""


def assembled() -> bool:
    """Whether both servers lie below build/ in the wanted versions."""
    return (BUILD / "complete").exists() and (BUILD / "complete").read_text() == _wanted()


def _wanted() -> str:
    sources = [HERE / "pom.xml", HERE / "ElasticsearchNode.java"]
    return MINIO_VERSION + LAUNCHER.name + "".join(source.read_text() for source in sources)


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
    _make_launcher()
    print("native: building MinIO with Go (about three minutes the first time)", flush=True)
    _run(
        ["go", "install", f"github.com/minio/minio@{MINIO_VERSION}"],
        {"GOBIN": str(MINIO_BINARY.parent), "GOFLAGS": "-mod=mod -trimpath"},
    )
    (BUILD / "complete").write_text(_wanted())


def _make_launcher() -> None:
    classes = BUILD / "elasticsearch" / "classes"
    sources = [str(HERE / "ElasticsearchNode.java")]
    _run(["javac", "-cp", f"{ELASTICSEARCH_LIB}/*", "-d", str(classes), *sources])
    _run(["jar", "--create", "--file", str(LAUNCHER), "-C", str(classes), "."])


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
    if shutil.which(java_command()) and java_major() < OLDEST_JAVA:
        missing.append(f"Java {OLDEST_JAVA} or newer; {java_command()} is version {java_major()}")
    if missing:
        raise NativeError(
            "native servers need what this machine lacks:\n  - "
            + "\n  - ".join(missing)
            + "\nInstall it, or use the servers in containers instead: make up"
        )


def java_command() -> str:
    """``java`` of JAVA_HOME where that is set, else the one on the path."""
    home = os.environ.get("JAVA_HOME", "")
    return str(Path(home) / "bin" / "java") if home else "java"


def java_major() -> int:
    """Major version of java_command."""
    command = [java_command(), "-version"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stderr
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
