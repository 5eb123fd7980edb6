"""Measure a batch of galaxy stamps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from galgen.measure import shape
from galgen.measure.columns import measured_columns
from galgen.measure.cutout import Cutouts, in_chunks

ZERO_POINT = 22.5  # of SURFACE_BRIGHTNESS, whatever the flux unit (right for nanomaggies)


@torch.no_grad()
def measure(flux_nhwc: Tensor, bands: Sequence[str]) -> dict[str, Tensor]:
    """Measure the galaxy at the centre of each stamp.

    1. Sky: clipped mean of each band's border frame. The detection image is the mean of the bands.
    2. Segment: the pixels above 2 sigma connected to the central peak, without its neighbours
       (`galgen.measure.detect.segment`). Neighbours are replaced by the opposite side of the
       galaxy.
    3. Shape: flux-weighted second moments in the segment; windowed centroid.
    4. Aperture: the ellipse of 1.5 Petrosian radii, common to all bands; radii, concentration and
       surface brightness from the curve of growth of the detection image in ellipses.

    Parameters
    ----------
    flux_nhwc : Tensor (N, H, W, B)
        Linear flux per pixel; sky need not be subtracted, H and W at least 16.
    bands : sequence of str
        The B band names, bluest first.

    Returns
    -------
    dict of str to Tensor (N,), float32
        The columns of `galgen.measure.measured_columns`, on the device of the input.
        Position angles turn from +x to +y, counter-clockwise with y up. ``SURFACE_BRIGHTNESS`` is
        22.5 - 2.5 log10(0.5 F / (pi r50^2)) with F the flux of the detection image. ``SNR`` is a
        lower limit where the sky noise is less than 1/1000 of the peak. Every column is NaN where
        no galaxy is detected or a pixel is not finite; a colour also where a flux is not positive.

    Raises
    ------
    InvalidValueError
        If the shape of ``flux_nhwc`` does not fit, or a band is named twice.

    Notes
    -----
    Not corrected for the PSF. A galaxy's values do not depend, to the bit, on the size
    of the batch or the others in it. Where sky noise was cut at zero, a galaxy with SNR below 100
    or so sits on what is left of the noise: its aperture, flux and radii come out too large.
    """
    names = [column.name for column in measured_columns(bands)]
    return in_chunks(lambda cutouts: columns_of(cutouts, bands), names, flux_nhwc, bands)


def columns_of(cutouts: Cutouts, bands: Sequence[str]) -> dict[str, Tensor]:
    """Return the columns (N,) of `measure` for galaxies that have been cut out."""
    flux, image, ellipse = cutouts.alone.flux_nbhw, cutouts.image_nhw, cutouts.ellipse
    h, w = image.shape[-2:]
    radius = shape.Radius(ellipse, h, w)
    growth = shape.curve_of_growth(image, radius)
    aperture = shape.aperture_radius(growth)
    total = shape.interpolate(*growth, aperture[:, None] ** 2).squeeze(1)
    r20, r50, r80 = shape.fraction_radii(growth, total, (0.2, 0.5, 0.8))
    usable = cutouts.usable_n & (total > 0)

    cover, area = radius.coverage(aperture[:, None])[:, 0], torch.pi * aperture**2
    mean = (flux * cover[:, None]).sum((2, 3)) / cover.sum((1, 2))[:, None]
    fluxes = dict(zip(bands, (area[:, None] * mean).unbind(1), strict=True))
    half_light_brightness = 0.5 * total / (torch.pi * r50**2)
    columns = {f"FLUX_{b.upper()}": f for b, f in fluxes.items()}
    for b1, b2 in pairwise(bands):
        colour = -2.5 * (fluxes[b1].log10() - fluxes[b2].log10())
        # log10(0) is infinite, that of a negative flux NaN already
        columns[f"COLOR_{b1.upper()}_{b2.upper()}"] = colour.where(colour.isfinite(), torch.nan)
    columns |= {
        "HALF_LIGHT_RADIUS": r50,
        "AXIS_RATIO": ellipse.axis_ratio,
        "POSITION_ANGLE": ellipse.angle.rad2deg().remainder(180),
        "X_CENTROID": ellipse.x,
        "Y_CENTROID": ellipse.y,
        "CONCENTRATION": 5 * torch.log10(r80 / r20),
        "ASYMMETRY": shape.asymmetry(image, cover, ellipse),
        "SURFACE_BRIGHTNESS": ZERO_POINT - 2.5 * half_light_brightness.log10(),
        "SNR": total / (cutouts.alone.sigma_n * area.sqrt()),
    }
    return {name: column.where(usable, torch.nan) for name, column in columns.items()}
