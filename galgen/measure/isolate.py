"""The galaxy at the centre of a stamp without what is around it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from galgen.measure import detect, shape
from galgen.measure.segments import segment_stamps
from galgen_kernels.ops.flood import dilate


class Isolated(NamedTuple):
    """Galaxies without sky and neighbours.

    Attributes
    ----------
    flux_nbhw : Tensor
        Flux per pixel, float32.
    galaxy_nhw : Tensor
        Segment of the galaxy, bool; empty where none is detected.
    sigma_n : Tensor
        Sky noise per pixel of the mean of the bands, at least 1/1000 of the galaxy's peak.
    image_nhw : Tensor
        Mean of the bands without the sky, but with the neighbours, float32.
    """

    flux_nbhw: Tensor
    galaxy_nhw: Tensor
    sigma_n: Tensor
    image_nhw: Tensor


def isolate(flux_nbhw: Tensor) -> Isolated:
    """Subtract the sky, find the central galaxy and replace its neighbours by its other side.

    Parameters
    ----------
    flux_nbhw : Tensor (N, B, H, W), float32
        Finite flux per pixel.
    """
    flux, image, smoothed, galaxy, neighbours = segment_stamps(flux_nbhw)
    sigma = detect.deviation_sigma(detect.frame_pixels(image).abs())
    sigma = torch.maximum(sigma, detect.FLOOR * (smoothed * galaxy).amax((1, 2)))
    return Isolated(*_remove_neighbours(flux, galaxy, neighbours), sigma, image)


def _remove_neighbours(
    flux_nbhw: Tensor, galaxy_nhw: Tensor, neighbours_nhw: Tensor
) -> tuple[Tensor, Tensor]:
    """Replace neighbours by the opposite side of the galaxy, and complete its segment likewise.

    Where the opposite side is a neighbour too, or outside the stamp, it becomes sky (0).
    """
    centre = shape.moments(flux_nbhw.mean(1), galaxy_nhw)
    hole = dilate(neighbours_nhw) & ~galaxy_nhw  # with the faint rim of each neighbour
    keep = (~hole)[:, None].float()
    planes = torch.cat([flux_nbhw * keep, keep, galaxy_nhw[:, None].float()], 1)
    turned = shape.turn(planes, centre.x, centre.y)
    opposite, weight, opposite_galaxy = turned[:, :-2], turned[:, -2:-1], turned[:, -1]
    filled = flux_nbhw * keep + opposite / weight.clamp_min(0.5) * (1 - keep)
    return filled, galaxy_nhw | (hole & (opposite_galaxy > 0.5))
