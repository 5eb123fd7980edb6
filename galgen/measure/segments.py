"""Which pixels of a stamp are the galaxy's, which are its neighbours', and how noisy the sky is."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from galgen.measure import detect


class Segments(NamedTuple):
    """Stamps without their sky, and whose each pixel is.

    Attributes
    ----------
    flux_nbhw : Tensor
        Flux per pixel without the sky, float32.
    image_nhw : Tensor
        Mean of the bands, the detection image.
    smoothed_nhw : Tensor
        The same, smoothed.
    galaxy_nhw, neighbours_nhw : Tensor
        Disjoint segments, bool; that of the galaxy is empty where none is detected.
    """

    flux_nbhw: Tensor
    image_nhw: Tensor
    smoothed_nhw: Tensor
    galaxy_nhw: Tensor
    neighbours_nhw: Tensor


def segment_stamps(flux_nbhw: Tensor) -> Segments:
    """Subtract the sky, and find the central galaxy and its neighbours.

    Parameters
    ----------
    flux_nbhw : Tensor (N, B, H, W), float32
        Finite flux per pixel.
    """
    flux = flux_nbhw - detect.sky_level(detect.frame_pixels(flux_nbhw))[..., None, None]
    image = flux.mean(1)
    smoothed = detect.smooth(image)
    sigma_smoothed = detect.deviation_sigma(detect.frame_pixels(smoothed).abs())
    return Segments(flux, image, smoothed, *detect.segment(smoothed, sigma_smoothed))


class Maps(NamedTuple):
    """Maps of stamps.

    Attributes
    ----------
    galaxy_nhw, neighbours_nhw : Tensor
        Disjoint segments, bool; that of the galaxy is empty where none is detected.
    sigma_nb : Tensor
        Sky noise per pixel of each band; at least 1/1000 of the galaxy's peak.
    """

    galaxy_nhw: Tensor
    neighbours_nhw: Tensor
    sigma_nb: Tensor


@torch.no_grad()
def maps(flux_nbhw: Tensor) -> Maps:
    """Segment stamps as `galgen.measure.measure` does, and measure the noise of each band.

    Parameters
    ----------
    flux_nbhw : Tensor (N, B, H, W), float32
        Finite flux per pixel.
    """
    found = segment_stamps(flux_nbhw)
    peak_nb = (found.flux_nbhw * found.galaxy_nhw[:, None]).amax((2, 3)).clamp_min(0)
    sigma_nb = detect.deviation_sigma(detect.frame_pixels(found.flux_nbhw).abs())
    sigma_nb = torch.maximum(sigma_nb, detect.FLOOR * peak_nb)
    return Maps(found.galaxy_nhw, found.neighbours_nhw, sigma_nb)
