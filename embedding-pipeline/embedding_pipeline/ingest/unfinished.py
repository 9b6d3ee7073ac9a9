"""The version that a run is filling, remembered so that a killed run leaves no orphan."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.ports.index import IndexCatalog, IndexVersion

MARK = "unfinished.json"


class Unfinished:
    """A small file, written before a version is made and removed once it is active.

    It names the versions that there were before and the models of the new one, so the version
    is known for the run's own even when the run died before it learned its name. One run at a
    time.

    Args:
        folder: where the file lies.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / MARK

    def take_up(self, catalog: IndexCatalog, description: ModelDescription) -> IndexVersion:
        """The version that an earlier run with these models left, or a new one.

        What runs with other models left is dropped.
        """
        versions = catalog.versions()
        kept: IndexVersion | None = None
        for version in self._left(versions):
            if kept is None and not version.description.differences(description):
                kept = version
            else:
                catalog.drop(version.name)
        if kept is not None:
            return kept
        self._write([one.name for one in catalog.versions()], description)
        return catalog.create(description)

    def forget(self) -> None:
        """The version is active: there is nothing unfinished any more."""
        self._path.unlink(missing_ok=True)

    def _left(self, versions: Sequence[IndexVersion]) -> list[IndexVersion]:
        """Versions that a run made and never activated, newest first."""
        try:
            mark = json.loads(self._path.read_bytes())
            before = set(mark["before"])
            made_for = ModelDescription.from_json(mark["models"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return []
        return [
            one
            for one in reversed(versions)
            if one.name not in before and not one.active and not one.previous
            if not one.description.differences(made_for)
        ]

    def _write(self, before: Sequence[str], description: ModelDescription) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        half = self._path.with_suffix(".half")
        with half.open("w", encoding="utf-8") as file:
            json.dump({"before": list(before), "models": description.to_json()}, file)
            file.flush()
            os.fsync(file.fileno())
        half.replace(self._path)
