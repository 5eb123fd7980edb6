"""How a run's galaxies are stored, decided before the first of them is written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from galgen.catalog.format.layout import galaxies_per_file
from galgen.catalog.format.stamps import check_shape, scaling
from galgen.generate import Run
from galgen.request.like import Like

PROBED = 64  # galaxies at least, if there are as many
UP, DOWN = 4.0, 2.0  # times the brightest and the most negative of their pixels
_BELOW = 1 / 64  # of what is above 0, at least: few pixels may be negative, by very little


def stored(
    run: Run, stamps: str = "float32", date: str | None = None, max_file_bytes: int | None = None
) -> Run:
    """Decide how the galaxies of a run are stored, which completes its description.

    For 'int16' the first galaxies, 64 or a micro-batch, are made for the range of each band: up to
    four times the brightest of their pixels, and down to twice the most negative, or to a 64th of
    what is above 0 if that is more. Where a table says how bright galaxies are, both grow by as
    much as its brightest is brighter than those. Whoever asks gets the same range, as it depends on
    the run only. What is beyond it will be clipped.

    Parameters
    ----------
    run : Run
        The run, as `galgen.generate.GalaxyModel` returns it.
    stamps : str
        'float32', 'int16' or 'none'.
    date : str, optional
        See `galgen.runinfo.RunInfo`.
    max_file_bytes : int, optional
        Size that no file of the catalogue exceeds; by default there is one file.

    Returns
    -------
    Run
        The same galaxies, with all that a catalogue's header records: give it and its `info` to
        `galgen.write_catalog`.

    Raises
    ------
    InvalidValueError
        If there is no such form, it does not go with the shape of the stamps, or not even one
        galaxy fits into a file.
    NonFiniteOutputError, ImplausibleOutputError
        If the network returns NaN or infinity, or pixels that no galaxy has.
    """
    check_shape(stamps, run.info.height, run.info.width)
    ranges = _scaling(run) if stamps == "int16" else ()
    info = replace(run.info, stamps=stamps, scaling=ranges, date=date)
    if max_file_bytes is not None:
        info = replace(info, per_file=galaxies_per_file(info, max_file_bytes))
    return run.recorded_as(info)


def _scaling(run: Run) -> tuple[tuple[float, float], ...]:
    """Scale and zero of each band."""
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
    """Find the largest flux asked for, by band, of the first galaxies; NaN where there is none."""
    if not isinstance(run.request, Like):  # only a table says how bright galaxies are
        return np.full(len(run.info.bands), np.nan)
    most_b = run.request.brightest(n).astype(np.float64)
    return np.where(most_b > 0, most_b, np.nan)
