"""What a survey's table says of its galaxies, in the terms of a model.

Conventions of the Legacy Surveys (Tractor), SDSS and DESC (CosmoDC2), and galgen's own columns; see
`galgen.request.names.NAMES` for the names. Values that cannot be, such as magnitude 99 or size 0,
count as missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from galgen.categories import DEFAULT, Taxonomy
from galgen.errors import InvalidValueError
from galgen.pixels.units import NANOMAGGY, UNCALIBRATED, ZERO_POINTS, flux_ratio
from galgen.request.labels import MISSING, category_codes
from galgen.request.light import Light
from galgen.request.names import explain
from galgen.request.shape import Shapes
from galgen.request.table import InputTable, Rows

_FARTHEST = 20.0  # redshift; what lies beyond is a stand-in such as 99, and so is one below 0


@dataclass(frozen=True)
class Given:
    """What a table says of n galaxies.

    Attributes
    ----------
    code_n : ndarray of int64
        Category codes, `MISSING` where there is none.
    properties : mapping of str to ndarray (n,) of float64
        Half-light radius in pixels, axis ratio, colours and, where the model has it, redshift; NaN
        where missing.
    flux_nb : ndarray of float64
        NaN where missing; nanomaggies, or as in the table if `Survey.fluxes` is 'native'.
    absurd_nb : ndarray of bool
        Where the table has a flux that no galaxy has, which counts as missing.
    """

    code_n: np.ndarray
    properties: Mapping[str, np.ndarray]
    flux_nb: np.ndarray
    absurd_nb: np.ndarray


class Survey:
    """Finds in a table what a model can be asked for.

    Parameters
    ----------
    table : InputTable
        The table.
    bands : sequence of str
        Bands of the model, bluest first.
    pixel_scale : float or None
        Arcsec per pixel, for sizes on the sky.
    unit : str
        Flux unit of the model. Fluxes in it are taken as they are where it is not calibrated.
    tree : Taxonomy
        Categories of the model.
    carry_only : bool
        Find nothing, whatever the table has.
    with_redshift : bool
        Whether the model can be told a redshift.

    Attributes
    ----------
    table : InputTable
        The table.
    bands : tuple of str
        Bands of the model.
    used : dict of str to str
        Our names of the columns that were found, and the table's.
    fluxes : str or None
        'AB' or 'native' (see `galgen.pixels.units.flux_scale`); None if there are none.

    Raises
    ------
    DataError, InvalidValueError
        If a column has a unit that cannot be used, or sizes are on the sky and there is no pixel
        scale.
    """

    def __init__(
        self,
        table: InputTable,
        bands: Sequence[str],
        pixel_scale: float | None,
        unit: str = UNCALIBRATED,
        tree: Taxonomy = DEFAULT,
        *,
        carry_only: bool = False,
        with_redshift: bool = False,
    ) -> None:
        self.table, self.bands, self._unit, self._tree = table, tuple(bands), unit, tree
        lower = [band.lower() for band in bands]
        of_bands = {f"{kind}_{band}" for kind in ("mag", "flux") for band in lower}
        of_bands |= {f"color_{a}_{b}" for a, b in pairwise(lower)}
        for ours in table.renamed:
            if ours.startswith(("mag_", "flux_", "color_")) and ours not in of_bands:
                raise InvalidValueError("column to map", ours, ", ".join(sorted(of_bands)))
        self.used: dict[str, str] = {}
        self.fluxes: str | None = None
        self._carry_only, self._with_redshift = carry_only, with_redshift
        if carry_only:
            return
        self._shapes = Shapes(table, pixel_scale)
        self._light = Light(table, bands, unit)
        if with_redshift:
            self._redshift = table.numbers_in("redshift", unit="")
        found = {ours: table.find(ours) for ours in ("category", "axis_ratio", "redshift")}
        first = {ours: theirs for ours, theirs in found.items() if theirs is not None}
        self.used = first | self._shapes.used | self._light.used
        self.fluxes = self._light.fluxes

    def given(self, rows: Rows) -> Given:
        """Read what the table says of some galaxies.

        Parameters
        ----------
        rows : slice or ndarray of int
            Their rows.

        Returns
        -------
        Given
            Fluxes are in nanomaggies, or as they are if `fluxes` is 'native'.

        Raises
        ------
        DataError
            If a category is unknown, or a column holds no numbers.
        """
        if self._carry_only:
            n, b = self.table.count(rows), len(self.bands)
            return Given(np.full(n, MISSING), {}, np.full((n, b), np.nan), np.zeros((n, b), bool))
        radius_n, ratio_n = self._shapes.read(rows)
        flux_nb, colours, absurd_nb = self._light.read(rows)
        shape = {"half_light_radius": radius_n, "axis_ratio": ratio_n}
        if self._with_redshift:
            redshift_n = self._redshift.read(rows)
            redshift_n[~((redshift_n >= 0) & (redshift_n < _FARTHEST))] = np.nan
            shape["redshift"] = redshift_n
        code_n = category_codes(self.table, rows, self._tree)
        return Given(code_n, shape | colours, flux_nb, absurd_nb)

    @property
    def taken(self) -> dict[str, str]:
        """Those of `used` that say something of galaxies to the model."""
        unknown = () if self._with_redshift else ("redshift",)
        return {ours: theirs for ours, theirs in self.used.items() if ours not in unknown}

    def explain(self) -> str:
        """Say which columns are taken for what, and for what there is none."""
        kinds = {ours.partition("_")[0] for ours in self.taken}
        nothing = [
            *([] if "category" in kinds else ["category"]),
            *([] if "half" in kinds else ["half_light_radius"]),
            *([] if {"axis", "ellipticity"} & kinds else ["axis_ratio"]),
            *([] if {"flux", "mag"} & kinds else ["flux"]),
            *(["redshift"] if self._with_redshift and "redshift" not in kinds else []),
        ]
        return explain(self.taken, nothing)

    @property
    def calibrated(self) -> bool:
        """Whether the model has a flux scale of its own."""
        return self._unit in ZERO_POINTS

    def in_model_unit(self, flux_nb: np.ndarray) -> np.ndarray | None:
        """Return fluxes of `given` in the flux unit of the model, None if that cannot be told."""
        if self.fluxes == "native":
            return flux_nb
        if self.fluxes is None or not self.calibrated:
            return None
        return flux_nb * flux_ratio(ZERO_POINTS[self._unit] - NANOMAGGY)
