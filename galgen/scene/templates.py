"""Galaxies to put into an image: no sky, no neighbours, no edges, and a flux of 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from galgen.measure import detect, measure
from galgen.measure.cutout import cut_out
from galgen_kernels.ops.flood import dilate

GROW = 4  # pixels by which a segment is grown, to keep the galaxy's faint rim
TAPER = 0.75  # fraction of the stamp's inner circle from which light fades out
MIN_RADIUS = 1.0  # pixels; what is smaller is no galaxy
MIN_COLOUR = 0.05  # least flux of a band as a fraction of the mean; redder is noise


class Templates(NamedTuple):
    """Galaxies alone, measured as they are here.

    Attributes
    ----------
    stamp_n : ndarray (N,) int64
        Which of the stamps: those that show a galaxy, with light in every band.
    light_nbhw : Tensor (N, B, H, W), float64
        The sum over each band is 1, and all light lies in the circle that fits into the stamp.
    flux_nb : ndarray (N, B)
        What the sums were, in the stamps' unit.
    faded : ndarray (N,)
        Fraction of a galaxy's light that ends with its stamp: it is faded out, so that no edge of
        the stamp shows.
    x, y : ndarray (N,)
        Centroid: the first moments of the mean of the bands of `light_nbhw`. Unlike any other
        centre it moves with the galaxy when that is resized, turned or blurred. Pixels.
    radius : ndarray (N,)
        Half-light radius, circularised, pixels.
    axis_ratio : ndarray (N,)
        Minor over major axis.
    angle : ndarray (N,)
        Major axis, deg counter-clockwise from +x.
    """

    stamp_n: np.ndarray
    light_nbhw: Tensor
    flux_nb: np.ndarray
    faded: np.ndarray
    x: np.ndarray
    y: np.ndarray
    radius: np.ndarray
    axis_ratio: np.ndarray
    angle: np.ndarray


def make_templates(stamps_nbhw: np.ndarray, bands: Sequence[str]) -> Templates:
    """Free galaxies from all that surrounds them.

    A galaxy's bits do not depend on the others.

    Parameters
    ----------
    stamps_nbhw : ndarray (M, B, H, W), float32
        Flux per pixel, finite.
    bands : sequence of str
        The B band names, bluest first.

    Returns
    -------
    Templates
        Of the N stamps that show a galaxy.
    """
    n, _, h, w = stamps_nbhw.shape
    alone = cut_out(torch.from_numpy(np.ascontiguousarray(stamps_nbhw, np.float32))).alone
    segment = alone.galaxy_nhw
    for _ in range(GROW):
        segment = dilate(segment)
    rim, taper = detect.smooth(detect.smooth(segment.float())), _taper(h, w)
    light = (alone.flux_nbhw * (rim * taper)[:, None])[:n]
    whole = (alone.flux_nbhw * rim[:, None])[:n]

    measured = measure(light.movedim(1, -1), bands)
    flux_nb = light.double().sum((2, 3))
    good = (flux_nb > MIN_COLOUR * flux_nb.mean(1, keepdim=True)).all(1)
    good &= measured["HALF_LIGHT_RADIUS"] >= MIN_RADIUS  # False where nothing was measured
    index = good.nonzero()[:, 0]
    names = "HALF_LIGHT_RADIUS", "AXIS_RATIO", "POSITION_ANGLE"
    shapes = (measured[name][index].double().numpy() for name in names)

    flux_nb, light = flux_nb[index], light[index].double()
    faded = 1 - flux_nb.sum(1) / whole[index].double().sum((1, 2, 3))
    light /= flux_nb[..., None, None]
    mean = light.mean(1)
    x = (mean.sum(1) * torch.arange(w)).sum(1).numpy()
    y = (mean.sum(2) * torch.arange(h)).sum(1).numpy()
    return Templates(index.numpy(), light, flux_nb.numpy(), faded.numpy(), x, y, *shapes)


def _taper(h: int, w: int) -> Tensor:
    """1 in the middle, falling as a cosine to 0 on the circle that fits into the stamp."""
    x = torch.arange(w) - (w - 1) / 2
    y = torch.arange(h) - (h - 1) / 2
    r = torch.hypot(x, y[:, None]) / (min(h, w) / 2)
    return 0.5 + 0.5 * torch.cos(math.pi * ((r - TAPER) / (1 - TAPER)).clamp(0, 1))
