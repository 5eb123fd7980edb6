"""What a survey's table says of its galaxies, in the terms of a model.

Conventions of the Legacy Surveys (Tractor), SDSS and DESC (CosmoDC2), and galgen's own columns; see
`galgen.request.table.NAMES` for the names. Values that cannot be, such as magnitude 99 or size 0,
count as missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from galgen.categories import DEFAULT, Taxonomy
from galgen.errors import DataError, InvalidValueError, UnknownCategoryError
from galgen.pixels.units import NANOMAGGY, UNCALIBRATED, ZERO_POINTS, flux_ratio, known_zero_point
from galgen.request.table import InputTable, Rows

MISSING = -1  # category code of a galaxy without one
# Fluxes without a unit are nanomaggies, as Tractor's are, but for Rubin's.
_FLUXES = (("flux_{}", "nanomaggy"), ("{}_cmodelflux", "nJy"), ("{}_flux", "nanomaggy"))
_MAGNITUDES = (
    *("mag_{}", "modelmag_{}", "cmodelmag_{}", "petromag_{}"),
    *("mag_{}_lsst", "mag_true_{}", "mag_true_{}_lsst", "mag_{}_cmodel", "mag_auto_{}"),
    *("{}_cmodel_mag", "{}_mag"),
)
_COLOURS = ("color_{}_{}", "colour_{}_{}", "{}_minus_{}", "{}-{}")
_FAINTEST, _BRIGHTEST = 50.0, -10.0  # what lies beyond is a stand-in such as 99 or -9999
# Radii along the major axis; ours are circularised.
_MAJOR_AXIS = ("shape_r", "size", "size_true", "exprad_r", "devrad_r")
# Beside any of these, ELLIPTICITY is SourceExtractor's: 1 - b/a.
_SOURCE_EXTRACTOR = ("a_image", "elongation", "flux_auto", "mag_auto")


@dataclass(frozen=True)
class Asked:
    """What is asked of some galaxies.

    Attributes
    ----------
    code_n : ndarray (N,) int64
        Category codes, `MISSING` where there is none.
    properties : mapping of str to ndarray (N,) float64
        Half-light radius in pixels, axis ratio and colours; NaN where missing.
    flux_nb : ndarray (N, B) float64
        NaN where missing; nanomaggies, or as in the table if `Survey.fluxes` is 'native'.
    """

    code_n: np.ndarray
    properties: Mapping[str, np.ndarray]
    flux_nb: np.ndarray


class Survey:
    """Finds in a table what a model can be asked for.

    Parameters
    ----------
    table : InputTable
    bands : sequence of str
        Of the model, bluest first.
    pixel_scale : float or None
        Arcsec per pixel, for sizes on the sky.
    unit : str
        Flux unit of the model. Fluxes in it are taken as they are where it is not calibrated.
    tree : Taxonomy
        Categories of the model.

    Attributes
    ----------
    table : InputTable
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
    ) -> None:
        self.table, self._bands, self._unit, self._tree = table, tuple(bands), unit, tree
        self.used: dict[str, str] = {}
        lower = [band.lower() for band in bands]
        of_bands = {f"{kind}_{band}" for kind in ("mag", "flux") for band in lower}
        of_bands |= {f"color_{a}_{b}" for a, b in pairwise(lower)}
        for ours in table.renamed:
            if ours.startswith(("mag_", "flux_", "color_")) and ours not in of_bands:
                raise InvalidValueError("column to map", ours, ", ".join(sorted(of_bands)))
        for ours in ("category", "axis_ratio", "redshift"):
            self._use(ours)
        if not self._use("half_light_radius_pix"):
            self._use("half_light_radius")
        if "axis_ratio" not in self.used and not (
            self._use("ellipticity_1") and self._use("ellipticity_2")
        ):
            self.used.pop("ellipticity_1", None)
            self._use("ellipticity")
        self._pixels = self._find_pixels(pixel_scale)
        self._zero: dict[str, float | None] = {}
        for band in lower:
            self._find_flux(band)
        for a, b in pairwise(lower):
            self._use(f"color_{a}_{b}", *(name.format(a, b) for name in _COLOURS))
        kinds = {"native" if zero is None else "AB" for zero in self._zero.values()}
        if len(kinds) > 1:
            raise DataError(
                f"{table.path}: some fluxes are in {unit} and others are calibrated. Map the bands "
                "to columns of one kind."
            )
        self.fluxes = kinds.pop() if kinds else None

    def _use(self, ours: str, *more: str) -> str | None:
        name = self.table.find(ours, *more)
        if name is not None:
            self.used[ours] = name
        return name

    def _find_pixels(self, pixel_scale: float | None) -> float:
        """What radii are divided by to be in pixels, given the unit they are read in."""
        name = self.used.get("half_light_radius")
        if name is None or self.table.column(name).unit.startswith("pix"):
            return 1.0
        if pixel_scale is None:
            raise InvalidValueError(
                "pixel scale",
                None,
                "arcsec per pixel",
                f"Sizes in {self.table.path} ({name}) are on the sky: give --pixscale, or name a "
                "column of pixels as half_light_radius_pix.",
            )
        return pixel_scale

    def _find_flux(self, band: str) -> None:
        """Use the flux or, failing that, the magnitude of a band."""
        find, renamed = self.table.find, self.table.renamed
        if f"mag_{band}" not in renamed:
            for name, unit in _FLUXES:
                found = find(f"flux_{band}", name.format(band))
                if found is not None:
                    self.used[f"flux_{band}"] = found
                    self._zero[band] = self._zero_point(found, unit)
                    return
        if self._use(f"mag_{band}", *(name.format(band) for name in _MAGNITUDES)):
            self._zero[band] = NANOMAGGY

    def _zero_point(self, name: str, default: str) -> float | None:
        unit = self.table.column(name).unit or default
        zero = known_zero_point(unit)
        if zero is None and unit != self._unit:
            raise DataError(
                f"{self.table.path}: column {name} is in {unit}; fluxes can be in nanomaggy, nJy, "
                f"uJy, mJy or Jy, or in {self._unit}, the unit of the weights."
            )
        return zero

    def asked(self, rows: Rows) -> Asked:
        """What is asked of some galaxies; fluxes are in nanomaggies, or as they are if 'native'.

        Raises
        ------
        DataError
            If a category is unknown, or a column holds no numbers.
        """
        radius_n, ratio_n = self._shape(rows)
        flux_nb, properties = self._light(rows)
        shape = {"half_light_radius": radius_n, "axis_ratio": ratio_n}
        return Asked(self._categories(rows), shape | properties, flux_nb)

    @property
    def calibrated(self) -> bool:
        """Whether the model has a flux scale of its own."""
        return self._unit in ZERO_POINTS

    def in_model_unit(self, flux_nb: np.ndarray) -> np.ndarray | None:
        """Fluxes of `asked` in the flux unit of the model, None if that cannot be told."""
        if self.fluxes == "native":
            return flux_nb
        if self.fluxes is None or not self.calibrated:
            return None
        return flux_nb * flux_ratio(ZERO_POINTS[self._unit] - NANOMAGGY)

    def _categories(self, rows: Rows) -> np.ndarray:
        name = self.used.get("category")
        if name is None:
            return np.full(len(self.table.raw(self.table.columns[0].name, rows)), MISSING)
        raw = np.asarray(self.table.raw(name, rows))
        _, first_k, place_n = np.unique(raw, return_index=True, return_inverse=True)
        indices = np.arange(len(self.table))[rows][first_k]
        values = self.table.values("category", indices)
        codes = [self._code(value, row) for value, row in zip(values, indices, strict=True)]
        return np.array(codes, np.int64)[place_n]

    def _code(self, value: str | int | None, row: int) -> int:
        if value is None:
            return MISSING
        try:
            return self._tree.get(value).code
        except UnknownCategoryError as error:
            name = self.used["category"]
            raise DataError(f"{self.table.path}: row {row}, column {name}: {error}") from None

    def _shape(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Circularised half-light radius in pixels, and axis ratio."""
        table, used = self.table, self.used
        if "half_light_radius_pix" in used:
            radius_n = table.numbers("half_light_radius_pix", unit="pix", rows=rows)
        else:
            name = used.get("half_light_radius")
            in_pixels = name is not None and table.column(name).unit.startswith("pix")
            unit = table.column(name).unit if in_pixels else "arcsec"
            radius_n = table.numbers("half_light_radius", unit=unit, rows=rows) / self._pixels
        if "ellipticity_1" in used:
            e1_n, e2_n = (table.numbers(f"ellipticity_{i}", unit="", rows=rows) for i in (1, 2))
            ratio_n = _axis_ratio(np.hypot(e1_n, e2_n))
        elif "ellipticity" in used:
            e_n = table.numbers("ellipticity", unit="", rows=rows)
            names = {column.name.lower() for column in table.columns}
            ratio_n = 1 - e_n if names.intersection(_SOURCE_EXTRACTOR) else _axis_ratio(e_n)
        else:
            ratio_n = table.numbers("axis_ratio", unit="", rows=rows)
        ratio_n[~((ratio_n > 0) & (ratio_n <= 1))] = np.nan
        ratio_n[radius_n <= 0] = np.nan  # a point source has no shape
        radius_n[~((radius_n > 0) & np.isfinite(radius_n))] = np.nan
        if used.get("half_light_radius", "").lower() in _MAJOR_AXIS:
            radius_n *= np.sqrt(np.nan_to_num(ratio_n, nan=1.0))
        return radius_n, ratio_n

    def _light(self, rows: Rows) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Fluxes (N, B) and colours. Either completes the other."""
        bands = [band.lower() for band in self._bands]
        flux = {band: self._flux(band, rows) for band in bands}
        colours = {}
        for a, b in pairwise(bands):
            ours = f"color_{a}_{b}"
            if ours in self.used:
                more = [name.format(a, b) for name in _COLOURS]
                given_n = self.table.numbers(ours, *more, unit="mag", rows=rows)
                given_n[~(np.abs(given_n) < 10)] = np.nan
            else:
                given_n = np.full(len(flux[a]), np.nan)
            own_n = -2.5 * np.log10(flux[a] / flux[b])
            colours[ours] = np.where(np.isnan(own_n), given_n, own_n)
        for a, b in pairwise(bands):
            redder_n = flux[a] * flux_ratio(colours[f"color_{a}_{b}"])
            flux[b] = np.where(np.isnan(flux[b]), redder_n, flux[b])
        for b, a in pairwise(reversed(bands)):
            bluer_n = flux[b] * flux_ratio(-colours[f"color_{a}_{b}"])
            flux[a] = np.where(np.isnan(flux[a]), bluer_n, flux[a])
        return np.stack([flux[band] for band in bands], axis=1), colours

    def _flux(self, band: str, rows: Rows) -> np.ndarray:
        name = self.used.get(f"flux_{band}")
        if name is not None:
            flux_n = self.table.plain(name, rows)
            zero = self._zero[band]
            if zero is not None and zero != NANOMAGGY:
                flux_n = flux_n * flux_ratio(NANOMAGGY - zero)
            return np.where((flux_n > 0) & np.isfinite(flux_n), flux_n, np.nan)
        more = [name.format(band) for name in _MAGNITUDES]
        mag_n = self.table.numbers(f"mag_{band}", *more, unit="mag", rows=rows)
        mag_n[~((mag_n > _BRIGHTEST) & (mag_n < _FAINTEST))] = np.nan
        return flux_ratio(NANOMAGGY - mag_n)


def _axis_ratio(ellipticity_n: np.ndarray) -> np.ndarray:
    """b/a of e = (a - b) / (a + b), the convention of Tractor and of DESC."""
    return (1 - ellipticity_n) / (1 + ellipticity_n)
