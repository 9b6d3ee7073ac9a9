"""What is read of a processor."""

from __future__ import annotations

from pathlib import Path

from embedding_pipeline.models.machine import Machine, _cpuinfo


def test_the_first_processor_counts(tmp_path: Path) -> None:
    """Name and flags come from the first block; no such file gives nothing."""
    path = tmp_path / "cpuinfo"
    path.write_text(
        "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx2 avx512_bf16\n\n"
        "processor\t: 1\nmodel name\t: Other\n"
    )
    assert _cpuinfo(path)["model name"] == "Some CPU"
    assert "avx512_bf16" in _cpuinfo(path)["flags"].split()
    assert _cpuinfo(tmp_path / "none") == {}


def test_bfloat16_is_known_by_its_flags() -> None:
    """AVX-512, AMX and ARM have it; AVX2 alone does not."""
    assert [
        Machine("cpu", 2, flags, 0).cpu_bf16
        for flags in (("avx2",), ("avx512_bf16",), ("amx_bf16",), ("bf16",), ())
    ] == [False, True, True, True, False]
