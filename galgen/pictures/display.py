"""How the flux of a catalogue is shown in colour."""

from __future__ import annotations

import math

import numpy as np
import torch

from galgen.errors import CatalogError
from galgen.pixels.lupton import LuptonStretch, lupton_preset
from galgen.runinfo import RunInfo

GAIN = 30.0  # of the stretch for flux that has none: linear to 1/30 of the peak, asinh above
_TINY = 1e-30


def shown(n_bands: int) -> list[int]:
    """Positions of the bands in a colour image: all up to three, else three evenly spaced."""
    return np.linspace(0, n_bands - 1, min(n_bands, 3)).round().astype(int).tolist()


def display_stretch(info: RunInfo, sample_nbhw: np.ndarray) -> LuptonStretch:
    """Stretch from the flux of a catalogue to display values in [0, 1].

    That of the images which the model was trained on, where they were colour images. Linear flux
    has none: it gets an asinh stretch that keeps colours, in which a typical peak of each band is
    just white, so a galaxy of typical colour is grey whatever the unit.

    Parameters
    ----------
    info : RunInfo
        Of the catalogue.
    sample_nbhw : ndarray (n, B, H, W)
        Flux of some of its galaxies, to set the levels by where there is no stretch.

    Returns
    -------
    LuptonStretch
        Of the bands `shown`.
    """
    if info.lupton is not None:
        return lupton_preset(info.lupton, info.bands).at_pixel_scale(info.pixel_scale)
    bands = shown(len(info.bands))
    peak_b = np.median(sample_nbhw[:, bands].max(axis=(2, 3)), axis=0)
    return LuptonStretch(
        bands=tuple(info.bands[i] for i in bands),
        scales=tuple(1.0 / max(float(peak), _TINY) for peak in peak_b),
        offset=0.0,
        gain=GAIN,
        norm=math.asinh(GAIN),
        keep_colour=True,
        pixel_scale=info.pixel_scale or 1.0,  # it is for these pixels, whatever their scale
    )


def to_display(flux_nbhw: np.ndarray, stretch: LuptonStretch) -> np.ndarray:
    """Display values of a catalogue's stamps.

    Parameters
    ----------
    flux_nbhw : ndarray (n, B, H, W)
        Flux per pixel, all bands.
    stretch : LuptonStretch
        From `display_stretch`.

    Returns
    -------
    ndarray (n, H, W, bands shown) float32
        In [0, 1], bluest band first.

    Raises
    ------
    CatalogError
        If a pixel is not finite.
    """
    flux_nhwb = flux_nbhw[:, shown(flux_nbhw.shape[1])].transpose(0, 2, 3, 1)
    if not np.isfinite(flux_nhwb).all():
        raise CatalogError("a stamp has pixels that are not finite: 'galgen verify' names it.")
    return stretch.to_display(torch.from_numpy(np.ascontiguousarray(flux_nhwb))).numpy()
