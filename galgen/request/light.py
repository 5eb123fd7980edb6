"""Fluxes, magnitudes and colours of a survey's table; what is missing of them follows from others.

Conventions of the Legacy Surveys (Tractor), SDSS and DESC (CosmoDC2), and galgen's own columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from galgen.errors import DataError
from galgen.pixels.units import NANOMAGGY, flux_ratio, known_zero_point
from galgen.request.numbers import Numbers
from galgen.request.table import InputTable, Rows

# Fluxes without a unit are nanomaggies, as Tractor's are, but for Rubin's.
_FLUXES = (("flux_{}", "nanomaggy"), ("{}_cmodelflux", "nJy"), ("{}_flux", "nanomaggy"))
_MAGNITUDES = (
    *("mag_{}", "modelmag_{}", "cmodelmag_{}", "petromag_{}"),
    *("mag_{}_lsst", "mag_true_{}", "mag_true_{}_lsst", "mag_{}_cmodel", "mag_auto_{}"),
    *("{}_cmodel_mag", "{}_mag"),
)
_COLOURS = ("color_{}_{}", "colour_{}_{}", "{}_minus_{}", "{}-{}")
_FAINTEST, _BRIGHTEST = 50.0, -10.0  # what lies beyond is a stand-in such as 99 or -9999
_REDDEST = 10.0  # and so is a colour beyond this


class Light:
    """Fluxes and colours, from the columns that a table has for them.

    Parameters
    ----------
    table : InputTable
        The table.
    bands : sequence of str
        Bands of the model, bluest first.
    unit : str
        Flux unit of the model. Fluxes in it are taken as they are where it is not calibrated.

    Attributes
    ----------
    used : dict of str to str
        Our names of the columns that were found, and the table's.
    fluxes : str or None
        'AB' or 'native' (see `galgen.pixels.units.flux_scale`); None if there are none.

    Raises
    ------
    DataError
        If a column has a unit that cannot be used, or only some of the bands are calibrated.
    """

    def __init__(self, table: InputTable, bands: Sequence[str], unit: str) -> None:
        self._table, self._bands, self._unit = table, [band.lower() for band in bands], unit
        self.used: dict[str, str] = {}
        self._flux: dict[str, Numbers] = {}
        self._mag: dict[str, Numbers] = {}
        kinds = {kind for band in self._bands if (kind := self._find_flux(band))}
        self._colour = {ours: self._find_colour(a, b) for ours, a, b in self._colours()}
        if len(kinds) > 1:
            raise DataError(
                f"{table.path}: some fluxes are in {unit} and others are calibrated. Map the bands "
                "to columns of one kind."
            )
        self.fluxes = kinds.pop() if kinds else None

    def read(self, rows: Rows) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
        """Read fluxes and colours, NaN where there is none.

        Returns
        -------
        flux_nb : ndarray (n, b)
            Nanomaggies, or as they are if `fluxes` is 'native'.
        colours : dict of str to ndarray (n,)
            Colours such as ``color_g_r``, in magnitudes.
        absurd_nb : ndarray (n, b) of bool
            Where the table has a flux above 0 that no galaxy has, which counts as none.
        """
        flux = {band: self._read_flux(band, rows) for band in self._bands}
        absurd_nb = np.stack([self._drop_absurd(flux[band]) for band in self._bands], axis=1)
        colours = {}
        for ours, a, b in self._colours():
            given_n = self._colour[ours].read(rows)
            given_n[~(np.abs(given_n) < _REDDEST)] = np.nan
            own_n = -2.5 * np.log10(flux[a] / flux[b])
            colours[ours] = np.where(np.isnan(own_n), given_n, own_n)
        for ours, a, b in self._colours():
            redder_n = flux[a] * flux_ratio(colours[ours])
            flux[b] = np.where(np.isnan(flux[b]), redder_n, flux[b])
        for ours, a, b in reversed(self._colours()):
            bluer_n = flux[b] * flux_ratio(-colours[ours])
            flux[a] = np.where(np.isnan(flux[a]), bluer_n, flux[a])
        return np.stack([flux[band] for band in self._bands], axis=1), colours, absurd_nb

    def _drop_absurd(self, flux_n: np.ndarray) -> np.ndarray:
        """Make fluxes NaN that are beyond what a magnitude can be; return which these were."""
        faintest, brightest = (flux_ratio(NANOMAGGY - mag) for mag in (_FAINTEST, _BRIGHTEST))
        absurd_n = (flux_n < faintest) | (flux_n > brightest)
        flux_n[absurd_n] = np.nan
        return absurd_n

    def _colours(self) -> list[tuple[str, str, str]]:
        """Colours by our names, each with its bluer and its redder band."""
        return [(f"color_{a}_{b}", a, b) for a, b in pairwise(self._bands)]

    def _read_flux(self, band: str, rows: Rows) -> np.ndarray:
        """Read the flux of a band, from its magnitude if that is what there is."""
        if band in self._flux:
            flux_n = self._flux[band].read(rows)
            return np.where(flux_n > 0, flux_n, np.nan)
        mag_n = self._mag[band].read(rows)
        mag_n[~((mag_n > _BRIGHTEST) & (mag_n < _FAINTEST))] = np.nan
        return flux_ratio(NANOMAGGY - mag_n)

    def _find_flux(self, band: str) -> str | None:
        """Find the flux or, failing that, the magnitude of a band; return which kind it is."""
        table, ours = self._table, f"mag_{band}"
        if ours not in table.renamed:
            for form, default in _FLUXES:
                name = table.find(f"flux_{band}", form.format(band))
                if name is not None:
                    self.used[f"flux_{band}"] = name
                    zero = self._zero_point(name, default)
                    factor = None
                    if zero is not None and zero != NANOMAGGY:
                        factor = flux_ratio(NANOMAGGY - zero)
                    self._flux[band] = Numbers(table, name, factor)
                    return "native" if zero is None else "AB"
        names = [form.format(band) for form in _MAGNITUDES]
        self._mag[band] = table.numbers_in(ours, *names, unit="mag")
        name = self._mag[band].name
        if name is None:
            return None
        self.used[ours] = name
        return "AB"

    def _find_colour(self, a: str, b: str) -> Numbers:
        """Find the column of a colour."""
        ours, names = f"color_{a}_{b}", [form.format(a, b) for form in _COLOURS]
        numbers = self._table.numbers_in(ours, *names, unit="mag")
        if numbers.name is not None:
            self.used[ours] = numbers.name
        return numbers

    def _zero_point(self, name: str, default: str) -> float | None:
        """Return the AB magnitude of one unit of a column, None if it is the model's own."""
        unit = self._table.column(name).unit or default
        zero = known_zero_point(unit)
        if zero is None and unit != self._unit:
            raise DataError(
                f"{self._table.path}: column {name} is in {unit}; fluxes can be in nanomaggy, nJy, "
                f"uJy, mJy or Jy, or in {self._unit}, the unit of the weights."
            )
        return zero
