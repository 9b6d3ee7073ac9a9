"""boxseek doctor: what it checks, tells and advises."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from embedding_pipeline.cli.doctor import Doctor, run_doctor
from embedding_pipeline.cli.doctor_advice import advice, used_way
from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.errors import ModelError
from embedding_pipeline.models.artifacts import Artifacts
from embedding_pipeline.models.loaded import LoadedModels
from embedding_pipeline.models.network import PLAIN, Way
from embedding_pipeline.models.speeds import INT8, Speed
from embedding_pipeline.settings import Settings
from support.models_fakes import FakeDetector, FakeEmbedder, fake_description

OPENVINO = Way("openvino", "fp32")


def _load(
    settings: Settings, description: ModelDescription | None, artifacts: Artifacts
) -> LoadedModels:
    return LoadedModels(FakeDetector(), FakeEmbedder(), description or fake_description())


def _measure(
    description: ModelDescription, settings: Settings, artifacts: Artifacts
) -> Iterator[Speed]:
    yield Speed("detector", PLAIN, 10.0)
    yield Speed("detector", INT8, None, reason="makes detectors no faster")
    yield Speed("embedder", PLAIN, 5.0, 2e9)
    yield Speed("embedder", INT8, 20.0, 2e9)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", port=_free_port())


def test_all_well_is_told_for_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON object: machine, versions, checks, speeds with shares of the peak, advice."""
    settings = _settings(tmp_path)
    doctor = Doctor(settings, load=_load, peak=lambda: 4e10, measure=_measure)
    assert run_doctor(settings, as_json=True, doctor=doctor) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True
    assert [check["name"] for check in told["checks"]] == [
        "python",
        "data folder",
        "originals",
        "index",
        "models",
        "address",
    ]
    assert told["matrix_peak_gflops"] == 40.0
    assert told["speeds"][2]["share_of_peak"] == 0.25
    assert told["speeds"][1]["per_second"] is None
    assert told["machine"]["cores"] >= 1
    assert "openvino" in told["machine"]["versions"]
    assert any("int8" in line and "4.0 times" in line for line in told["advice"])


def test_what_is_broken_is_told_with_exit_code_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that is a file, a taken port and models that cannot be had; the rest is told."""
    (tmp_path / "data").write_text("no folder")

    def nothing(
        settings: Settings, description: ModelDescription | None, artifacts: Artifacts
    ) -> LoadedModels:
        raise ModelError("there are no weights")

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = Settings(data_dir=tmp_path / "data", port=taken.getsockname()[1])
        doctor = Doctor(settings, load=nothing, peak=lambda: 1.0, measure=_measure)
        assert run_doctor(settings, as_json=False, doctor=doctor) == 1
    out, err = capsys.readouterr()
    wrong = [line.split()[0] for line in out.splitlines() if " WRONG " in line]
    assert wrong[0] == "data"
    assert "address" in wrong
    assert "python       ok" in out
    assert "nothing was measured" in err


def test_text_shows_every_way_and_why_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rates with their unit, shares, and the reason where there is no rate."""
    settings = _settings(tmp_path)
    doctor = Doctor(settings, load=_load, peak=lambda: 4e10, measure=_measure)
    assert run_doctor(settings, doctor=doctor) == 0
    out = capsys.readouterr().out
    assert "10.0 pictures/s" in out
    assert "5.0 crops/s, 25% of the fp32 matrix product" in out
    assert "(makes detectors no faster)" in out


def test_the_index_keeps_its_way_and_a_faster_one_is_named() -> None:
    """With the command that makes the index anew, and how much it gains."""
    description = fake_description()
    lines = advice(description, list(_measure(description, Settings(), None)))  # type: ignore[arg-type]
    assert "The index runs its embedder on native fp32" in lines[1]
    assert "4.0 times" in lines[2]
    assert "BOXSEEK_RUNTIME=openvino BOXSEEK_PRECISION=int8 boxseek reindex" in lines[2]
    assert len(lines) == 3


def test_the_fastest_way_is_left_alone() -> None:
    """No advice where the index has the fastest way, or one nearly as fast."""
    plain = fake_description()
    description = replace(
        plain, embedder=replace(plain.embedder, runtime="openvino", precision="int8")
    )
    found = [Speed("embedder", OPENVINO, 21.0), Speed("embedder", INT8, 20.0)]
    assert len(advice(description, found)) == 1
    assert advice(description, []) == []


def test_a_way_that_cannot_be_measured_here_is_said() -> None:
    """An index from another machine: what it uses, and what is the fastest here."""
    lines = advice(fake_description(), [Speed("embedder", OPENVINO, 9.0)])
    assert "cannot be measured here" in lines[1]


def test_what_an_index_uses() -> None:
    """Runtime and precision by role; None for a precision of a later version."""
    plain = fake_description()
    assert used_way(plain, "detector") == PLAIN
    odd = replace(plain, embedder=replace(plain.embedder, precision="fp4"))
    assert used_way(odd, "embedder") is None
