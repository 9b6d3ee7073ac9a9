"""How positions become one vector."""

from __future__ import annotations

import pytest
import torch

from embedding_pipeline.models.pooling import OWN, pooled, usable_pooling


class Maps(torch.nn.Module):
    """Gives its input as its map, and the mean over it as its vector."""

    def forward_features(self, pixels: torch.Tensor) -> torch.Tensor:
        """The map."""
        return pixels

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """The mean over the map, plus what tells it from zero."""
        return pixels.mean((2, 3))


class Tokens(torch.nn.Module):
    """Gives tokens, as transformers do."""

    def forward_features(self, pixels: torch.Tensor) -> torch.Tensor:
        """``(N, positions, C)``."""
        return pixels.flatten(2).transpose(1, 2)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """The first token."""
        return self.forward_features(pixels)[:, 0]


def test_rmac_of_a_constant_map_points_where_the_mean_does() -> None:
    """Every region has the same maximum: 1 + 4 + 9 unit vectors of one direction."""
    pixels = torch.tensor([3.0, 4.0, 0.0]).view(1, 3, 1, 1).expand(2, 3, 7, 7)
    found = pooled(Maps(), "rmac")(pixels)
    assert found.shape == (2, 3)
    assert found[0].tolist() == pytest.approx([14 * 0.6, 14 * 0.8, 0.0], abs=1e-5)


def test_rmac_sees_what_is_at_one_place() -> None:
    """A single bright position is in the regions that cover it, and no mean thins it out."""
    pixels = torch.zeros(1, 3, 7, 7)
    pixels[0, 0] = 1.0
    pixels[0, 1, 3, 3] = 10.0
    centre = pooled(Maps(), "rmac")(pixels)[0]
    assert centre[1] > 0.6 * centre[0]
    mean = Maps()(pixels)[0]
    assert mean[1] < 0.3 * mean[0]


def test_gem_lies_between_mean_and_maximum() -> None:
    """A generalized mean of power 3."""
    pixels = torch.rand(2, 3, 5, 5, generator=torch.Generator().manual_seed(1))
    found = pooled(Maps(), "gem")(pixels)
    assert (found > pixels.mean((2, 3))).all()
    assert (found < pixels.amax((2, 3))).all()
    assert found[0, 0].item() == pytest.approx(
        pixels[0, 0].double().pow(3).mean().item() ** (1 / 3), abs=1e-5
    )


def test_own_pooling_is_the_network_itself() -> None:
    """Nothing is wrapped."""
    network = Maps()
    assert pooled(network, OWN) is network


@pytest.mark.parametrize(
    ("network", "wished", "expected"),
    [
        pytest.param(Maps(), "rmac", "rmac", id="a map"),
        pytest.param(Maps(), "gem", "gem", id="a map, gem"),
        pytest.param(Maps(), "own", OWN, id="own is wished for"),
        pytest.param(Tokens(), "rmac", OWN, id="tokens"),
        pytest.param(torch.nn.Flatten(), "rmac", OWN, id="no features"),
    ],
)
def test_pooling_needs_a_map(network: torch.nn.Module, wished: str, expected: str) -> None:
    """Networks without a map that they average keep their own way."""
    assert usable_pooling(network, wished, 8) == expected
