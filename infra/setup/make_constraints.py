"""Resolve every dependency anew and write infra/constraints.txt; then run every test.

CUDA libraries are left out: torch names them itself, and its CPU builds need none.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "infra"
PROJECTS = ("minio-proxy", "embedding-pipeline")
CUDA = re.compile(r"^(nvidia-(cu|nccl|nvj|nvs|nvt)|cuda-|triton==)")
HEADER = "# Every version that was tested. Regenerate: make constraints."


def requirements() -> list[str]:
    """What both packages and the checks ask for, without the packages themselves."""
    asked = ["uv"]
    for project in PROJECTS:
        described = tomllib.loads((ROOT / project / "pyproject.toml").read_text())
        asked += described["project"]["dependencies"]
    asked += (INFRA / "requirements-dev.in").read_text().splitlines()
    return [line for line in asked if line not in PROJECTS]


def main() -> None:
    """Write the constraints."""
    with tempfile.NamedTemporaryFile("w", suffix=".in") as wanted:
        wanted.write("\n".join(requirements()) + "\n")
        wanted.flush()
        resolved = subprocess.run(
            [
                *[
                    sys.executable,
                    "-m",
                    "uv",
                    "pip",
                    "compile",
                    wanted.name,
                    "--quiet",
                    "--upgrade",
                ],
                *["--overrides", str(INFRA / "overrides.txt"), "--python-version", "3.11"],
                *["--no-annotate", "--no-header"],
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    pins = [line for line in resolved.splitlines() if line and not CUDA.match(line)]
    (INFRA / "constraints.txt").write_text("\n".join([HEADER, *pins]) + "\n")


if __name__ == "__main__":
    main()
