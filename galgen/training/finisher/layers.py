"""Layers that critics are made of.

Shape suffixes: n galaxies, c channels, h/w height and width, k numbers of a condition.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAK = 0.2  # slope of activations below zero


class Verdict(nn.Module):
    """A map of logits, shifted by how well the condition fits.

    The shift is the projection of Miyato & Koyama 2018 ("cGANs with projection discriminator"): the
    product of the mean features with an embedding of the condition, which begins at 0.

    Parameters
    ----------
    channels : int
        Of the features.
    code : int
        Length k of the conditions.
    kernel : int
        Side of the convolution that judges.
    """

    def __init__(self, channels: int, code: int, kernel: int) -> None:
        super().__init__()
        self.out = conv(channels, 1, kernel)
        self.embed = nn.Linear(code, channels)
        nn.init.zeros_(self.embed.weight)
        nn.init.zeros_(self.embed.bias)

    def forward(self, features_nchw: Tensor, code_nk: Tensor) -> Tensor:
        """Return logits (n, h, w)."""
        fit_nc = features_nchw.mean((2, 3)) * self.embed(code_nk)
        shift_n = fit_nc.sum(1) * features_nchw.shape[1] ** -0.5
        logits: Tensor = self.out(features_nchw)[:, 0] + shift_n[:, None, None]
        return logits


class Head(nn.Module):
    """Two small convolutions and a verdict.

    Parameters
    ----------
    channels : int
        Of the features.
    code : int
        Length k of the conditions.
    """

    _WIDTH = 96

    def __init__(self, channels: int, code: int) -> None:
        super().__init__()
        self.mix = conv(channels, self._WIDTH, 1)
        self.look = conv(self._WIDTH, self._WIDTH, 3)
        self.verdict = Verdict(self._WIDTH, code, kernel=1)

    def forward(self, features_nchw: Tensor, code_nk: Tensor) -> Tensor:
        """Return logits (n, h, w)."""
        x = F.leaky_relu(self.mix(features_nchw), LEAK)
        logits: Tensor = self.verdict(F.leaky_relu(self.look(x), LEAK), code_nk)
        return logits


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """Make a convolution that keeps the variance of leaky activations (He et al. 2015)."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=(kernel - 1) // 2)
    nn.init.kaiming_normal_(layer.weight, LEAK)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
    return layer
