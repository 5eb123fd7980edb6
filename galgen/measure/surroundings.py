"""What a stamp shows besides the numbers of a catalogue: its sky, its neighbours, its arms.

A generative model is told these so that it neither invents them nor averages over them; a
catalogue, which describes the galaxy alone, has no columns for them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from galgen.measure import detect, shape
from galgen.measure.cutout import Cutouts, in_chunks

SURROUNDINGS = ("sky_noise", "neighbour_light", "arm_strength")
MAX_NEIGHBOUR = 2.0
INNER, OUTER, RINGS = 0.4, 2.0, 8  # radii of the rings for the arms, in rms sizes of the galaxy
CIRCLES, ANGLES = 3, 64  # samples of each ring along its radius, and around it
MIN_PIXELS = 4  # a sample between pixels has the noise of so many
MIN_RING_SNR = 5.0


@torch.no_grad()
def surroundings(flux_nhwc: Tensor, bands: Sequence[str]) -> dict[str, Tensor]:
    """Measure sky noise, neighbours and two-armed structure of stamps.

    Parameters
    ----------
    flux_nhwc : Tensor (N, H, W, B)
        Linear flux per pixel; sky need not be subtracted, H and W at least 16.
    bands : sequence of str
        The B band names, bluest first.

    Returns
    -------
    dict of str to Tensor (N,), float32
        ``sky_noise``: log10 of the noise per pixel of the mean of the bands in the border of the
        stamp, in the flux's unit, and at least 1/1000 of the galaxy's peak.

        ``neighbour_light``: square root of the light that is not the galaxy's, where it rises
        above 2 sigma of the sky, over the galaxy's own; at most 2.

        ``arm_strength``: relative amplitude of the m = 2 Fourier component, a of
        1 + a cos 2 (t - t0), round ellipses of the galaxy's own axis ratio and angle, averaged
        over up to 8 rings from 0.4 to 2 rms sizes; 0 to 1. Bars and two-armed spirals have it, the
        inclination of a smooth disc and the noise, which is subtracted in quadrature, do not.
        Rings that leave the stamp, or that are fainter than 5 sigma, are left out. An edge-on disc
        thinner than two pixels has some, up to 0.3, from its pixels.

        NaN where no galaxy is detected or a pixel is not finite. A galaxy's values do not depend,
        to the bit, on the others in its batch.

    Raises
    ------
    InvalidValueError
        If the shape of `flux_nhwc` does not fit, or a band is named twice.
    """
    return in_chunks(surroundings_of, SURROUNDINGS, flux_nhwc, bands)


def surroundings_of(cutouts: Cutouts) -> dict[str, Tensor]:
    """Return the columns of `surroundings` for galaxies that have been cut out."""
    alone, image = cutouts.alone, cutouts.image_nhw
    own = (image * alone.galaxy_nhw).sum((1, 2))
    # Of the border without the neighbours; where that is all but noiseless, the floor of the other.
    sigma = detect.deviation_sigma(detect.frame_pixels(image).abs())
    peak = (detect.smooth(image) * alone.galaxy_nhw).amax((1, 2))
    sigma = torch.maximum(sigma, detect.FLOOR * peak).clamp_min(detect.TINY)
    excess = alone.image_nhw - image
    bright = detect.smooth(excess) > detect.NSIGMA * sigma[:, None, None]
    others = (excess * bright).sum((1, 2)).clamp_min(0)
    columns = {
        "sky_noise": sigma.log10(),
        "neighbour_light": (others / own).sqrt().clamp_max(MAX_NEIGHBOUR),
        "arm_strength": _two_armed(image, cutouts.ellipse, sigma),
    }
    usable = cutouts.usable_n & (own > 0)
    return {name: column.where(usable, torch.nan) for name, column in columns.items()}


def _two_armed(image_nhw: Tensor, ellipse: shape.Ellipse, sigma_n: Tensor) -> Tensor:
    """Mean relative m = 2 amplitude (N,) in elliptical rings; 0 where there is no ring to measure.

    The image is sampled on ellipses, evenly around each: sums over the pixels of a ring would
    take their uneven places, and the fall of the profile across the ring, for structure.
    """
    h, w = image_nhw.shape[-2:]
    x_nra, y_nra = _ring_samples(ellipse)
    inside = (x_nra >= 0) & (x_nra <= w - 1) & (y_nra >= 0) & (y_nra <= h - 1)
    values = shape.resample(image_nhw[:, None], x_nra, y_nra)[:, 0].unflatten(1, (RINGS, CIRCLES))
    angles = _angles(image_nhw.device)
    mean = values.mean((2, 3))
    cosine = (values * torch.cos(2 * angles)).mean((2, 3))
    sine = (values * torch.sin(2 * angles)).mean((2, 3))

    edges = torch.linspace(INNER, OUTER, RINGS + 1, device=image_nhw.device)
    area = torch.pi * ellipse.size[:, None] ** 2 * (edges[1:] ** 2 - edges[:-1] ** 2)
    noise = sigma_n[:, None] / area.clamp_min(MIN_PIXELS).sqrt()  # of the mean of a ring
    power = (cosine**2 + sine**2 - noise**2).clamp_min(0)
    amplitude = (2 * power.sqrt() / mean.clamp_min(detect.TINY)).clamp_max(1)
    seen = inside.unflatten(1, (RINGS, CIRCLES)).flatten(2).all(2) & (mean > MIN_RING_SNR * noise)
    strength: Tensor = amplitude.where(seen, 0).sum(1) / seen.sum(1).clamp_min(1)
    return strength


def _angles(device: torch.device) -> Tensor:
    """Angles (ANGLES,) of the samples round a ring, in radian."""
    return torch.arange(ANGLES, device=device) * (2 * math.pi / ANGLES)


def _ring_samples(ellipse: shape.Ellipse) -> tuple[Tensor, Tensor]:
    """Pixel positions x, y (N, RINGS * CIRCLES, ANGLES) on ellipses, from the inside out."""
    xc, yc, size, q, angle = (t[:, None, None] for t in ellipse)
    angles = _angles(size.device)
    step = (OUTER - INNER) / (RINGS * CIRCLES)
    radii = INNER + step * (torch.arange(RINGS * CIRCLES, device=size.device) + 0.5)
    r = size * radii[:, None]
    major, minor = r / q.sqrt() * angles.cos(), r * q.sqrt() * angles.sin()
    cos, sin = angle.cos(), angle.sin()
    return xc + major * cos - minor * sin, yc + major * sin + minor * cos
