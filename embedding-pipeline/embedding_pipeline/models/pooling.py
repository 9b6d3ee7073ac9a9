"""How the positions of a convolutional network become one vector."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

OWN = ""
"""The network pools as it was made to."""

GEM_POWER = 3.0
RMAC_LEVELS = 3
_SMALLEST = 1e-6
_MAP_DIMENSIONS = 4


class PooledNetwork(torch.nn.Module):
    """A timm network whose last map is pooled another way; nothing else changes.

    - ``gem``: generalized mean over all positions (Radenovic, Tolias and Chum 2018), power 3.
    - ``rmac``: sum of the unit vectors of the maxima in square regions of three scales (R-MAC,
      Tolias, Sicre and Jegou 2016, without its whitening): 1 + 4 + 9 regions that overlap.

    Args:
        network: without classifier; ``forward_features`` gives ``(N, C, H, W)``.
        pooling: ``gem`` or ``rmac``.
    """

    def __init__(self, network: torch.nn.Module, pooling: str) -> None:
        super().__init__()
        self.network = network
        self.pooling = pooling

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """``(N, 3, S, S)`` normalized pixels to ``(N, C)`` vectors."""
        network: Any = self.network
        found: torch.Tensor = network.forward_features(pixels)
        return _rmac(found) if self.pooling == "rmac" else _gem(found)


def pooled(network: torch.nn.Module, pooling: str) -> torch.nn.Module:
    """The network that pools as a description says; OWN leaves it as it is."""
    return PooledNetwork(network, pooling).eval() if pooling != OWN else network


@torch.inference_mode()
def usable_pooling(network: torch.nn.Module, wished: str, input_size: int) -> str:
    """The wished pooling where the network gives a map that it would average, else OWN."""
    features = getattr(network, "forward_features", None)
    if wished == "own" or features is None:
        return OWN
    pixels = torch.zeros(1, 3, input_size, input_size)
    found, vector = features(pixels), network(pixels)
    is_map = isinstance(found, torch.Tensor) and found.ndim == _MAP_DIMENSIONS
    if not is_map or found.shape[1] != vector.shape[-1] or min(found.shape[2:]) <= 1:
        return OWN
    # Only where the network's own vector is the mean over the map, another mean may replace it.
    return wished if torch.allclose(found.mean((2, 3)), vector, atol=1e-4) else OWN


def _gem(found: torch.Tensor) -> torch.Tensor:
    return found.clamp(min=_SMALLEST).pow(GEM_POWER).mean((2, 3)).pow(1.0 / GEM_POWER)


def _rmac(found: torch.Tensor) -> torch.Tensor:
    height, width = int(found.shape[2]), int(found.shape[3])
    total = torch.zeros_like(found[:, :, 0, 0])
    for level in range(1, RMAC_LEVELS + 1):
        side = max(1, 2 * min(height, width) // (level + 1))
        for top in _starts(height, side, level):
            for left in _starts(width, side, level):
                peak = found[:, :, top : top + side, left : left + side].amax((2, 3))
                total = total + peak / peak.norm(dim=1, keepdim=True).clamp(min=_SMALLEST)
    return total


def _starts(length: int, side: int, count: int) -> list[int]:
    """Where ``count`` regions of a side begin, spread evenly over a length."""
    return [int(start) for start in np.linspace(0, length - side, count).round()]
