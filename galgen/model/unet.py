"""The enhanced U-Net of GalCatDiff: conv stem, two down- and two up-sampling stages, skips.

Shape suffixes: n galaxies, h/w map height and width, c channels, e embedding.
"""

from __future__ import annotations

import copy
from typing import Self

import torch
from torch import Tensor, nn

from galgen.categories import DEFAULT, Taxonomy
from galgen.model.block import AstroRAB
from galgen.model.config import ModelConfig
from galgen.model.embedding import Condition, ConditionEmbedding
from galgen.model.head import DetailHead
from galgen.model.layers import (
    Conv3x3,
    GroupNormSiLU,
    Linear,
    centre_coordinates,
    depth_to_space,
    space_to_depth,
)


class Stage(nn.ModuleList):
    """Astro-RABs at one resolution.

    Parameters
    ----------
    channels : int
        Channels of the map.
    config : ModelConfig
        How many blocks, and what is in them.
    coarsest : bool
        Whether it is the middle of the network.
    """

    def __init__(self, channels: int, config: ModelConfig, *, coarsest: bool = False) -> None:
        super().__init__(
            AstroRAB(channels, config, coarsest=coarsest) for _ in range(config.blocks)
        )

    def forward(self, x_nhwc: Tensor, embedding_ne: Tensor) -> Tensor:
        """Apply the blocks to a map one after the other, each given the embedding."""
        for block in self:
            x_nhwc = block(x_nhwc, embedding_ne)
        return x_nhwc


class UNet(nn.Module):
    """Network F(x; noise level, condition) between stamps (n, h, w, bands) of the same shape.

    Parameters
    ----------
    config : ModelConfig
        Shape of the network.
    tree : Taxonomy
        The categories it can be asked for.
    """

    def __init__(self, config: ModelConfig, tree: Taxonomy = DEFAULT) -> None:
        super().__init__()
        self.config = config
        c0, c1, c2 = config.widths
        cell = config.bands * config.patch**2
        self.embedding = ConditionEmbedding(config, tree)
        self.stem = Conv3x3(cell + 3, c0)
        self.down = nn.ModuleList([Stage(c0, config), Stage(c1, config)])
        self.reduce = nn.ModuleList([Linear(4 * c0, c1), Linear(4 * c1, c2)])
        self.middle = Stage(c2, config, coarsest=True)
        self.expand = nn.ModuleList([Linear(c2, 4 * c1), Linear(c1, 4 * c0)])
        self.merge = nn.ModuleList([Linear(2 * c1, c1), Linear(2 * c0, c0)])
        self.up = nn.ModuleList([Stage(c1, config), Stage(c0, config)])
        self.norm_out = GroupNormSiLU(c0, config.group_size)
        self.head = Conv3x3(c0, cell, zero=True)
        self.detail = DetailHead(config) if config.detail_width else None

    def cast(self, dtype: torch.dtype) -> Self:
        """Return a copy whose maps and weights are of `dtype`, for inference.

        The embedding stays in float32: it is small, and its phases need the precision.
        """
        net = copy.deepcopy(self).requires_grad_(False)
        for name, part in net.named_children():
            if name != "embedding":
                part.to(dtype)
        return net

    def forward(self, x_nhwc: Tensor, noise_level_n: Tensor, condition: Condition) -> Tensor:
        """Evaluate the network.

        Parameters
        ----------
        x_nhwc : Tensor
            Noisy stamps (n, h, w, bands), already scaled by the preconditioning.
        noise_level_n : Tensor
            Noise level (n,) as the preconditioning presents it.
        condition : Condition
            What is asked of each galaxy.

        Returns
        -------
        Tensor
            (n, h, w, bands), float32.

        Raises
        ------
        InvalidValueError
            If the stamps' sides do not divide into windows; see `ModelConfig.check_size`.
        """
        n, height, width, _ = x_nhwc.shape
        self.config.check_size(height, width)
        dtype = self.stem.weight.dtype
        embedding_ne = self.embedding(noise_level_n, condition).to(dtype)
        x_nhwc = x_nhwc.to(dtype)
        cells = space_to_depth(x_nhwc, self.config.patch)
        where = centre_coordinates(cells.shape[1], cells.shape[2], x_nhwc.device)
        x = self.stem(torch.cat([cells, where.to(cells.dtype).expand(n, -1, -1, -1)], dim=-1))
        skips = []
        for stage, reduce in zip(self.down, self.reduce, strict=True):
            x = stage(x, embedding_ne)
            skips.append(x)
            x = reduce(space_to_depth(x, 2))
        x = self.middle(x, embedding_ne)
        for expand, merge, stage in zip(self.expand, self.merge, self.up, strict=True):
            x = merge(torch.cat([depth_to_space(expand(x), 2), skips.pop()], dim=-1))
            x = stage(x, embedding_ne)
        x = self.norm_out(x)
        output_nhwc = depth_to_space(self.head(x), self.config.patch)
        if self.detail is not None:
            output_nhwc = self.detail(x, x_nhwc, output_nhwc)
        return output_nhwc.float()
