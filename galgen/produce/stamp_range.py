"""In which form a run's stamps are to be stored, decided before the first galaxy is written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from galgen.catalog.format.stamps import check_shape, scaling
from galgen.generate import Run
from galgen.runinfo import RunInfo

PROBED = 64  # galaxies at least, if there are as many
UP, DOWN = 4.0, 2.0  # times the brightest and the most negative of their pixels
_BELOW = 1 / 64  # of what is above 0, at least: few pixels may be negative, by very little
_CHUNK = 1 << 16  # rows of a table


def stored_as(run: Run, form: str) -> RunInfo:
    """Provenance of a run whose stamps are stored in a form.

    For 'int16' the first galaxies, 64 or a micro-batch, are made for the range of each band: up to
    four times the brightest of their pixels, and down to twice the most negative, or to a 64th of
    what is above 0 if that is more. Where a table says how bright galaxies are, both grow by as
    much as its brightest is brighter than those. Whoever asks gets the same range, as it depends on
    the run only. What is beyond it will be clipped.

    Parameters
    ----------
    run : Run
    form : str
        'float32', 'int16' or 'none'.

    Returns
    -------
    RunInfo
        To give to `galgen.write_catalog` with the run.

    Raises
    ------
    InvalidValueError
        If there is no such form, or it does not go with the shape of the stamps.
    NonFiniteOutputError
        If the network returns NaN or infinity.
    """
    info = run.info
    check_shape(form, info.height, info.width)
    return replace(info, stamps=form, scaling=_scaling(run) if form == "int16" else ())


def _scaling(run: Run) -> tuple[tuple[float, float], ...]:
    probed = min(run.info.n, max(run.info.micro_batch, PROBED))
    low_b = high_b = np.zeros(len(run.info.bands))
    for batch in run.batches([(0, probed)]):
        low_b = np.minimum(low_b, batch.stamps_nbhw.min((0, 2, 3)))
        high_b = np.maximum(high_b, batch.stamps_nbhw.max((0, 2, 3)))
    brighter_b = _brightest(run, run.info.n) / _brightest(run, probed)
    # Bands for which nothing is asked follow their neighbours, see `galgen.generate.flux.scale_to`.
    brighter_b[np.isnan(brighter_b)] = np.nanmax(brighter_b, initial=1)
    low_b, high_b = low_b * DOWN * brighter_b, high_b * UP * brighter_b
    low_b = np.minimum(low_b, -high_b * _BELOW)
    return tuple(scaling(*ends) for ends in zip(low_b.tolist(), high_b.tolist(), strict=True))


def _brightest(run: Run, n: int) -> np.ndarray:
    """Largest flux asked for, by band, of the first galaxies; NaN where there is none."""
    most_b = np.full(len(run.info.bands), np.nan)
    for start in range(0, n, _CHUNK):
        flux_nb = run.request.flux(torch.arange(start, min(start + _CHUNK, n)))
        if flux_nb is None:
            break
        most_b = np.fmax(most_b, np.fmax.reduce(flux_nb.numpy()))
    return np.where(most_b > 0, most_b, np.nan)
