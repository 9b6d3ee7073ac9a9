"""PyTorch's network: calls that are filled up, and a compiler that is not there."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import pytest
import torch

from embedding_pipeline.errors import ModelError
from embedding_pipeline.models.torch_device import power_of_two
from embedding_pipeline.models.torch_network import TorchNetwork

SIDE = 4


class _Means(torch.nn.Module):
    """Each channel's mean; counts the inputs of every call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """``(N, 3, S, S)`` to ``(N, 3)``."""
        self.calls.append(len(batch))
        return batch.mean(dim=(2, 3))


def _crops(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(1).integers(0, 255, (count, SIDE, SIDE, 3), np.uint8))


@pytest.mark.parametrize(("count", "calls"), [(1, [2]), (5, [8]), (11, [8, 4]), (0, [])])
def test_compiled_calls_come_in_few_sizes(
    count: int, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at least, powers of two; what fills a call up is in no answer."""
    monkeypatch.setattr(torch, "compile", lambda module, **_: module)
    module, crops = _Means(), _crops(count)
    network = TorchNetwork(module, (0.0,) * 3, (1.0,) * 3, chunk=8, threads=1, compiles=True)
    rows = list(network.run(crops))
    assert module.calls == calls
    assert len(rows) == count
    for row, crop in zip(rows, crops, strict=True):
        assert row == pytest.approx(crop.mean(axis=(0, 1)) / 255, abs=1e-5)


def test_a_missing_compiler_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason, what to install and which setting asked for it."""

    def broken(*_: object) -> NoReturn:
        raise RuntimeError("no working C++ compiler found\nand more")

    monkeypatch.setattr(torch, "compile", lambda _module, **_: broken)
    network = TorchNetwork(_Means(), (0.0,) * 3, (1.0,) * 3, threads=1, compiles=True)
    with pytest.raises(ModelError, match=r"compiler found\. It needs .* BOXSEEK_RUNTIME=compiled"):
        network.warm_up(SIDE)


@pytest.mark.parametrize(("count", "size"), [(1, 1), (2, 2), (3, 4), (8, 8), (9, 16), (257, 512)])
def test_powers_of_two(count: int, size: int) -> None:
    """The smallest that is not less."""
    assert power_of_two(count) == size
