"""Any network on OpenVINO: one input an inference, several inferences at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, cycle, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedding_pipeline.errors import ModelError
from embedding_pipeline.models.network import Precision
from embedding_pipeline.models.openvino_model import weight_bytes
from embedding_pipeline.models.quiet import available_cores, import_openvino

_SECOND_COPY_BYTES = 128 * 2**20
"""Weights of a network that may be in memory twice: ViT-B/16 in int8 still may, in fp32 not."""

_CORES_A_STREAM = 4
"""Cores that work on one input together where there is only one copy."""


class OpenVinoNetwork:
    """Runs a model in exactly the precision that is asked for.

    Each input is an inference of its own, so that what comes out cannot depend on the inputs
    beside it; several run at once (streams). For many inputs a core for each is fastest, because
    cores that work on one input wait for each other. A search has few inputs and is waited for,
    so a second copy of the network takes those one by one on all cores; a network whose weights
    are too large for that has one copy for both, with some cores a stream.

    Args:
        model: takes ``(1, H, W, 3)`` uint8 (models/openvino_model.py).
        precision: ``int8`` is a matter of the model; what it leaves unquantized runs in fp32.
        threads: of the processor; 0 for all cores.
    """

    def __init__(self, model: Any, precision: Precision, *, threads: int = 0) -> None:
        openvino = import_openvino()
        cores = threads or available_cores()
        twice = weight_bytes(model) <= _SECOND_COPY_BYTES
        streams = cores if twice else max(1, cores // _CORES_A_STREAM)
        self._tensor = openvino.Tensor
        self._properties = {
            # OpenVINO computes in bfloat16 by itself where the processor has it.
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            "INFERENCE_NUM_THREADS": cores,
            # Threads that are tied to cores wait for whatever else runs there.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            compiled = self._compiled(openvino, model, streams)
            alone = self._compiled(openvino, model, 1) if twice and streams > 1 else compiled
        except RuntimeError as exc:
            raise ModelError(f"OpenVINO cannot compile the network: {exc}") from exc
        self._alone = alone.create_infer_request()
        self._few = max(1, streams // 2)
        # One more than run at once, so that none waits while Python looks at a result.
        self._requests = [compiled.create_infer_request() for _ in range(streams + 1)]

    def run(self, pixels: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """Run the network (see the Network protocol)."""
        waiting = iter(pixels)
        first = list(islice(waiting, self._few + 1))
        if len(first) <= self._few:
            for image in first:
                yield self._finish(self._alone, self._start(self._alone, image))
            return
        running: deque[tuple[Any, NDArray[np.uint8]]] = deque()
        try:
            for image, request in zip(chain(first, waiting), cycle(self._requests), strict=False):
                if len(running) == len(self._requests):
                    yield self._finish(*running.popleft())
                running.append((request, self._start(request, image)))
            while running:
                yield self._finish(*running.popleft())
        finally:
            for request, _ in running:  # the caller gave up
                request.wait()

    def _compiled(self, openvino: Any, model: Any, streams: int) -> Any:
        how = {**self._properties, "NUM_STREAMS": str(streams)}
        return openvino.Core().compile_model(model, "CPU", how)

    def _start(self, request: Any, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Begin on the picture's own memory, which must live until it is finished."""
        whole = np.ascontiguousarray(image)[None]
        request.set_input_tensor(self._tensor(whole, shared_memory=True))
        request.start_async()
        return whole

    @staticmethod
    def _finish(request: Any, whole: NDArray[np.uint8]) -> NDArray[np.float32]:
        request.wait()
        del whole  # was held until here
        return np.array(request.get_output_tensor(0).data[0], np.float32)
