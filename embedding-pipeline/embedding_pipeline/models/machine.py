"""What this machine is and can do."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from embedding_pipeline.models.quiet import available_cores

TELLING_FLAGS = (
    "avx2",
    "avx512f",
    "avx_vnni",
    "avx512_vnni",
    "avx512_bf16",
    "amx_bf16",
    "amx_int8",
    "asimddp",
    "i8mm",
    "bf16",
)
"""Processor features that decide which precision is fast."""

_BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine that models run on.

    Args:
        processor: its name.
        cores: that this process may use.
        flags: those of TELLING_FLAGS that it has.
        memory_bytes: in all; 0 if unknown.
        gpu: name of the CUDA device that PyTorch can use, or "".
        gpu_bf16: it multiplies bfloat16 in hardware.
    """

    processor: str
    cores: int
    flags: tuple[str, ...]
    memory_bytes: int
    gpu: str = ""
    gpu_bf16: bool = False

    @property
    def cpu_bf16(self) -> bool:
        """The processor multiplies bfloat16 in hardware."""
        return bool(_BF16_FLAGS & set(self.flags))


@cache
def this_machine() -> Machine:
    """Look at this machine; imports torch for the GPU."""
    import torch  # noqa: PLC0415 - takes seconds; commands that load no model do without

    gpu = torch.cuda.is_available()
    info = _cpuinfo()
    words = set((info.get("flags") or info.get("features") or "").split())
    return Machine(
        processor=info.get("model name") or platform.processor() or platform.machine(),
        cores=available_cores(),
        flags=tuple(flag for flag in TELLING_FLAGS if flag in words),
        memory_bytes=_memory_bytes(),
        gpu=str(torch.cuda.get_device_name(0)) if gpu else "",
        gpu_bf16=gpu and bool(torch.cuda.is_bf16_supported()),
    )


def _cpuinfo(path: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """Fields of the first processor, names in lower case; empty where there is no such file."""
    if not path.is_file():
        return {}
    fields: dict[str, str] = {}
    for line in path.read_text("utf-8", errors="replace").splitlines():
        if not line.strip():
            break
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    return fields


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 0
