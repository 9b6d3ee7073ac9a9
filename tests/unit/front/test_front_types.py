"""The page's types are those of the API."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.servers import ROOT

FRONT = ROOT / "search-front"
NODE = Path(sys.prefix) / "bin" / "node"


@pytest.mark.skipif(
    not (FRONT / "node_modules").is_dir(),
    reason="the page's packages are not installed (make front)",
)
def test_committed_types_are_generated_from_the_openapi_document(tmp_path: Path) -> None:
    """src/api/schema.ts is what `make front-types` would write now."""
    document = subprocess.run(
        [sys.executable, "-m", "embedding_pipeline.api.openapi"], capture_output=True, check=True
    ).stdout
    made = tmp_path / "schema.ts"
    subprocess.run(
        [NODE, FRONT / "scripts" / "api_types.mjs", "-", made],
        cwd=FRONT,
        input=document,
        check=True,
    )
    assert (FRONT / "src" / "api" / "schema.ts").read_text() == made.read_text(), "make front-types"
