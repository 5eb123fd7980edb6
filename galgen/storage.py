"""In which form a run's stamps are to be stored, decided before the first galaxy is written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from galgen.batch import RunInfo
from galgen.catalog.form import check_shape, scaling
from galgen.generate import Run

PROBED = 64  # galaxies at least, if there are as many
UP, DOWN = 4.0, 2.0  # times the brightest and the most negative of their pixels
_BELOW = (
    1 / 64
)  # of what is above 0, at least: noise-free stamps may have hardly any negative pixel


def stored_as(run: Run, form: str) -> RunInfo:
    """Provenance of a run whose stamps are stored in a form.

    For 'int16' the first galaxies, 64 or a micro-batch, are made for the range of each band: up to
    four times the brightest of their pixels, and down to twice the most negative, or to a 64th of
    what is above 0 if that is more. Whoever asks gets the same range, as it depends on the run
    only. What is beyond it will be clipped.

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
    ranges = ()
    if form == "int16":
        first = min(info.n, max(info.micro_batch, PROBED))
        lows, highs = zip(
            *(
                (batch.stamps_nbhw.min((0, 2, 3)), batch.stamps_nbhw.max((0, 2, 3)))
                for batch in run.batches([(0, first)])
            ),
            strict=True,
        )
        low_b, high_b = np.minimum(np.min(lows, 0), 0), np.maximum(np.max(highs, 0), 0)
        pairs = zip(low_b.tolist(), high_b.tolist(), strict=True)
        ranges = tuple(
            scaling(min(DOWN * low, -UP * high * _BELOW), UP * high) for low, high in pairs
        )
    return replace(info, stamps=form, scaling=ranges)
