"""The local folder of weights: what lies there, what it may be, what it was at first."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from embedding_pipeline.domain.description import Origin
from embedding_pipeline.errors import UntrustedWeights, WeightsChanged
from embedding_pipeline.models.downloads import sha256_of
from embedding_pipeline.models.trusted import PICKLED
from embedding_pipeline.settings import Settings

DETECTOR_SUFFIXES = (".pt", ".onnx")
EMBEDDER_SUFFIX = ".safetensors"
_PICKLED_SUFFIXES = (".pt", ".pth")
_LEDGER = "weights.json"
_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8})\.pth", re.ASCII)


@dataclass(frozen=True, slots=True)
class Weights:
    """A file of weights that may be loaded.

    Args:
        name: the model's.
        path: of the file.
        sha256: of the file, hex.
        origin: where it came from.
    """

    name: str
    path: Path
    sha256: str
    origin: Origin


class WeightsFolder:
    """A folder of weights with a ledger of their SHA-256 sums (``weights.json``).

    Args:
        folder: need not exist yet.
        trusted_sha256: pickled files that may be loaded beside the project's list.
    """

    def __init__(self, folder: Path, trusted_sha256: Iterable[str] = ()) -> None:
        self.folder = folder
        self._trusted = PICKLED | {sha256.strip().lower() for sha256 in trusted_sha256}

    @classmethod
    def of(cls, settings: Settings) -> WeightsFolder:
        """The folder that the settings name."""
        folder = settings.models_dir or settings.data_dir / "models"
        return cls(folder, filter(None, settings.trusted_sha256.split(",")))

    def find(self, filenames: Iterable[str]) -> Path | None:
        """The first of these files that lies in the folder."""
        paths = (self.folder / filename for filename in filenames)
        return next((path for path in paths if path.is_file()), None)

    def files(self) -> list[Path]:
        """Every file of weights in the folder and its direct subfolders, sorted."""
        suffixes = {*DETECTOR_SUFFIXES, EMBEDDER_SUFFIX}
        found = [*self.folder.glob("*"), *self.folder.glob("*/*")]
        return sorted(
            path
            for path in found
            if path.suffix in suffixes and path.is_file() and not path.name.startswith(".")
        )

    def verified(self, path: Path) -> str:
        """SHA-256 of a file that may be loaded.

        Raises:
            UntrustedWeights: pickled and on no list.
            WeightsChanged: not what was recorded when the file was first seen.
        """
        sha256 = sha256_of(path)
        if path.suffix in _PICKLED_SUFFIXES and not _named_by_hash(path, sha256):
            self._check_trust(path, sha256)
        else:
            self._check_ledger(path, sha256)
        return sha256

    def pinned(self, path: Path, expected: str) -> str:
        """SHA-256 of a file that must be exactly this one, else WeightsChanged."""
        actual = sha256_of(path)
        if actual != expected:
            raise WeightsChanged(
                f"{path} has SHA-256 {actual} instead of {expected}; install its package again",
                path=str(path),
                expected=expected,
                actual=actual,
            )
        return actual

    def recorded(self) -> dict[str, str]:
        """The ledger: file name (path, if outside the folder) to SHA-256."""
        path = self.folder / _LEDGER
        if not path.is_file():
            return {}
        try:
            ledger: dict[str, str] = json.loads(path.read_text("utf-8"))
        except ValueError as error:
            raise WeightsChanged(
                f"{path} is damaged; delete it if the weights beside it are known to be right",
                path=str(path),
            ) from error
        return ledger

    def _check_trust(self, path: Path, sha256: str) -> None:
        if sha256 in self._trusted:
            return
        raise UntrustedWeights(
            f"{path} is a pickled file, which can run code when it is loaded, and its SHA-256 "
            f"{sha256} is on no list; if you know where it comes from, set "
            f"BOXSEEK_TRUSTED_SHA256={sha256}",
            path=str(path),
            sha256=sha256,
        )

    def _check_ledger(self, path: Path, sha256: str) -> None:
        recorded = self.recorded()
        name = self._ledger_name(path)
        if name not in recorded:
            self._record(recorded | {name: sha256})
        elif recorded[name] != sha256:
            raise WeightsChanged(
                f"{path} has SHA-256 {sha256}, but {recorded[name]} was recorded when it was first "
                f"seen; put the old file back, or remove its line from {self.folder / _LEDGER}",
                path=str(path),
                expected=recorded[name],
                actual=sha256,
            )

    def _ledger_name(self, path: Path) -> str:
        absolute, folder = path.absolute(), self.folder.absolute()
        inside = absolute.is_relative_to(folder)
        return absolute.relative_to(folder).as_posix() if inside else str(absolute)

    def _record(self, ledger: dict[str, str]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, temp = tempfile.mkstemp(prefix=f".{_LEDGER}.", dir=self.folder)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(ledger, file, indent=2, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        Path(temp).replace(self.folder / _LEDGER)


def _named_by_hash(path: Path, sha256: str) -> bool:
    """Whether a ``.pth`` file's name ends in the first digits of its own SHA-256.

    torchvision names its weights so and checks no more. Such files are read with
    ``weights_only``, which runs no code; once seen, their whole SHA-256 is in the ledger.
    """
    found = _HASH_IN_NAME.search(path.name)
    return found is not None and sha256.startswith(found.group(1))
