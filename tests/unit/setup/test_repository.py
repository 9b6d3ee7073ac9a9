"""What must hold for the repository as a whole."""

from __future__ import annotations

import re
import subprocess

import pytest

from support.servers import ROOT


def tracked() -> list[str]:
    """Names of all files that git tracks."""
    listing = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return listing.stdout.splitlines()


def test_no_module_grows_past_300_lines() -> None:
    """A Python module of the product that needs more rooms than that gets them."""
    long = {
        name: count
        for name in tracked()
        if name.endswith(".py")
        and (ROOT / name).exists()
        and not name.startswith(("tests/", "infra/"))
        for count in [len((ROOT / name).read_text().splitlines())]
        if count > 330
    }
    assert long == {}


def test_every_python_folder_is_in_the_architecture() -> None:
    """docs/architecture.md has a line for every room of both packages."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    rooms = {
        name.split("/")[2]
        for name in tracked()
        if re.match(r"(minio-proxy/minio_proxy|embedding-pipeline/embedding_pipeline)/\w+/", name)
    }
    assert [room for room in sorted(rooms) if f"`{room}/`" not in text] == []


def test_lock_file_records_no_download_addresses() -> None:
    """The page's lock file names versions, not places."""
    lock = ROOT / "search-front" / "package-lock.json"
    if not lock.exists():
        pytest.skip("the page has no lock file")
    assert '"resolved"' not in lock.read_text()


def test_constraints_pin_every_version() -> None:
    """Each line of the constraints names one exact version."""
    lines = (ROOT / "infra" / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in pins if not re.fullmatch(r"[\w.-]+==[\w.+-]+( ;.*)?", line)] == []
    assert len(pins) > 100
