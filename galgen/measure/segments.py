"""Which pixels of a stamp are the galaxy's, which are its neighbours', and how noisy the sky is."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from galgen.measure import detect


class Maps(NamedTuple):
    """Maps of stamps.

    Attributes
    ----------
    galaxy_nhw, neighbours_nhw : Tensor (N, H, W), bool
        Disjoint segments; that of the galaxy is empty where none is detected.
    sigma_nb : Tensor (N, B)
        Sky noise per pixel of each band; at least 1/1000 of the galaxy's peak.
    """

    galaxy_nhw: Tensor
    neighbours_nhw: Tensor
    sigma_nb: Tensor


@torch.no_grad()
def maps(flux_nbhw: Tensor) -> Maps:
    """Segment stamps as :func:`galgen.measure.measure` does, and measure the noise of each band.

    Parameters
    ----------
    flux_nbhw : Tensor (N, B, H, W), float32
        Finite flux per pixel.
    """
    n = len(flux_nbhw)
    flux = F.pad(flux_nbhw, (0, 0, 0, 0, 0, 0, 0, -n % detect.PACK))
    flux = flux - detect.sky_level(detect.frame_pixels(flux))[..., None, None]
    smoothed = detect.smooth(flux.mean(1))
    noise = detect.deviation_sigma(detect.frame_pixels(smoothed).abs())
    galaxy, neighbours = detect.segment(smoothed, noise)
    peak_nb = (flux * galaxy[:, None]).amax((2, 3)).clamp_min(0)
    sigma_nb = detect.deviation_sigma(detect.frame_pixels(flux).abs())
    sigma_nb = torch.maximum(sigma_nb, detect.FLOOR * peak_nb)
    return Maps(galaxy[:n], neighbours[:n], sigma_nb[:n])
