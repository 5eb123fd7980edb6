"""What a stamp shows besides the numbers of a catalogue: its sky, its neighbours, its arms.

A generative model is told these so that it neither invents them nor averages over them; a
catalogue, which describes the galaxy alone, has no columns for them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from galgen.measure import detect
from galgen.measure.cutout import Cutouts, in_chunks
from galgen.measure.rings import relative_amplitude, sample_rings

SURROUNDINGS = ("sky_noise", "neighbour_light", "arm_strength")
MAX_NEIGHBOUR = 2.0


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
    sigma = border_noise(cutouts)
    excess = alone.image_nhw - image
    bright = detect.smooth(excess) > detect.NSIGMA * sigma[:, None, None]
    others = (excess * bright).sum((1, 2)).clamp_min(0)
    columns = {
        "sky_noise": sigma.log10(),
        "neighbour_light": (others / own).sqrt().clamp_max(MAX_NEIGHBOUR),
        "arm_strength": relative_amplitude(sample_rings(image, cutouts.ellipse, sigma), 2),
    }
    usable = cutouts.usable_n & (own > 0)
    return {name: column.where(usable, torch.nan) for name, column in columns.items()}


def border_noise(cutouts: Cutouts) -> Tensor:
    """Sky noise (N,) per pixel of the mean of the bands, of the border without the neighbours.

    Where that is all but noiseless, 1/1000 of the galaxy's peak.
    """
    image = cutouts.image_nhw
    sigma = detect.deviation_sigma(detect.frame_pixels(image).abs())
    peak = (detect.smooth(image) * cutouts.alone.galaxy_nhw).amax((1, 2))
    return torch.maximum(sigma, detect.FLOOR * peak).clamp_min(detect.TINY)
