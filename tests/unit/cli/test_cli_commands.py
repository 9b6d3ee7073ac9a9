"""The command line: help, settings, errors, keys, index, failures, status."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from embedding_pipeline.bootstrap import build_catalog
from embedding_pipeline.cli.app import app
from embedding_pipeline.cli.display import json_of, mode_for, shown, text_of
from embedding_pipeline.cli.ingesting import Manner, run_ingest
from embedding_pipeline.cli.outcome import run_command
from embedding_pipeline.cli.rebuilding import changed_settings
from embedding_pipeline.cli.serving import address, listening
from embedding_pipeline.errors import IngestError
from embedding_pipeline.ingest.ingest_run import IngestOptions
from embedding_pipeline.ingest.progress import Progress
from embedding_pipeline.settings import Settings
from minio_proxy.errors import SettingsError
from support.ingest_fake_boxseek import logging_models
from support.ingest_workshop import fill_folder
from support.models_fakes import fake_description

COMMANDS = (
    "serve", "proxy", "ingest", "failures", "rebuild", "demo", "status", "doctor", "models",
    "index", "keys", "reindex", "export", "import",
)  # fmt: skip


def run(*arguments: str) -> tuple[int, str]:
    """Run a command in this process; exit code and what it printed."""
    result = CliRunner().invoke(app, arguments, standalone_mode=False, catch_exceptions=False)
    code = result.return_value if isinstance(result.return_value, int) else result.exit_code
    return code, result.output


def test_help_names_every_command_without_heavy_imports() -> None:
    """The top level answers without torch, towhee or LanceDB."""
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from embedding_pipeline.cli.app import app\n"
        "print(CliRunner().invoke(app, ['--help']).output)\n"
        "print(sorted({'torch', 'towhee', 'lancedb', 'fastapi'} & set(sys.modules)))\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    for command in COMMANDS:
        assert command in out
    assert out.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ingest", "/no/such/folder"], "no folder or file /no/such/folder"),
        (["ingest"], "Missing argument"),
        (["no-such-command"], "No such command"),
        (["keys", "add", "x", "--scope", "all"], "read, write, admin"),
        (["index", "rollback"], "previous"),
    ],
    ids=["missing folder", "missing argument", "unknown command", "unknown scope", "no version"],
)
def test_errors_are_one_line_and_exit_code_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What can be explained is explained, without a traceback."""
    with pytest.raises(SystemExit) as ended:
        run_command(lambda: app(arguments, standalone_mode=False))
    err = capsys.readouterr().err
    assert ended.value.code == 2
    assert words in err
    assert "Traceback" not in err


def test_bugs_keep_their_traceback() -> None:
    """Only errors of Boxseek become one line."""

    def bug() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_command(bug)


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """With BOXSEEK_DEBUG the error itself comes through."""
    monkeypatch.setenv("BOXSEEK_DEBUG", "1")

    def refuse() -> None:
        raise IngestError("no")

    with pytest.raises(IngestError):
        run_command(refuse)


def test_keys_are_added_listed_and_revoked() -> None:
    """A key is shown once; the list never has it."""
    _, added = run("keys", "add", "camera", "--scope", "write")
    text = added.splitlines()[0]
    _, listed = run("keys", "list", "--json")
    key = json.loads(listed)
    assert (key["name"], key["scope"]) == ("camera", "write")
    assert text not in listed
    assert run("keys", "rotate")[0] == 0
    assert run("keys", "revoke", key["id"])[0] == 0
    assert "No keys" in run("keys", "list")[1]


def test_index_versions_are_shown_swapped_rolled_back_and_dropped() -> None:
    """Two versions change places and back."""
    with closing(build_catalog(Settings())) as catalog:
        first = catalog.create(fake_description())
        second = catalog.create(fake_description())
        catalog.activate(first.name)
    assert f"{second.name} is active" in run("index", "swap", second.name)[1]
    _, out = run("index", "status", "--json")
    versions = {line["name"]: line for line in map(json.loads, out.splitlines())}
    assert versions[second.name]["active"]
    assert versions[first.name]["previous"]
    assert f"{first.name} is active again" in run("index", "rollback")[1]
    assert f"{second.name} is gone" in run("index", "drop", second.name)[1]
    _, status = run("status", "--json")
    assert json.loads(status)["version"] == first.name


def test_an_ingest_with_failures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON lines, sums, the exit code, and the failure in boxseek failures."""
    photos = tmp_path / "photos"
    fill_folder(photos, 3)
    (photos / "gone.jpg").symlink_to(tmp_path / "nowhere")
    (photos / "notes.txt").write_text("text")
    report_file = tmp_path / "out.json"
    code = run_ingest(
        Settings(),
        str(photos),
        IngestOptions(collection="pets"),
        Manner(report_file=report_file, as_json=True, nice=0),
        logging_models,
    )
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert code == 1
    assert report["states"] == {"indexed": 3, "duplicate": 0, "rejected": 1, "failed": 1}
    assert json.loads(report_file.read_text())["found"] == 5
    failed = [json.loads(line) for line in run("failures", "--json")[1].splitlines()]
    assert [(one["path"], one["stage"], one["collection"]) for one in failed] == [
        ("gone.jpg", "list", "pets")
    ]
    both = run("failures", "--rejected", "--json")[1].splitlines()
    assert len(both) == 2
    told = run("failures", "--rejected")[1].splitlines()[-1]
    assert (
        told == "1 failed, 1 rejected; boxseek ingest SOURCE --retry-failed tries what failed again"
    )


def test_a_taken_port_is_told_with_a_way_out() -> None:
    """The message names the port and how to choose another."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(SettingsError, match=f"{port}.*BOXSEEK_PORT={port + 10}"),
            listening(Settings(port=port)),
        ):
            pass


def test_other_machines_need_keys() -> None:
    """Without keys anything but loopback is refused before listening."""
    with pytest.raises(SettingsError, match="keys add"), listening(Settings(host="0.0.0.0")):  # noqa: S104
        pass


def test_port_zero_takes_a_free_one() -> None:
    """The address that is printed carries the port that was given."""
    with listening(Settings(port=0)) as bound:
        assert address(bound) == f"http://127.0.0.1:{bound.getsockname()[1]}"


def test_progress_as_text_and_json() -> None:
    """Rates, time left and failures, from a clock that is held."""
    now = [0.0]
    progress = Progress(lambda: now[0])
    progress.begin()
    progress.planned(10, complete=True)
    with progress.busy("models"):
        now[0] = 2.0
    for _ in range(4):
        progress.finished("indexed", 3)
    progress.finished("failed", 0)
    snapshot = progress.snapshot()
    assert text_of(snapshot) == (
        "5 of 10 pictures, 2.5 images/s, 6.0 objects/s, 0:02 left, 1 failed, "
        "busy: read 0% models 100% write 0%"
    )
    line = json.loads(json_of(snapshot))
    assert (line["done"], line["total"], line["left_s"]) == (5, 10, 2.0)
    assert line["load"] == {"read": 0.0, "models": 1.0, "write": 0.0}
    progress.end()
    now[0] = 50.0
    assert progress.snapshot().elapsed_s == 2.0
    assert progress.snapshot().state == "idle"


def test_load_is_that_of_now_and_in_the_end_of_the_whole() -> None:
    """A stage that is busy now counts before it ends; what was long ago counts no more."""
    now = [0.0]
    progress = Progress(lambda: now[0])
    progress.begin()
    progress.planned(10, complete=True)
    with progress.busy("read"):
        now[0] = 5.0
        assert progress.snapshot().load["read"] == 1.0
    with progress.busy("write"):
        for second in range(6, 21):
            now[0] = float(second)
            load = progress.snapshot().load
    assert load == {"read": 0.0, "models": 0.0, "write": 1.0}
    progress.end()
    assert progress.snapshot().load == {"read": 0.25, "models": 0.0, "write": 0.75}


def test_a_run_that_did_nothing_tells_no_progress() -> None:
    """A dry run's plan is its report; "0 of 18" beside it would only confuse."""
    stream = io.StringIO()
    progress = Progress()
    with shown(progress, "plain", stream):
        progress.begin()
        progress.planned(18, complete=True)
        progress.end()
    assert stream.getvalue() == ""


def test_plain_lines_without_a_terminal() -> None:
    """The last state is always told, in the form that the stream asks for."""
    stream = io.StringIO()
    progress = Progress()
    with shown(progress, mode_for(stream, as_json=False), stream):
        progress.begin()
        progress.planned(1, complete=True)
        progress.finished("indexed", 2)
        progress.end()
    assert stream.getvalue().startswith("1 of 1 picture, ")
    assert mode_for(stream, as_json=True) == "json"


def test_a_live_display_on_a_terminal() -> None:
    """The bar says how many are done, how fast, and what failed."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    progress = Progress()
    with shown(progress, mode_for(stream, as_json=False), stream):
        progress.begin()
        progress.planned(3, complete=True)
        progress.finished("failed", 0)
        progress.end()
    assert "1/3" in stream.getvalue()
    assert "1 failed" in stream.getvalue()


@pytest.fixture
def reader() -> Iterator[int]:
    """The writing end of a pipe whose reader went away."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def test_a_reader_that_goes_away_meets_no_traceback(reader: int) -> None:
    """``boxseek keys list | head -0`` ends without a word."""
    code = (
        "from embedding_pipeline.cli import main; import sys; "
        "sys.argv[1:] = ['keys', 'list']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-u", "-c", code],
        check=False,
        stdout=reader,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    assert done.stderr == b""


def test_display_threads_end() -> None:
    """No display outlives its block."""
    before = threading.active_count()
    with shown(Progress(), "plain", io.StringIO()):
        pass
    assert threading.active_count() == before


@pytest.mark.parametrize("words", [(), ("index",), ("models",)])
def test_a_command_that_needs_another_word_prints_its_help(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and nothing but the help."""
    with pytest.raises(SystemExit) as ended:
        run_command(lambda: app(list(words), standalone_mode=False))
    told = capsys.readouterr()
    assert ended.value.code == 2
    assert "Commands" in told.out
    assert told.err.strip() == ""


def test_options_of_a_reindex_are_settings() -> None:
    """What is given stays, what a quality decides is decided anew, nonsense is named."""
    before = Settings(_env_file=None, embedder="resnet50", quality="plain", score_floor=0.4)
    after = changed_settings(before, {"quality": "best", "embedder": "resnet18"})
    assert (after.embedder, after.score_floor) == ("resnet18", 0.4)
    assert after.further_sizes == Settings(_env_file=None, quality="best").further_sizes
    with pytest.raises(SettingsError, match="BOXSEEK_PRECISION='nonsense'"):
        changed_settings(before, {"precision": "nonsense"})
    with pytest.raises(SettingsError, match="no setting speed"):
        changed_settings(before, {"speed": 3})
