"""The block of settings that `make up` and `make up-native` keep in .env."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

ENV_FILE = Path(__file__).resolve().parents[1] / ".env"
FIRST, LAST = "# >>> boxseek servers (make down or down-native removes this)", "# <<<"


def write_block(values: Mapping[str, str], file: Path = ENV_FILE) -> None:
    """Put settings between the two marker lines, or remove them; other lines stay as they are.

    The file can be read by its owner alone, since it holds passwords.
    """
    lines = file.read_text().splitlines() if file.exists() else []
    if FIRST in lines:
        start = lines.index(FIRST)
        del lines[start : lines.index(LAST, start) + 1]
    if values:
        lines += [FIRST, *(f"{name}={value}" for name, value in values.items()), LAST]
    if not lines:
        file.unlink(missing_ok=True)
        return
    file.touch(mode=0o600)
    file.write_text("".join(f"{line}\n" for line in lines))
