"""Rows of a table that no galaxy can be made of, or none as bright as they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from galgen.errors import DataError
from galgen.request.labels import MISSING
from galgen.request.survey import Given

OF_NO_GALAXY = "that no galaxy has (magnitude above 50 or below -10)"
_LEAST, _MOST = 1e-20, 1e30  # flux in the unit to be written; float32 measures no other


def check_categories(path: Path, start: int, given: Given) -> None:
    """Refuse rows without a category, where nothing else gives them one.

    Parameters
    ----------
    path : Path
        The table, for the message.
    start : int
        The first of the rows.
    given : Given
        What they say.

    Raises
    ------
    DataError
        Names the row.
    """
    if (given.code_n == MISSING).any():
        row = start + int((given.code_n == MISSING).argmax())
        raise DataError(
            f"{path}: row {row} has no category. Give those that have none a category or a mixture "
            "(`category`), or name the column (`renamed={'category': COLUMN}`)."
        )


def check_fluxes(
    path: Path,
    start: int,
    given: Given,
    written_nb: np.ndarray | None,
    *,
    strict: bool,
    dark: bool,
) -> None:
    """Refuse rows whose flux cannot be written, or that lack one that the scale depends on.

    Parameters
    ----------
    path, start, given
        See `check_categories`.
    written_nb : ndarray (n, b) or None
        Flux in the unit to be written.
    strict : bool
        Refuse fluxes that no galaxy has, which else count as missing.
    dark : bool
        Whether rows may be without a flux.

    Raises
    ------
    DataError
        Names the row.
    """
    if strict and given.absurd_nb.any():
        row = start + int(given.absurd_nb.any(1).argmax())
        raise DataError(
            f"{path}: row {row} has a flux {OF_NO_GALAXY}. Is its unit right? Else leave the row "
            "out, or do without `strict`."
        )
    if not dark and (none_n := np.isnan(given.flux_nb).all(1)).any():
        raise DataError(
            f"{path}: row {start + int(none_n.argmax())} has no flux in any band that a galaxy can "
            "have, and the weights are not calibrated: nothing says how bright it is. Leave it out."
        )
    if written_nb is None:
        return
    beyond_nb = (written_nb < _LEAST) | (written_nb > _MOST)
    if beyond_nb.any():
        row = int(beyond_nb.any(1).argmax())
        flux = float(written_nb[row][beyond_nb[row]][0])
        raise DataError(
            f"{path}: row {start + row} has a flux of {flux:g} in the unit to be written; allowed: "
            f"{_LEAST:g} to {_MOST:g}. Choose another `mag_zero`, or unit of flux."
        )
