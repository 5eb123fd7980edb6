"""The pixel space of a training set, measured on it."""

from __future__ import annotations

from dataclasses import replace

import torch

from galgen.data import StampSet
from galgen.errors import DataError
from galgen.pixels.mixing import principal_components
from galgen.pixels.space import SIGMA_DATA, PixelSpace

DISPLAY_SOFTENING = 0.02  # about 5 grey levels: the sky noise of SDSS and Legacy colour JPEGs
_CHUNK = 256  # stamps at a time


def fit_pixels(stamps: StampSet, softening: float = DISPLAY_SOFTENING) -> PixelSpace:
    """Measure the pixel space in which stamps have zero mean and standard deviation 0.5 overall.

    One standard deviation serves all bands. Several bands are mixed into their principal
    components, each divided by the square root of its standard deviation: half-way to making
    them equally wide, which is where the finest detail of SDSS galaxies, about 0.02 in x, is
    equally strong in all of them.

    Parameters
    ----------
    stamps : StampSet
        Training galaxies.
    softening : float
        For display pixels. For flux it is the noise that the stamps name, or measured: the median
        over stamps of the robust scatter of each stamp's border.

    Raises
    ------
    DataError
        If the stamps are empty or constant.
    """
    if len(stamps) == 0:
        raise DataError(f"{stamps.source}: no galaxies to measure pixel statistics on.")
    n_bands = len(stamps.bands)
    sky = float(softening) if stamps.native == "display" else stamps.noise or _sky_sigma(stamps)
    space = PixelSpace(
        native=stamps.native,
        bands=stamps.bands,
        softening=sky,
        mean=(0.0,) * n_bands,
        std=(SIGMA_DATA,) * n_bands,  # so that encode() of this first space returns s
        lupton=stamps.lupton,
        unit=stamps.unit,
        pixel_scale=stamps.pixel_scale,
        psf_fwhm=stamps.psf_fwhm,
    )
    count = 0
    total = torch.zeros(n_bands, dtype=torch.float64)
    products = torch.zeros(n_bands, n_bands, dtype=torch.float64)
    for start in range(0, len(stamps), _CHUNK):
        s_pc = space.encode(stamps.native_float(slice(start, start + _CHUNK))).flatten(0, 2)
        count += len(s_pc)
        s_pc = s_pc.double()
        total += s_pc.sum(dim=0)
        products += s_pc.T @ s_pc
    mean = total / count
    covariance = products / count - torch.outer(mean, mean)
    std = float(covariance.diagonal().mean().clamp(min=0.0).sqrt())
    if not std > 1e-6:
        raise DataError(f"{stamps.source}: all pixels of a band are equal; nothing to learn.")
    mix = principal_components(covariance.numpy() / std**2) if n_bands > 1 else None
    return replace(space, mean=tuple(mean.tolist()), std=(std,) * n_bands, mix=mix)


def _sky_sigma(stamps: StampSet) -> tuple[float, ...]:
    """Per band: median over stamps of 1.4826 MAD of the outer eighth of the stamp.

    Not `astropy.stats.mad_std`: of an even number of values it takes the mean of the two middle
    ones, torch the lower one, and pixel spaces would not be those of earlier checkpoints.
    """
    height, width = stamps.pixels.shape[1:3]
    border = torch.ones(height, width, dtype=torch.bool)
    edge = max(1, min(height, width) // 8)
    border[edge:-edge, edge:-edge] = False
    sigmas = []
    for start in range(0, len(stamps), _CHUNK):
        sky_npb = stamps.native_float(slice(start, start + _CHUNK))[:, border]
        centre = sky_npb.median(dim=1, keepdim=True).values
        sigmas.append(1.4826 * (sky_npb - centre).abs().median(dim=1).values)
    sigma_b = torch.cat(sigmas).median(dim=0).values
    if not bool((sigma_b > 0).all()):
        raise DataError(
            f"{stamps.source}: no sky noise in the stamp borders of some band of {stamps.bands} "
            f"(robust scatter {sigma_b.tolist()} {stamps.unit}). "
            "Add a little noise to simulated stamps, or use larger ones."
        )
    return tuple(sigma_b.tolist())
