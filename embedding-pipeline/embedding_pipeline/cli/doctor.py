"""``boxseek doctor``: what this machine is, whether all answers, and what computes fastest."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

import httpx

from embedding_pipeline.bootstrap import build_catalog
from embedding_pipeline.cli.doctor_advice import advice, used_way
from embedding_pipeline.cli.serving import listening
from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.errors import BoxseekError
from embedding_pipeline.models.agreement import check_names
from embedding_pipeline.models.artifacts import Artifacts
from embedding_pipeline.models.loaded import LoadedModels
from embedding_pipeline.models.speeds import Speed, speeds
from embedding_pipeline.settings import Settings
from minio_proxy.bootstrap import build_store
from minio_proxy.errors import ProxyError, SettingsError

ENOUGH_BYTES = 1024**3
LIBRARIES = (
    "torch",
    "timm",
    "ultralytics",
    "onnxruntime",
    "openvino",
    "nncf",
    "lancedb",
    "elasticsearch",
    "towhee",
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that Boxseek needs.

    Args:
        name: of the thing.
        ok: it is as it should be.
        told: what it is, or what is wrong and what to do.
    """

    name: str
    ok: bool
    told: str


class Doctor:
    """Looks at one thing after the other.

    Args:
        settings: of everything.
        load: loads the models of a description, or those that settings would choose.
        peak: operations a second of the machine's best matrix product.
        measure: speeds of a description's models.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        load: Callable[[Settings, ModelDescription | None, Artifacts], LoadedModels],
        peak: Callable[[], float],
        measure: Callable[[ModelDescription, Settings, Artifacts], Iterator[Speed]] = speeds,
    ) -> None:
        self._settings = settings
        self._load = load
        self._peak = peak
        self._measure = measure
        self.in_index: ModelDescription | None = None
        self.loaded: LoadedModels | None = None

    def checks(self) -> Iterator[Check]:
        """Check folders, store, index, models and port; what is wrong says what to do."""
        looks: tuple[tuple[str, Callable[[], str]], ...] = (
            ("python", platform.python_version),
            ("data folder", self._space),
            ("originals", self._store),
            ("index", self._index),
            ("models", self._models),
            ("address", self._address),
        )
        for name, look in looks:
            try:
                yield Check(name, ok=True, told=look())
            except (BoxseekError, ProxyError) as exc:
                yield Check(name, ok=False, told=exc.message)
            except OSError as exc:
                yield Check(name, ok=False, told=str(exc))

    def speeds(self) -> tuple[float, list[Speed]]:
        """Peak of the matrix product in operations a second, and the models' speeds."""
        if self.loaded is None:
            return 0.0, []
        with closing(build_store(self._settings)) as store:
            found = list(self._measure(self.loaded.description, self._settings, Artifacts(store)))
        return self._peak(), found

    def _space(self) -> str:
        folder = self._settings.data_dir
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise SettingsError(
                f"{folder.absolute()} cannot be written to; give it to this user, or name another "
                "one (BOXSEEK_DATA_DIR)"
            )
        free = shutil.disk_usage(folder).free
        if free < ENOUGH_BYTES:
            raise SettingsError(
                f"{folder.absolute()} has only {free:,} bytes free; make room, or name another "
                "folder (BOXSEEK_DATA_DIR)"
            )
        return f"{folder.absolute()}, {free / 1024**3:.0f} GiB free"

    def _store(self) -> str:
        with closing(build_store(self._settings)) as store:
            store.check()
        return self._settings.store

    def _index(self) -> str:
        with closing(build_catalog(self._settings)) as catalog:
            active = catalog.active()
            if active is None:
                return "none yet; the first start of serve, ingest or demo makes one"
            self.in_index = active.description
            check_names(self._settings, active.description)
            with closing(catalog.open()) as index:
                index.check()
                counts = index.count()
        return f"{active.name}: {counts.pictures:,} pictures, {counts.objects:,} objects"

    def _models(self) -> str:
        settings = self._settings
        if self.in_index is None:  # as the settings choose, before anything is measured
            settings = settings.model_copy(update={"runtime": "native", "precision": "fp32"})
        with closing(build_store(settings)) as store:
            self.loaded = self._load(settings, self.in_index, Artifacts(store))
        notice = f" ({self.loaded.notice})" if self.loaded.notice else ""
        return self.loaded.description.summary() + notice

    def _address(self) -> str:
        url = f"http://{self._settings.host}:{self._settings.port}"
        if _boxseek_answers(url):
            return f"Boxseek answers at {url}"
        with listening(self._settings):
            return f"{url} is free"


def run_doctor(settings: Settings, *, as_json: bool = False, doctor: Doctor | None = None) -> int:
    """Print what was found; 0 when all is well, 1 when something is broken.

    Args:
        settings: of everything.
        as_json: one JSON object instead of text.
        doctor: looks; None takes the real one.
    """
    doctor = doctor or _real(settings)
    machine = machine_facts()
    if not as_json:
        _tell_machine(machine)
    checks = []
    for check in doctor.checks():
        checks.append(check)
        if not as_json:
            print(f"{check.name:<12} {'ok   ' if check.ok else 'WRONG'} {check.told}", flush=True)
    if not as_json and doctor.loaded is not None:
        print("\nmeasuring what computes the models, about a minute ...", flush=True)
    peak, found = doctor.speeds()
    told = advice(doctor.in_index, found)
    if as_json:
        print(json.dumps(_facts(machine, checks, peak, found, told, doctor.in_index)))
    else:
        _tell_speeds(peak, found, doctor.in_index)
        for line in told:
            print(line)
    return int(not all(check.ok for check in checks))


def machine_facts() -> dict[str, Any]:
    """This machine and the versions of what computes on it."""
    from embedding_pipeline.models.machine import this_machine  # noqa: PLC0415 - brings torch

    machine = this_machine()
    return {
        "processor": machine.processor,
        "cores": machine.cores,
        "flags": list(machine.flags),
        "memory_bytes": machine.memory_bytes,
        "gpu": machine.gpu,
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }


def _boxseek_answers(url: str) -> bool:
    """Whether a Boxseek that is running already has the address."""
    try:
        answer = httpx.get(f"{url}/healthz", timeout=2.0)
        return answer.is_success and answer.json().get("status") == "ok"
    except (httpx.HTTPError, ValueError, AttributeError):
        return False


def _real(settings: Settings) -> Doctor:
    from embedding_pipeline.bootstrap import real_models  # noqa: PLC0415 - brings torch
    from embedding_pipeline.models.peak import matrix_peak_flops  # noqa: PLC0415 - likewise

    return Doctor(settings, load=real_models, peak=matrix_peak_flops)


def _tell_machine(machine: Mapping[str, Any]) -> None:
    gpu = machine["gpu"] or "none that PyTorch can use"
    print(f"processor    {machine['processor']}, {machine['cores']} cores for Boxseek")
    print(f"features     {' '.join(machine['flags']) or 'none that matter'}")
    print(f"memory       {machine['memory_bytes'] / 1024**3:.1f} GiB")
    print(f"GPU          {gpu}")
    print("versions     " + ", ".join(f"{n} {v}" for n, v in machine["versions"].items()))
    if machine["load_average"] > machine["cores"]:
        print(
            f"load         {machine['load_average']}: others are at work, measured speeds are low"
        )
    print()


def _tell_speeds(peak: float, found: Sequence[Speed], in_index: ModelDescription | None) -> None:
    if not found:
        print("\nnothing was measured, because the models could not be loaded", file=sys.stderr)
        return
    print(f"fp32 matrix product of this machine: {peak / 1e9:.0f} GFLOP/s at most\n")
    for speed in found:
        used = in_index is not None and used_way(in_index, speed.role) == speed.way
        mark = "  <- the index" if used else ""
        print(f"{speed.role:<9} {speed.way!s:<15} {_figure(speed, peak)}{mark}")
    print()


def _figure(speed: Speed, peak: float) -> str:
    if speed.rate is None:
        return f"-  ({speed.reason})"
    unit = "pictures/s" if speed.role == "detector" else "crops/s"
    share = ""
    if speed.flops and peak:
        share = f", {speed.rate * speed.flops / peak:.0%} of the fp32 matrix product"
    return f"{speed.rate:.1f} {unit}{share}"


def _facts(
    machine: Mapping[str, Any],
    checks: Sequence[Check],
    peak: float,
    found: Sequence[Speed],
    told: Sequence[str],
    in_index: ModelDescription | None,
) -> dict[str, Any]:
    return {
        "ok": all(check.ok for check in checks),
        "machine": machine,
        "checks": [asdict(check) for check in checks],
        "matrix_peak_gflops": round(peak / 1e9, 1),
        "speeds": [
            {
                "role": speed.role,
                "runtime": speed.way.runtime,
                "precision": speed.way.precision,
                "per_second": None if speed.rate is None else round(speed.rate, 2),
                "share_of_peak": round(speed.rate * speed.flops / peak, 3)
                if speed.rate and speed.flops and peak
                else None,
                "used_by_index": in_index is not None
                and used_way(in_index, speed.role) == speed.way,
                "reason": speed.reason,
            }
            for speed in found
        ],
        "advice": list(told),
    }
