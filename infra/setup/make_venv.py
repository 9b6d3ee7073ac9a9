"""Make or refresh the project's virtual environment; standard library only.

Run by the Makefile with the Python 3.11 it found. Nothing is installed when the
inputs (requirements, constraints, package metadata) have not changed since the last
successful run, so a second start needs no network.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONNECT_TIMEOUT_S = 5.0


def check_python() -> None:
    """Stop with a clear message unless this is Python 3.11 on Linux x86-64."""
    if sys.version_info[:2] != (3, 11):
        found = ".".join(str(part) for part in sys.version_info[:3])
        raise SystemExit(
            f"Boxseek needs Python 3.11; this is Python {found} ({sys.executable}).\n"
            "Install Python 3.11 (Debian 12: apt install python3.11-venv; pyenv install 3.11)\n"
            "and run: make PYTHON=/path/to/python3.11 ..."
        )
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        print("note: only Linux on x86-64 is tested; going on.", flush=True)


def fingerprint(paths: list[Path], words: list[str]) -> str:
    """SHA-256 over the inputs that decide what gets installed."""
    digest = hashlib.sha256(sys.version.encode())
    for word in words:
        digest.update(word.encode() + b"\0")
    for path in paths:
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def reachable(url: str) -> bool:
    """Whether an index answers at all within a short connect timeout."""
    try:
        with urllib.request.urlopen(url, timeout=CONNECT_TIMEOUT_S):
            return True
    except (urllib.error.URLError, OSError, ValueError):
        return False


def run(command: list[str]) -> None:
    """Run a command; on failure stop with what to do next."""
    result = subprocess.run(command, cwd=ROOT, check=False)
    if result.returncode:
        raise SystemExit(
            f"set-up failed (exit {result.returncode}): {' '.join(command)}\n"
            "The lines above say why. Without a network the set-up cannot run for the first time;\n"
            "with one, run the same make target again: it goes on where it stopped."
        )


def install_torch(uv_install: list[str], cpu_index: str) -> None:
    """Install PyTorch's CPU builds where they make sense; say what is done and why.

    They come first and alone, because their index also carries other packages, in
    other versions than the project's. What torch itself needs follows with the rest.
    """
    if shutil.which("nvidia-smi"):
        print("set-up: NVIDIA GPU found, taking PyTorch's CUDA builds.", flush=True)
        return
    if reachable(f"{cpu_index}/torch/"):
        print("set-up: no NVIDIA GPU, taking PyTorch's CPU builds (200 MB).", flush=True)
        run([*uv_install, "--no-deps", "--index-url", cpu_index, "torch", "torchvision"])
        return
    print(
        "set-up: no NVIDIA GPU, but PyTorch's CPU index does not answer; taking the default\n"
        "        builds, which work on a CPU and bring CUDA libraries along (about 3 GB).",
        flush=True,
    )


def main() -> None:
    """Create the environment named on the command line and install into it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venv", type=Path, required=True)
    parser.add_argument("--torch-cpu-index", required=True)
    arguments = parser.parse_args()
    check_python()
    target: Path = arguments.venv.absolute()
    infra = ROOT / "infra"
    projects = [ROOT / "minio-proxy", ROOT / "embedding-pipeline"]
    inputs = [
        Path(__file__),
        infra / "constraints.txt",
        infra / "overrides.txt",
        infra / "requirements-dev.in",
        *(project / "pyproject.toml" for project in projects),
    ]
    stamp = target / "boxseek-setup.sha256"
    wanted = fingerprint(inputs, [str(target)])
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"set-up: virtual environment {target}", flush=True)
    if not (target / "bin" / "python").exists():
        venv.create(target, with_pip=True, clear=target.exists())
    python = str(target / "bin" / "python")
    constraints = str(infra / "constraints.txt")
    pip = [python, "-m", "pip", "--disable-pip-version-check", "-q", "install"]
    run([*pip, "-c", constraints, "uv"])
    uv_install = [python, "-m", "uv", "pip", "install", "--python", python]
    uv_install += ["--constraints", constraints, "--overrides", str(infra / "overrides.txt")]
    install_torch(uv_install, arguments.torch_cpu_index)
    run(
        [
            *uv_install,
            # Every start is several seconds quicker with compiled bytecode, also where
            # the environment is read-only or PYTHONDONTWRITEBYTECODE is set.
            "--compile-bytecode",
            *["-r", str(infra / "requirements-dev.in")],
            *(part for project in projects for part in ("-e", str(project))),
        ]
    )
    stamp.write_text(wanted)


if __name__ == "__main__":
    main()
