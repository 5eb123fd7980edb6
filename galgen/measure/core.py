"""Measure a batch of galaxy stamps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from galgen.errors import InvalidValueError
from galgen.measure import shape
from galgen.measure.columns import measured_columns
from galgen.measure.isolate import Isolated, isolate

ZERO_POINT = 22.5  # of SURFACE_BRIGHTNESS, whatever the flux unit (right for nanomaggies)
MIN_SIDE = 16
CHUNK_CPU = 64  # galaxies at once: what stays in a core's cache
CHUNK = 2048  # on accelerators
# Vectorised loops treat the last few numbers of a tensor apart, with another rounding of sin or
# exp: every chunk is padded to a multiple of this, so that no galaxy is ever among them.
LANES = 32


@torch.no_grad()
def measure(flux_nhwc: Tensor, bands: Sequence[str]) -> dict[str, Tensor]:
    """Measure the galaxy at the centre of each stamp.

    1. Sky: clipped mean of each band's border frame. The detection image is the mean of the bands.
    2. Segment: the pixels above 2 sigma connected to the central peak, without its neighbours
       (:func:`galgen.measure.detect.segment`). Neighbours are replaced by the opposite side of the
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
        The columns of :func:`galgen.measure.measured_columns`, on the device of the input.
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
    return in_chunks(lambda chunk: columns_of(look(chunk), bands), names, flux_nhwc, bands)


def in_chunks(
    measure_chunk: Callable[[Tensor], dict[str, Tensor]],
    names: Sequence[str],
    flux_nhwc: Tensor,
    bands: Sequence[str],
) -> dict[str, Tensor]:
    """Columns (N,) of `names` from a function of some stamps, a multiple of `LANES`, at a time.

    Raises
    ------
    InvalidValueError
        As :func:`measure`.
    """
    allowed = f"(N, H, W, {len(bands)}) with H and W at least {MIN_SIDE}"
    if flux_nhwc.ndim != 4 or flux_nhwc.shape[-1] != len(bands):
        hint = f"The last axis holds the bands {', '.join(bands)}."
        raise InvalidValueError("shape of flux_nhwc", tuple(flux_nhwc.shape), allowed, hint)
    if min(flux_nhwc.shape[1:3]) < MIN_SIDE:
        raise InvalidValueError("shape of flux_nhwc", tuple(flux_nhwc.shape), allowed)
    if not bands or len({b.upper() for b in bands}) < len(bands):
        raise InvalidValueError("bands", tuple(bands), "at least one name, each once")
    if len(flux_nhwc) == 0:
        return {name: flux_nhwc.new_empty(0, dtype=torch.float32) for name in names}
    chunks = flux_nhwc.split(CHUNK_CPU if flux_nhwc.device.type == "cpu" else CHUNK)
    parts = [measure_chunk(_whole_lanes(chunk)) for chunk in chunks]
    return {name: torch.cat([part[name] for part in parts])[: len(flux_nhwc)] for name in names}


def _whole_lanes(flux_nhwc: Tensor) -> Tensor:
    return F.pad(flux_nhwc, (0, 0, 0, 0, 0, 0, 0, -len(flux_nhwc) % LANES))


class Seen(NamedTuple):
    """Galaxies found in stamps.

    Attributes
    ----------
    alone : Isolated
        The galaxies without sky and neighbours.
    image_nhw : Tensor (N, H, W)
        Mean of their bands.
    ellipse : Ellipse
        Their shapes, about the windowed centroid.
    usable_n : Tensor (N,), bool
        A galaxy was detected, and every pixel is finite.
    """

    alone: Isolated
    image_nhw: Tensor
    ellipse: shape.Ellipse
    usable_n: Tensor


def look(flux_nhwc: Tensor) -> Seen:
    """Find the galaxies of stamps (N, H, W, B); N a multiple of `LANES`."""
    flux = flux_nhwc.movedim(-1, 1).to(torch.float32).contiguous()  # (N, B, H, W)
    usable = flux.sum((1, 2, 3)).isfinite()  # NaN or infinite if any pixel is
    alone = isolate(flux.nan_to_num(0, 0, 0))
    image = alone.flux_nbhw.mean(1)
    ellipse = shape.moments(image, alone.galaxy_nhw)
    x, y = shape.windowed_centroid(image, ellipse)
    usable &= alone.galaxy_nhw.flatten(1).any(1)
    return Seen(alone, image, ellipse._replace(x=x, y=y), usable)


def columns_of(seen: Seen, bands: Sequence[str]) -> dict[str, Tensor]:
    """Columns (N,) of :func:`measure` for galaxies that have been found."""
    flux, image, ellipse = seen.alone.flux_nbhw, seen.image_nhw, seen.ellipse
    h, w = image.shape[-2:]
    radius = shape.Radius(ellipse, h, w)
    growth = shape.curve_of_growth(image, radius)
    aperture = shape.aperture_radius(growth)
    total = shape.interpolate(*growth, aperture[:, None] ** 2).squeeze(1)
    r20, r50, r80 = shape.fraction_radii(growth, total, (0.2, 0.5, 0.8))
    usable = seen.usable_n & (total > 0)

    cover, area = radius.coverage(aperture), torch.pi * aperture**2
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
        "SNR": total / (seen.alone.sigma_n * area.sqrt()),
    }
    return {name: column.where(usable, torch.nan) for name, column in columns.items()}
