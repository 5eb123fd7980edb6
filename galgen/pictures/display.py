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
    """Return the positions of the bands in a colour image.

    These are all of up to three bands, else three evenly spaced ones, bluest first.
    """
    positions: list[int] = np.linspace(0, n_bands - 1, min(n_bands, 3)).round().astype(int).tolist()
    return positions


def display_stretch(info: RunInfo, sample_nbhw: np.ndarray) -> LuptonStretch:
    """Make the stretch from the flux of a catalogue to display values in [0, 1].

    It is that of the images which the model was trained on, where they were colour images. Linear
    flux has none: it gets an asinh stretch that keeps colours (Lupton et al. 2004), in which a
    typical peak of each band is just white, so a galaxy of typical colour is grey whatever the
    unit.

    Parameters
    ----------
    info : RunInfo
        What the catalogue says of its run.
    sample_nbhw : ndarray (n, b, h, w)
        Flux per pixel of some of its galaxies, to set the levels by where there is no stretch.

    Returns
    -------
    LuptonStretch
        The stretch of the bands `shown`.
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
    """Stretch a catalogue's stamps to display values.

    Parameters
    ----------
    flux_nbhw : ndarray (n, b, h, w)
        Flux per pixel, all bands.
    stretch : LuptonStretch
        What `display_stretch` has made.

    Returns
    -------
    ndarray (n, h, w, bands shown) float32
        In [0, 1], bluest band first.

    Raises
    ------
    CatalogError
        If a pixel is not finite.
    """
    flux_nhwc = flux_nbhw[:, shown(flux_nbhw.shape[1])].transpose(0, 2, 3, 1)
    if not np.isfinite(flux_nhwc).all():
        raise CatalogError("a stamp has pixels that are not finite: 'galgen verify' names it.")
    display_nhwc: np.ndarray = stretch.to_display(
        torch.from_numpy(np.ascontiguousarray(flux_nhwc))
    ).numpy()
    return display_nhwc
