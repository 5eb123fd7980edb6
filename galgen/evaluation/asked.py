"""What a catalogue knows of the properties that were asked of its galaxies."""

from __future__ import annotations

import re

import numpy as np

from galgen.catalog import CatalogFile

# What a request calls a property that is measured in the same terms, beside colours.
_MEASURED_AS = {"half_light_radius_pix": "HALF_LIGHT_RADIUS", "axis_ratio": "AXIS_RATIO"}


def asked_of(catalog: CatalogFile) -> dict[str, np.ndarray]:
    """Read what was asked from columns that were carried over from a table.

    Parameters
    ----------
    catalog : CatalogFile
        The catalogue; its request says which column of the table has said what.

    Returns
    -------
    dict of str to ndarray (N,)
        By the column that measures it, NaN where nothing was asked; empty where nothing is known.
    """
    if catalog.info.like is None:
        return {}
    carried = {column.name for column in catalog.info.carried}
    used = dict(re.findall(r"(\w+)=(\S+)", catalog.info.request))
    found = {}
    colours = {name: name.upper() for name in used if name.startswith("color_")}
    for name, column in (_MEASURED_AS | colours).items():
        if used.get(name) in carried:
            values = np.ma.filled(np.ma.asarray(catalog.column(used[name]), np.float64), np.nan)
            found[column] = np.asarray(values, np.float64)
    return found
