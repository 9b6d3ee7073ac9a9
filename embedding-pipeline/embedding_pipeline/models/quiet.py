"""The one place that tells model libraries to stay at home: no installs, no calls, no HOME."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from types import ModuleType


def import_ultralytics(config_dir: Path) -> ModuleType:
    """Import Ultralytics so that it installs nothing, calls nobody and writes only here.

    It and ONNX Runtime, which runs its .onnx files, read these variables when they are
    imported, so nothing may import them before.

    Args:
        config_dir: where its settings file goes, unless YOLO_CONFIG_DIR names a place.
    """
    config_dir.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("YOLO_CONFIG_DIR", str(config_dir))
    os.environ["YOLO_OFFLINE"] = "True"
    os.environ["YOLO_AUTOINSTALL"] = "false"
    os.environ["YOLO_VERBOSE"] = "false"
    # Else it tells Microsoft of every session, and keeps a device id and a queue in HOME.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    # Ultralytics sets this to 1 when it is missing, which would slow every other library.
    os.environ.setdefault("OMP_NUM_THREADS", str(available_cores()))
    import ultralytics  # noqa: PLC0415 - only after the variables above are set

    logging.getLogger("ultralytics").setLevel(logging.ERROR)
    module: ModuleType = ultralytics
    return module


def import_openvino() -> ModuleType:
    """Import OpenVINO without its telemetry, which would write to HOME and call Google.

    Its converter and NNCF take a stub where the package openvino_telemetry cannot be imported.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type] # as import does
    import openvino  # noqa: PLC0415 - only after its telemetry is out of reach

    module: ModuleType = openvino
    return module


def import_nncf() -> ModuleType:
    """Import NNCF, which calibrates, without its telemetry and its progress bars' noise."""
    import_openvino()
    import nncf  # noqa: PLC0415 - only after its telemetry is out of reach

    nncf.set_log_level(logging.ERROR)
    module: ModuleType = nncf
    return module


def available_cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
