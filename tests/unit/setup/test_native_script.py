"""The script that runs servers without Docker, as far as it needs no server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from support.servers import native

write_block = native("native").write_block


@pytest.fixture
def script() -> ModuleType:
    """The module that starts and ends servers."""
    return native("processes")


def test_settings_come_and_go_between_markers(tmp_path: Path) -> None:
    """What a person wrote into .env stays as it was, before and after."""
    file = tmp_path / ".env"
    file.write_text("BOXSEEK_PORT=8010\n")
    write_block({"BOXSEEK_INDEX": "elasticsearch"}, file)
    assert "BOXSEEK_INDEX=elasticsearch" in file.read_text()
    write_block({"BOXSEEK_INDEX": "elasticsearch", "BOXSEEK_STORE": "s3"}, file)
    assert file.read_text().count("BOXSEEK_INDEX") == 1
    write_block({}, file)
    assert file.read_text() == "BOXSEEK_PORT=8010\n"


def test_env_file_of_the_servers_alone_goes_with_them(tmp_path: Path) -> None:
    """Stopping the servers leaves no empty .env behind, and passwords are the owner's alone."""
    file = tmp_path / ".env"
    write_block({"BOXSEEK_STORE": "s3"}, file)
    assert file.stat().st_mode & 0o077 == 0
    write_block({}, file)
    assert not file.exists()


def test_taken_port_names_the_setting(script: ModuleType) -> None:
    """A port in use is refused with the variable that changes it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SystemExit, match="ES_PORT"):
            script._ports(taken.getsockname()[1], 1, "ES_PORT")


def test_stop_ends_a_process_that_ignores_sigterm(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that does not end in time is killed, by its id."""
    monkeypatch.setattr(script, "STOP_TIMEOUT_S", 0.5)
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print(1, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        script.stop({"stubborn": process.pid})
        assert process.wait(5) in {-signal.SIGKILL, 0}
        with pytest.raises(ProcessLookupError):
            os.kill(process.pid, 0)


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Java, Maven and Go the message names each and the other way."""
    script = native("assemble")
    monkeypatch.setattr(script.shutil, "which", lambda _tool: None)
    with pytest.raises(SystemExit) as stopped:
        script.check_tools()
    for word in ("Java 17", "Maven", "Go", "make up"):
        assert word in str(stopped.value)


def test_class_archive_of_the_same_java_is_used(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node starts from the archive that its own version of Java wrote, and from no other."""
    monkeypatch.setattr(script, "BUILD", tmp_path)
    monkeypatch.setattr(script, "java_major", lambda: 17)
    (tmp_path / "elasticsearch").mkdir()
    (tmp_path / "elasticsearch" / "classes-21.jsa").touch()

    def archives() -> list[str]:
        command = script.elasticsearch_command(tmp_path, name="n", port=1, transport_port=2)
        return [part.split("=")[1] for part in command if part.startswith("-XX:SharedArchiveFile")]

    assert archives() == []
    own = tmp_path / "elasticsearch" / "classes-17.jsa"
    own.touch()
    assert archives() == [str(own)]
