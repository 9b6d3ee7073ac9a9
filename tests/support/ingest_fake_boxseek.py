"""``boxseek serve | demo | ingest`` with fake models, as a process of its own.

``python -m support.ingest_fake_boxseek demo FOLDER``; settings come from the environment.
BOXSEEK_TEST_WORK_LOG names a file that gets a line for every picture whose model work ended,
BOXSEEK_TEST_SLOW_S the seconds that a batch takes, BOXSEEK_TEST_NICE the niceness of ingest,
BOXSEEK_TEST_GATE a file: while it is there, only as many pictures as two batches get through,
so that the first batch does whatever the order of the parts under way.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.cli.demo import demo
from embedding_pipeline.cli.ingesting import Manner, run_ingest
from embedding_pipeline.cli.outcome import load_settings, run_command
from embedding_pipeline.cli.serving import serve
from embedding_pipeline.domain.description import ModelDescription
from embedding_pipeline.domain.entries import Detection
from embedding_pipeline.ingest.ingest_run import IngestOptions
from embedding_pipeline.models.loaded import LoadedModels
from embedding_pipeline.settings import Settings
from support.models_fakes import FakeDetector, FakeEmbedder


class LoggingDetector(FakeDetector):
    """The fake detector that takes its time and writes down what it worked on."""

    _seen = 0

    def detect(
        self, images: Sequence[NDArray[np.uint8]]
    ) -> list[tuple[tuple[Detection, ...], bool]]:
        """Quadrants; one line a picture in the log, all lines of a batch at once."""
        if all(image.min() == image.max() for image in images):
            return super().detect(images)  # the warm-up, which is nobody's picture
        time.sleep(float(os.environ.get("BOXSEEK_TEST_SLOW_S", "0")))
        self._pass_gate(len(images))
        log = os.environ.get("BOXSEEK_TEST_WORK_LOG")
        if log:
            names = [hashlib.sha256(image.tobytes()).hexdigest()[:16] for image in images]
            with Path(log).open("a", encoding="utf-8") as file:
                file.write("".join(f"{name}\n" for name in names))
        return super().detect(images)

    def _pass_gate(self, pictures: int) -> None:
        self._seen += pictures
        gate = os.environ.get("BOXSEEK_TEST_GATE")
        first = int(os.environ.get("BOXSEEK_BATCH_PICTURES", "8"))
        while gate and self._seen > 2 * first and Path(gate).exists():
            time.sleep(0.02)


def logging_models(settings: Settings, description: ModelDescription | None) -> LoadedModels:
    """Fakes in place of both models."""
    detector, embedder = LoggingDetector(), FakeEmbedder()
    return LoadedModels(
        detector, embedder, ModelDescription(detector.description, embedder.description)
    )


def main(arguments: Sequence[str]) -> int:
    """Run one command."""
    command, *rest = arguments
    settings = load_settings()
    if command == "serve":
        return serve(settings, logging_models)
    if command == "demo":
        return demo(settings, rest[0] if rest else "", logging_models)
    return run_ingest(
        settings,
        rest[0],
        IngestOptions(collection="test"),
        Manner(as_json="--json" in rest, nice=int(os.environ.get("BOXSEEK_TEST_NICE", "0"))),
        logging_models,
    )


if __name__ == "__main__":
    run_command(lambda: main(sys.argv[1:]))
