"""Which numbers of a galaxy are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from galgen.measure import measured_columns, structure_columns

LOG_FLUX = "LOG_FLUX"
_SHAPES = ("HALF_LIGHT_RADIUS", "AXIS_RATIO", "CONCENTRATION", "ASYMMETRY", "SURFACE_BRIGHTNESS")


def compared_columns(bands: Sequence[str]) -> dict[str, str]:
    """Units by column: colours, sizes and shapes of catalogues, log flux, and the structure.

    Left out are those that say where and how a galaxy lies, not how it looks, and the noise.
    """
    units = {c.name: c.unit for c in measured_columns(bands)}
    names = [name for name in units if name.startswith("COLOR_") or name in _SHAPES]
    of_catalogs = {name: units[name] for name in names} | {LOG_FLUX: "dex"}
    return of_catalogs | {c.name: c.unit for c in structure_columns()}


def compared_values(
    measured: Mapping[str, np.ndarray], bands: Sequence[str]
) -> dict[str, np.ndarray]:
    """Values (N,) of `compared_columns` from measured columns, NaN where not measured.

    ``LOG_FLUX`` is log10 of the sum over all bands. Columns that `measured` lacks are left out.
    """
    total = np.sum([measured[f"FLUX_{band.upper()}"] for band in bands], axis=0)
    every = {**measured, LOG_FLUX: np.log10(np.where(total > 0, total, np.nan))}
    return {name: every[name] for name in compared_columns(bands) if name in every}
