"""Profiles of galaxies in rings and discs about the centre of stamps, through which gradients pass.

Shape suffixes: n galaxies, h/w height and width, b bands, s pixels of a stamp, r rings, d discs.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

# Radii in pixels at which rings end: narrow where galaxies change fastest.
EDGES = (1.5, 3, 4.5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 64, 80, 100, 128)
RADII = (4.0, 7.0, 11.0, 16.0, 24.0)  # of discs, in pixels
MOST_SHIFT = 3  # pixels that a galaxy's centre may be off that of its stamp
_CENTRED = 11  # radius in pixels within which a galaxy's centre is looked for
_FAINT = 1e-4  # least asymmetry, and least light in units of the mean, that logarithms are taken of
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


class DiscProfiles(nn.Module):
    """Light and asymmetry in discs.

    Asymmetry is a galaxy's difference from itself turned by 180 degrees about its own centre, in
    units of its light (Conselice et al. 2000, without what the sky adds).

    Parameters
    ----------
    light_nhw : Tensor
        Real galaxies on square stamps: their sides, and what counts as no light.
    """

    discs_sd: Tensor
    least_d: Tensor

    def __init__(self, light_nhw: Tensor) -> None:
        super().__init__()
        side = light_nhw.shape[-1]
        offset = np.arange(side) - (side - 1) / 2
        radius_s = np.hypot(offset[:, None], offset).ravel()
        radii = [r for r in RADII if r < side / 2] or [side / 2]
        within = np.stack([radius_s < r for r in radii], axis=1).astype(np.float32)
        discs_sd = torch.from_numpy(within).to(light_nhw.device)
        least_d = _FAINT * (light_nhw.flatten(1) @ discs_sd).mean(0)
        self.register_buffer("discs_sd", discs_sd, persistent=False)
        self.register_buffer("least_d", least_d, persistent=False)
        self._centred = sum(r <= _CENTRED for r in radii[1:])
        steps = range(-MOST_SHIFT, MOST_SHIFT + 1)
        self._shifts = [(down, right) for down in steps for right in steps]

    def forward(self, light_nhw: Tensor) -> tuple[Tensor, Tensor]:
        """Measure galaxies.

        Parameters
        ----------
        light_nhw : Tensor
            Square stamps (n, side, side), 0 or more.

        Returns
        -------
        asymmetry_nd, light_nd : Tensor
            Natural logarithms, in each disc.
        """
        light_ns = light_nhw.flatten(1)
        sums_nd = torch.maximum(light_ns @ self.discs_sd, self.least_d)
        difference_ns = (light_ns - self._turned(light_nhw)).abs()
        asymmetry_nd = difference_ns @ self.discs_sd / sums_nd
        return asymmetry_nd.clamp(min=_FAINT).log(), sums_nd.log()

    def _turned(self, light_nhw: Tensor) -> Tensor:
        """Return galaxies (n, s) turned by 180 degrees, shifted to where they differ least."""
        turned_nhw = light_nhw.flip(1, 2)
        with torch.no_grad():
            light_ns, disc_s = light_nhw.flatten(1), self.discs_sd[:, self._centred]
            differences = [
                (light_ns - turned_nhw.roll(shift, (1, 2)).flatten(1)).abs() @ disc_s
                for shift in self._shifts
            ]
            best = torch.stack(differences).argmin(0).tolist()
        shifted = [
            turned_hw.roll(self._shifts[i], (0, 1))
            for turned_hw, i in zip(turned_nhw, best, strict=True)
        ]
        return torch.stack(shifted).flatten(1)
