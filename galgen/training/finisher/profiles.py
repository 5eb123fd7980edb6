"""Profiles of galaxies in rings about the centre of their stamps, through which gradients pass.

Shape suffixes: n galaxies, h height, b bands, s pixels of a stamp, r rings.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

# Radii in pixels at which rings end: narrow where galaxies change fastest.
EDGES = (1.5, 3, 4.5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 64, 80, 100, 128)
_LEAST = 1e-6  # under roots, whose slope at 0 is infinite


class RingProfiles(nn.Module):
    """Azimuthal means, asymmetry, scatter and bisymmetric amplitude in rings.

    Parameters
    ----------
    side : int
        Of the stamps; the last ring ends at their edge.
    """

    rings_sr: Tensor
    waves_s: Tensor

    def __init__(self, side: int) -> None:
        super().__init__()
        offset = np.arange(side) - (side - 1) / 2
        y, x = np.meshgrid(offset, offset, indexing="ij")
        radius_s, angle_s = np.hypot(y, x).ravel(), np.arctan2(y, x).ravel()
        edges = [0.0, *(edge for edge in EDGES if edge < side / 2), side / 2]
        within = [(radius_s >= a) & (radius_s < b) for a, b in pairwise(edges)]
        rings_sr = torch.from_numpy(np.stack(within, axis=1).astype(np.float32))
        waves_s = np.stack([np.cos(2 * angle_s), np.sin(2 * angle_s)]).astype(np.float32)
        self.register_buffer("rings_sr", rings_sr / rings_sr.sum(0), persistent=False)
        self.register_buffer("waves_s", torch.from_numpy(waves_s), persistent=False)

    def forward(self, x_nhwb: Tensor) -> Tensor:
        """Return profiles of stamps.

        Parameters
        ----------
        x_nhwb : Tensor
            Square stamps (n, side, side, b), band by band.

        Returns
        -------
        Tensor
            (n, (b + 3) r): in each ring the mean of each band; and of the mean over the bands the
            mean absolute difference from itself turned by 180 degrees, the standard deviation, and
            the amplitude of the Fourier component m = 2 along the ring, in which bars and two arms
            show.
        """
        bands_nbs = x_nhwb.movedim(-1, 1).flatten(2)
        light_ns = bands_nbs.mean(1)
        mean_nr = light_ns @ self.rings_sr
        asymmetry_nr = (light_ns - light_ns.flip(1)).abs() @ self.rings_sr
        variance_nr = light_ns.square() @ self.rings_sr - mean_nr.square()
        power_nr = sum(((light_ns * wave_s) @ self.rings_sr).square() for wave_s in self.waves_s)
        return torch.cat(
            [
                (bands_nbs @ self.rings_sr).flatten(1),
                asymmetry_nr,
                variance_nr.clamp(min=_LEAST).sqrt(),
                (power_nr + _LEAST).sqrt(),
            ],
            dim=1,
        )
