"""One galaxy per stamp: without sky, neighbours, or the edges of a box."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from galgen.measure import shape
from galgen.measure.cutout import cut_out

_LANES = 8  # a vector of a CPU: fewer than `cut_out` has by default, as stamps come one by one
# Light fades out between the aperture of the catalogue's fluxes, 1.5 Petrosian radii, and 2 of
# them, and over the last pixels of the stamp: what is further out is noise of a square shape.
_OUTER = 2 / shape.APERTURE
_EDGE = 4


@dataclass(frozen=True)
class CleanStamp:
    """One galaxy on a background of zero.

    Attributes
    ----------
    flux_bhw : ndarray (B, H, W) float32
        Flux per pixel, zero around the galaxy.
    x, y : float
        Centroid (pix); 0 is the centre of the first pixel.
    axis_ratio, angle : float
        Ellipse of its second moments; angle in radian, from +x to +y.
    """

    flux_bhw: np.ndarray
    x: float
    y: float
    axis_ratio: float
    angle: float


@torch.no_grad()
def clean(flux_nbhw: np.ndarray) -> list[CleanStamp | None]:
    """Take galaxies out of their stamps.

    Sky is subtracted and neighbours are replaced as in `galgen.measure`.

    Parameters
    ----------
    flux_nbhw : ndarray (N, B, H, W)
        Flux per pixel.

    Returns
    -------
    list of CleanStamp or None
        Of each stamp; None where the galaxy cannot be seen in every band.
    """
    n, _, h, w = flux_nbhw.shape
    stamps = torch.from_numpy(np.ascontiguousarray(flux_nbhw, np.float32))
    cutouts = cut_out(stamps, _LANES)
    ellipse = cutouts.ellipse
    radius = shape.Radius(ellipse, h, w)
    aperture = shape.aperture_radius(shape.curve_of_growth(cutouts.image_nhw, radius))
    beyond = (radius.r / aperture[:, None, None] - 1) / (_OUTER - 1)
    flux = cutouts.alone.flux_nbhw * (_fade(beyond) * _border(h, w))[:, None]
    seen_n = cutouts.usable_n & (flux.sum((2, 3)) > 0).all(1)
    columns = torch.stack([ellipse.x, ellipse.y, ellipse.axis_ratio, ellipse.angle], 1).tolist()
    return [CleanStamp(flux[i].numpy(), *columns[i]) if seen_n[i] else None for i in range(n)]


def _fade(t: Tensor) -> Tensor:
    """From 1 at t = 0 to 0 at t = 1, half a period of a cosine."""
    return 0.5 + 0.5 * torch.cos(math.pi * t.clamp(0, 1))


def _border(h: int, w: int) -> Tensor:
    """Window (H, W), 1 but for the last pixels."""
    rows, columns = (
        1 - _fade((torch.minimum(i, n - 1 - i) + 0.5) / _EDGE)
        for n, i in ((n, torch.arange(n)) for n in (h, w))
    )
    return rows[:, None] * columns
