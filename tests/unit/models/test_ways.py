"""Which ways a model can be computed, and how one is chosen by measuring."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from embedding_pipeline.errors import ModelError
from embedding_pipeline.models.machine import Machine
from embedding_pipeline.models.network import PLAIN, Way
from embedding_pipeline.models.ways import candidates, fastest, measured

OLD = Machine("old", 2, ("avx2",), 8 << 30)
BF16 = Machine("new", 2, ("avx2", "avx512_bf16"), 8 << 30)
GPU = Machine("host", 16, ("avx512_bf16",), 8 << 30, gpu="some GPU", gpu_bf16=True)
OLD_GPU = Machine("host", 16, (), 8 << 30, gpu="old GPU")
OPENVINO = Way("openvino", "fp32")
INPUTS = [np.zeros((4, 4, 3), np.uint8)] * 3


@pytest.mark.parametrize(
    ("machine", "runtime", "precision", "expected"),
    [
        pytest.param(OLD, "auto", "auto", [PLAIN, OPENVINO], id="old-processor"),
        pytest.param(
            BF16,
            "auto",
            "auto",
            [PLAIN, Way("native", "bf16"), OPENVINO, Way("openvino", "bf16")],
            id="bf16-processor",
        ),
        pytest.param(GPU, "auto", "auto", [PLAIN, Way("native", "bf16")], id="gpu"),
        pytest.param(OLD_GPU, "auto", "auto", [PLAIN], id="gpu-without-bf16"),
        pytest.param(GPU, "openvino", "fp32", [OPENVINO], id="gpu-but-openvino-wished"),
        pytest.param(OLD, "native", "auto", [PLAIN], id="native"),
        pytest.param(OLD, "openvino", "auto", [OPENVINO], id="openvino"),
        pytest.param(OLD, "compiled", "auto", [Way("compiled", "fp32")], id="compiled"),
        pytest.param(GPU, "compiled", "bf16", [Way("compiled", "bf16")], id="compiled-bf16"),
        pytest.param(
            OLD, "auto", "bf16", [Way("native", "bf16"), Way("openvino", "bf16")], id="bf16-wished"
        ),
        pytest.param(OLD, "auto", "int8", [PLAIN, OPENVINO], id="int8-begins-with-fp32"),
    ],
)
def test_candidates(machine: Machine, runtime: str, precision: str, expected: list[Way]) -> None:
    """What cannot hurt is measured; what is wished for is taken even where it is slow."""
    assert list(candidates(machine, runtime, precision)) == expected  # type: ignore[arg-type]


def test_onnx_files_have_no_bfloat16_on_their_own_runtime() -> None:
    """ONNX Runtime is left out, OpenVINO stays."""
    found = candidates(BF16, "auto", "auto", torch_file=False)
    assert found == (PLAIN, OPENVINO, Way("openvino", "bf16"))


def test_a_network_with_a_fixed_input_stays_native() -> None:
    """OpenVINO is no candidate, and wishing for it is refused with the settings' names."""
    assert candidates(OLD, "auto", "auto", any_runtime=False) == (PLAIN,)
    with pytest.raises(ModelError, match="BOXSEEK_RUNTIME=openvino"):
        candidates(OLD, "openvino", "fp32", any_runtime=False)


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        pytest.param({PLAIN: 10.0}, PLAIN, id="one"),
        pytest.param({PLAIN: 10.0, OPENVINO: 10.9}, PLAIN, id="within-noise"),
        pytest.param({PLAIN: 10.0, OPENVINO: 11.0}, OPENVINO, id="worth-it"),
        pytest.param(
            {PLAIN: 10.0, OPENVINO: 20.0, Way("openvino", "bf16"): 21.0}, OPENVINO, id="second"
        ),
        pytest.param({PLAIN: 20.0, OPENVINO: 10.0}, PLAIN, id="slower"),
    ],
)
def test_the_fastest_must_be_worth_it(rates: dict[Way, float], expected: Way) -> None:
    """A tenth more speed is asked for each step away from plain fp32."""
    assert fastest(rates) == expected


class _Clock:
    """Time that moves only when a network runs."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class _Network:
    """Takes this long for an input; the first call takes ten times as long."""

    def __init__(self, clock: _Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self.calls = 0

    def run(self, pixels: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        self.calls += 1
        for _ in pixels:
            self._clock.now += self._seconds * (10 if self.calls == 1 else 1)
            yield np.zeros(1, np.float32)


def test_rates_are_medians_without_the_first_round() -> None:
    """Warming up is not counted, and every way runs in every round."""
    clock = _Clock()
    networks = {PLAIN: _Network(clock, 0.02), OPENVINO: _Network(clock, 0.01)}
    rates = measured(networks, INPUTS, rounds=4, budget_s=100.0, clock=clock)
    assert rates == pytest.approx({PLAIN: 50.0, OPENVINO: 100.0})
    assert [network.calls for network in networks.values()] == [5, 5]


def test_a_slow_network_is_measured_once() -> None:
    """When the budget is spent no further round begins, but one is counted."""
    clock = _Clock()
    slow = _Network(clock, 3.0)
    assert measured({PLAIN: slow}, INPUTS, rounds=9, budget_s=5.0, clock=clock) == pytest.approx(
        {PLAIN: 1 / 3}
    )
    assert slow.calls == 2
    assert measured({}, INPUTS, clock=clock) == {}
