"""Light around elliptical rings, and its Fourier modes in angle: arms, bars, lopsidedness."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from galgen.measure import detect, shape

INNER, OUTER, RINGS = 0.4, 2.0, 8  # radii of the rings, in rms sizes of the galaxy
CIRCLES, ANGLES = 3, 64  # samples of each ring along its radius, and around it
MIN_PIXELS = 4  # a sample between pixels has the noise of so many
MIN_RING_SNR = 5.0


class Rings(NamedTuple):
    """Samples of galaxies on ellipses of their own axis ratio and angle.

    Attributes
    ----------
    values_nrca : Tensor (N, RINGS, CIRCLES, ANGLES)
        Flux per pixel, from the inside out, evenly around each ellipse.
    mean_nr : Tensor (N, RINGS)
        Mean of each ring.
    noise_nr : Tensor (N, RINGS)
        Sky noise of it.
    seen_nr : Tensor (N, RINGS)
        Whether the ring is within the stamp and brighter than 5 sigma, bool.
    """

    values_nrca: Tensor
    mean_nr: Tensor
    noise_nr: Tensor
    seen_nr: Tensor


def sample_rings(image_nhw: Tensor, ellipse: shape.Ellipse, sigma_n: Tensor) -> Rings:
    """Sample images on rings from 0.4 to 2 rms sizes.

    The image is sampled on ellipses, evenly around each: sums over the pixels of a ring would
    take their uneven places, and the fall of the profile across the ring, for structure.

    Parameters
    ----------
    image_nhw : Tensor (N, H, W)
        Galaxies without sky and neighbours.
    ellipse : Ellipse
        Their shapes.
    sigma_n : Tensor (N,)
        Sky noise per pixel.
    """
    h, w = image_nhw.shape[-2:]
    x_nra, y_nra = _positions(ellipse)
    inside = (x_nra >= 0) & (x_nra <= w - 1) & (y_nra >= 0) & (y_nra <= h - 1)
    values = shape.resample(image_nhw[:, None], x_nra, y_nra)[:, 0].unflatten(1, (RINGS, CIRCLES))
    mean = values.mean((2, 3))
    edges = torch.linspace(INNER, OUTER, RINGS + 1, device=image_nhw.device)
    area = torch.pi * ellipse.size[:, None] ** 2 * (edges[1:] ** 2 - edges[:-1] ** 2)
    noise = sigma_n[:, None] / area.clamp_min(MIN_PIXELS).sqrt()
    within = inside.unflatten(1, (RINGS, CIRCLES)).flatten(2).all(2)
    return Rings(values, mean, noise, within & (mean > MIN_RING_SNR * noise))


def relative_amplitude(rings: Rings, m: int) -> Tensor:
    """Mean over the rings of a in 1 + a cos m (t - t0) (N,), 0 to 1; 0 where no ring is seen.

    The power of the noise is subtracted from each ring's.
    """
    angles = angles_of_samples(rings.mean_nr.device)
    cosine = (rings.values_nrca * torch.cos(m * angles)).mean((2, 3))
    sine = (rings.values_nrca * torch.sin(m * angles)).mean((2, 3))
    power = (cosine**2 + sine**2 - rings.noise_nr**2).clamp_min(0)
    amplitude = (2 * power.sqrt() / rings.mean_nr.clamp_min(detect.TINY)).clamp_max(1)
    strength: Tensor = amplitude.where(rings.seen_nr, 0).sum(1) / rings.seen_nr.sum(1).clamp_min(1)
    return strength


def angles_of_samples(device: torch.device) -> Tensor:
    """Angles (ANGLES,) of the samples round a ring, in radian."""
    return torch.arange(ANGLES, device=device) * (2 * math.pi / ANGLES)


def circle_radii(device: torch.device) -> Tensor:
    """Radii (RINGS * CIRCLES,) of the ellipses that are sampled, in rms sizes."""
    step = (OUTER - INNER) / (RINGS * CIRCLES)
    return INNER + step * (torch.arange(RINGS * CIRCLES, device=device) + 0.5)


def _positions(ellipse: shape.Ellipse) -> tuple[Tensor, Tensor]:
    """Pixel positions x, y (N, RINGS * CIRCLES, ANGLES) on ellipses, from the inside out."""
    xc, yc, size, q, angle = (t[:, None, None] for t in ellipse)
    angles = angles_of_samples(size.device)
    r = size * circle_radii(size.device)[:, None]
    major, minor = r / q.sqrt() * angles.cos(), r * q.sqrt() * angles.sin()
    cos, sin = angle.cos(), angle.sin()
    return xc + major * cos - minor * sin, yc + major * sin + minor * cos
