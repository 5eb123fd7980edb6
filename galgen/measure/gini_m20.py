"""How the light of a galaxy is spread over its pixels: Gini and M20 (Lotz et al. 2004)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from galgen.measure import detect, shape
from galgen_kernels.ops.flood import flood

SMOOTHING = 0.2  # sigma of the Gaussian, in Petrosian semi-major axes
BRIGHTEST = 0.2  # share of the flux that M20 looks at
MIN_PIXELS = 5


def petrosian_segment(image_nhw: Tensor, ellipse: shape.Ellipse, petrosian_n: Tensor) -> Tensor:
    """Pixels of galaxies as bright as at the Petrosian radius, (N, H, W) bool.

    Lotz et al. 2004, section 3.1: the image is smoothed by a Gaussian of a fifth of the Petrosian
    semi-major axis, and what is connected (over sides and corners) to the middle and brighter
    than the mean of the smoothed image in an annulus at that radius, one pixel wide, is the
    galaxy's. Unlike an isophote it depends neither on the noise nor on how far away the galaxy is.

    Parameters
    ----------
    image_nhw : Tensor (N, H, W)
        Galaxies without sky and neighbours.
    ellipse : Ellipse
        Their shapes.
    petrosian_n : Tensor (N,)
        Circularised Petrosian radius, pixels.

    Returns
    -------
    Tensor (N, H, W), bool
        Empty where it would be fewer than 5 pixels, or the whole stamp.
    """
    root = ellipse.axis_ratio.sqrt()
    smoothed = _smooth(image_nhw, SMOOTHING * petrosian_n / root)
    radius = shape.Radius(ellipse, *image_nhw.shape[-2:])
    half = 0.5 * root  # of a pixel along the major axis, circularised
    edges = torch.stack([petrosian_n - half, petrosian_n + half], 1)
    inner, outer = radius.coverage(edges).unbind(1)
    annulus = outer - inner
    level = (smoothed * annulus).sum((1, 2)) / annulus.sum((1, 2)).clamp_min(detect.TINY)
    height = smoothed / level.clamp_min(detect.TINY)[:, None, None]
    _, seed = detect.central_peak(smoothed)
    segment, _ = flood(height, seed, (1.0, math.inf), 1)  # no neighbour rises above infinity
    pixels = segment.sum((1, 2))
    usable = (pixels >= MIN_PIXELS) & (pixels < image_nhw[0].numel()) & (level > 0)
    return segment & usable[:, None, None]


def _smooth(image_nhw: Tensor, sigma_n: Tensor) -> Tensor:
    """Convolve each image with a Gaussian of its own width; 0 comes in from outside."""
    h, w = image_nhw.shape[-2:]
    return _gaussian(sigma_n, h) @ image_nhw @ _gaussian(sigma_n, w)


def _gaussian(sigma_n: Tensor, side: int) -> Tensor:
    """Matrices (N, side, side) that convolve a row with Gaussians; symmetric."""
    steps = torch.arange(side, device=sigma_n.device)
    distance = (steps[:, None] - steps).abs()
    taps = torch.exp(-0.5 * (steps / sigma_n.clamp_min(1e-3)[:, None]) ** 2)
    taps = taps / (2 * taps.sum(1, keepdim=True) - 1)  # each but the middle one is there twice
    return taps[:, distance]


def gini(image_nhw: Tensor, segment_nhw: Tensor) -> Tensor:
    """Gini coefficient of absolute pixel values (N,), Lotz et al. 2004, eq. 6; NaN of no pixels."""
    flux = (image_nhw.abs() * segment_nhw).flatten(1).sort(1).values
    n = segment_nhw.sum((1, 2))[:, None]
    # zeros from outside the segment come first, and add nothing
    rank = torch.arange(1, flux.shape[1] + 1, device=flux.device) - (flux.shape[1] - n)
    weighted = (flux * (2 * rank - n - 1)).sum(1)
    return weighted / ((n.squeeze(1) - 1) * flux.sum(1))


def m20(image_nhw: Tensor, segment_nhw: Tensor) -> Tensor:
    """Second moment of the brightest fifth of the flux over that of all, log10 (N,).

    Lotz et al. 2004, eq. 7 and 8, about the centroid of the segment. The pixel with which the
    brightest reach a fifth counts among them. NaN where it is not defined.
    """
    flux = image_nhw * segment_nhw
    h, w = flux.shape[-2:]
    x, y = shape.grid(h, w, flux.device)
    total = flux.sum((1, 2), keepdim=True)
    xc, yc = ((flux * t).sum((1, 2), keepdim=True) / total for t in (x, y))
    moment = flux * ((x - xc) ** 2 + (y - yc) ** 2)
    falling = flux.flatten(1).sort(1, descending=True).values
    reached = falling.cumsum(1) >= BRIGHTEST * total[:, 0]
    last = falling.gather(1, reached.to(torch.uint8).argmax(1, keepdim=True))
    brightest = moment * (flux >= last[:, :, None])
    ratio = torch.log10(brightest.sum((1, 2)) / moment.sum((1, 2)))
    # infinite where all of the fifth is one pixel, in the very middle
    return ratio.where(ratio.isfinite(), torch.nan)
