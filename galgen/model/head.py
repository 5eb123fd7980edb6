"""The light head at full resolution, for detail that a stage of coarse cells cannot carry.

Shape suffixes: n galaxies, h/w height and width in cells or pixels, c channels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from galgen.model.config import ModelConfig
from galgen.model.layers import Conv3x3, Linear, depth_to_space


class DetailHead(nn.Module):
    """A correction to the network's output, pixel by pixel.

    A cell of the last stage has fewer channels than pixels, so that noise cannot be told from
    structure within it. Here a few features of each pixel, unpacked from its cell, meet the noisy
    stamp and the output at full resolution in a few small convolutions.

    Parameters
    ----------
    config : ModelConfig
        Its `detail_features` and `detail_width` are above 0.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.patch, features = config.patch, config.detail_features
        self.unpack = Linear(config.widths[0], features * config.patch**2)
        width = config.detail_width
        self.mix = Conv3x3(features + 2 * config.bands, width)
        self.hidden = nn.ModuleList(Conv3x3(width, width) for _ in range(config.detail_layers - 1))
        self.out = Conv3x3(width, config.bands, zero=True)

    def forward(self, cells_nhwc: Tensor, input_nhwc: Tensor, output_nhwc: Tensor) -> Tensor:
        """Correct an output.

        Parameters
        ----------
        cells_nhwc : Tensor
            Activated map of the last stage, (n, height / patch, width / patch, widths[0]).
        input_nhwc, output_nhwc : Tensor
            What the network was given and what it would return, (n, height, width, bands).

        Returns
        -------
        Tensor
            Like `output_nhwc`.
        """
        features = depth_to_space(self.unpack(cells_nhwc), self.patch)
        x = F.silu(self.mix(torch.cat([features, input_nhwc, output_nhwc], dim=-1)))
        for layer in self.hidden:
            x = F.silu(layer(x))
        corrected_nhwc: Tensor = output_nhwc + self.out(x)
        return corrected_nhwc
