"""Several data sets as one, with a column that tells the galaxies that only teach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from galgen.categories import DEFAULT, Taxonomy
from galgen.data import StampSet, concatenate, open_stamps
from galgen.data.relabel import relabel
from galgen.errors import DataError
from galgen.request.population import TEACH

_TRUE, _FALSE = ("1", "1.0", "true"), ("", "0", "0.0", "false", "nan")


def gather(
    data: Sequence[Path],
    teach: Sequence[Path] = (),
    size: int | None = None,
    corrections: Path | None = None,
    tree: Taxonomy = DEFAULT,
) -> StampSet:
    """Read data sets and join them.

    Parameters
    ----------
    data : sequence of Path
        Anything `galgen.data.open_stamps` reads. A column ``teach`` (1 or true) marks galaxies
        that only teach.
    teach : sequence of Path
        Likewise, but all of their galaxies only teach.
    size : int, optional
        Side of the stamps in pixels, if other than the data's.
    corrections : Path, optional
        Table of labels to replace, see `galgen.data.relabel.relabel`.
    tree : Taxonomy
        The categories of all of them.

    Returns
    -------
    StampSet
        Of all galaxies, with the column ``teach`` of 0 and 1, float64. The pixel scale is that
        of `data`, since generated galaxies belong to it.

    Raises
    ------
    DataError
        If a data set cannot be used, the sets do not go together, a value of ``teach`` is neither
        true nor false, or a correction is of no galaxy of them.
    """
    own = [open_stamps(path, size, tree) for path in data]
    others = [open_stamps(path, size, tree) for path in teach]
    sets = [_marked(stamps, False) for stamps in own] + [_marked(s, True) for s in others]
    joined = concatenate(sets)
    scales = {stamps.pixel_scale for stamps in own}
    joined = replace(joined, pixel_scale=scales.pop() if len(scales) == 1 else None)
    return joined if corrections is None else relabel(joined, corrections)


def _marked(stamps: StampSet, all_teach: bool) -> StampSet:
    """Return stamps with the column ``teach`` as numbers."""
    given = [str(value).strip().lower() for value in stamps.columns.get(TEACH, ())]
    wrong = next((value for value in given if value not in _TRUE + _FALSE), None)
    if wrong is not None:
        raise DataError(
            f"{stamps.source}: column {TEACH} has {wrong!r}; allowed: 1 or true, 0, false or empty."
        )
    teaches = np.array([value in _TRUE for value in given] or np.zeros(len(stamps)), np.float64)
    column = np.ones(len(stamps)) if all_teach else teaches
    return replace(stamps, columns={**stamps.columns, TEACH: column})
