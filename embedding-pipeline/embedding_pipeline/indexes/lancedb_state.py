"""The file that says which versions of the embedded index exist and which one is active."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.errors import IndexFormatMismatch

FORMAT = 1

TABLES = "tables"
"""Folder of the tables beside the state file."""


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """What the file keeps of one version."""

    description: ModelDescription
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CatalogState:
    """All versions by name, the active and the previous one, and the next free number."""

    active: str | None = None
    previous: str | None = None
    next_number: int = 1
    versions: dict[str, StoredVersion] = field(default_factory=dict)

    def with_active(self, name: str) -> CatalogState:
        """Return the state after an activation; the active one again changes nothing."""
        if name == self.active:
            return self
        return replace(self, active=name, previous=self.active)

    def without(self, name: str) -> CatalogState:
        """Return the state after a version is gone."""
        versions = {other: stored for other, stored in self.versions.items() if other != name}
        previous = None if self.previous == name else self.previous
        return replace(self, versions=versions, previous=previous)


class StateFile:
    """Reads and writes ``state.json``; a change is whole or absent, also after a crash.

    Args:
        folder: where the file lies; made when the first change is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "state.json"
        self._cached: tuple[tuple[int, int, int], CatalogState] | None = None

    def read(self) -> CatalogState:
        """State as of now, also what another process wrote; parsed again only when changed."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return CatalogState()
        stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
        cached = self._cached
        if cached is None or cached[0] != stamp:
            cached = (stamp, _parsed(self._path))
            self._cached = cached
        return cached[1]

    def write(self, state: CatalogState) -> None:
        """Replace the file; only inside ``locked``."""
        handle, temporary = tempfile.mkstemp(dir=self._folder, prefix="state-", suffix=".tmp")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(_to_json(state), file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self._path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync_folder(self._folder)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other thread and process from changing the versions meanwhile."""
        with locked_file(self._folder / "state.lock"):
            yield


@contextmanager
def locked_file(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file; the system frees it when the process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _to_json(state: CatalogState) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "active": state.active,
        "previous": state.previous,
        "next_number": state.next_number,
        "versions": {
            name: {
                "description": stored.description.to_json(),
                "created_at": stored.created_at.isoformat(),
            }
            for name, stored in state.versions.items()
        },
    }


def _parsed(path: Path) -> CatalogState:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        found = value.get("format")
    except (ValueError, AttributeError) as exc:
        raise IndexFormatMismatch(
            f"{path} is no index catalog; remove its folder and rebuild the index.",
            expected=FORMAT,
            actual=None,
        ) from exc
    if found != FORMAT:
        raise IndexFormatMismatch(
            f"The index at {path.parent} has format {found!r}, this Boxseek reads {FORMAT}; "
            "rebuild the index from the originals.",
            expected=FORMAT,
            actual=found,
        )
    versions = {
        name: StoredVersion(
            ModelDescription.from_json(stored["description"]),
            datetime.fromisoformat(stored["created_at"]),
        )
        for name, stored in value["versions"].items()
    }
    return CatalogState(value["active"], value["previous"], value["next_number"], versions)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
