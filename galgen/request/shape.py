"""Sizes and axis ratios of a survey's table, in its conventions: radii become circularised pixels.

Ellipticities are those of Tractor and of DESC, e = (a - b) / (a + b), or SourceExtractor's 1 - b/a.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from galgen.errors import InvalidValueError
from galgen.request.numbers import Numbers
from galgen.request.table import InputTable, Rows

# Radii along the major axis; ours are circularised.
_MAJOR_AXIS = ("shape_r", "size", "size_true", "exprad_r", "devrad_r")
# Beside any of these, ELLIPTICITY is SourceExtractor's: 1 - b/a.
_SOURCE_EXTRACTOR = ("a_image", "elongation", "flux_auto", "mag_auto")


class Shapes:
    """Sizes and axis ratios, from the columns that a table has for them.

    Parameters
    ----------
    table : InputTable
        The table.
    pixel_scale : float or None
        Arcsec per pixel, for sizes on the sky.

    Attributes
    ----------
    used : dict of str to str
        Our names of the columns that were found, and the table's.

    Raises
    ------
    InvalidValueError
        If sizes are on the sky and there is no pixel scale.
    DataError
        If a column has a unit that cannot be used.
    """

    def __init__(self, table: InputTable, pixel_scale: float | None) -> None:
        self.used: dict[str, str] = {}
        self._radius, self._pixels = self._find_radius(table, pixel_scale)
        radius = self.used.get("half_light_radius", "")
        self._along_major_axis = radius.lower() in _MAJOR_AXIS
        self._ratio_of, self._ratio = self._find_ratio(table)

    def read(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Read circularised half-light radii in pixels, and axis ratios: (n,) each.

        NaN where there is none; a size of 0 is that of a point source, which has no shape.
        """
        radius_n = self._radius.read(rows) / self._pixels
        ratio_n = self._ratio_of(*(numbers.read(rows) for numbers in self._ratio))
        ratio_n[~((ratio_n > 0) & (ratio_n <= 1))] = np.nan
        ratio_n[radius_n <= 0] = np.nan
        radius_n[~((radius_n > 0) & np.isfinite(radius_n))] = np.nan
        if self._along_major_axis:
            radius_n *= np.sqrt(np.nan_to_num(ratio_n, nan=1.0))
        return radius_n, ratio_n

    def _find_radius(self, table: InputTable, pixel_scale: float | None) -> tuple[Numbers, float]:
        """Find the radius, and what it is divided by to be in pixels."""
        if name := table.find("half_light_radius_pix"):
            self.used["half_light_radius_pix"] = name
            return table.numbers_in("half_light_radius_pix", unit="pix"), 1.0
        name = table.find("half_light_radius")
        if name is None:
            return table.numbers_in("half_light_radius", unit="arcsec"), 1.0
        self.used["half_light_radius"] = name
        unit = table.column(name).unit
        if unit.startswith("pix"):
            return table.numbers_in("half_light_radius", unit=unit), 1.0
        if pixel_scale is None:
            raise InvalidValueError(
                "pixel scale",
                None,
                "arcsec per pixel",
                f"Sizes in {table.path} ({name}) are on the sky: give `pixel_scale`, or name a "
                "column of pixels as half_light_radius_pix.",
            )
        return table.numbers_in("half_light_radius", unit="arcsec"), pixel_scale

    def _find_ratio(self, table: InputTable) -> tuple[Callable[..., np.ndarray], list[Numbers]]:
        """Find what says how flat galaxies are: columns, and how b/a is had from them."""
        ratio_of: Callable[..., np.ndarray] = _of_ratio
        names = ["axis_ratio"]
        if table.find("axis_ratio") is None:
            pair = ["ellipticity_1", "ellipticity_2"]
            if all(map(table.find, pair)):
                ratio_of, names = _of_components, pair
            elif table.find("ellipticity") is not None:
                lower = {name.lower() for name in table.names}
                extracted = lower.intersection(_SOURCE_EXTRACTOR)
                ratio_of, names = _of_flattening if extracted else _of_ellipticity, ["ellipticity"]
        for ours in names:
            if (theirs := table.find(ours)) is not None:
                self.used[ours] = theirs
        return ratio_of, [table.numbers_in(ours, unit="") for ours in names]


def _of_ratio(ratio_n: np.ndarray) -> np.ndarray:
    """Take b/a as it is."""
    return ratio_n


def _of_ellipticity(e_n: np.ndarray) -> np.ndarray:
    """Return b/a of e = (a - b) / (a + b), the convention of Tractor and of DESC."""
    ratio_n: np.ndarray = (1 - e_n) / (1 + e_n)
    return ratio_n


def _of_components(e1_n: np.ndarray, e2_n: np.ndarray) -> np.ndarray:
    """Return b/a of the two components of that ellipticity."""
    return _of_ellipticity(np.hypot(e1_n, e2_n))


def _of_flattening(e_n: np.ndarray) -> np.ndarray:
    """Return b/a of SourceExtractor's ellipticity, 1 - b/a."""
    return 1 - e_n
