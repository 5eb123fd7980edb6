"""What is to be in a field: positions, magnitudes, sizes, angles and categories."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import torch

from galgen import noise
from galgen.categories import DEFAULT, Taxonomy
from galgen.errors import DataError, InvalidValueError
from galgen.noise import Stream
from galgen.request.labels import MISSING, category_codes
from galgen.request.names import explain
from galgen.request.table import InputTable
from galgen.scene import population
from galgen.scene.field import Field

MAX_SOURCES = 10_000_000
REACH = 8.0  # half-light radii, where SDSS's de Vaucouleurs models end (Stoughton et al. 2002)
_X, _Y, _MAG, _ANGLE = range(4)  # uniform numbers of a source
_UNIFORM, _NORMAL = Stream.SCENE.at(0), Stream.SCENE.at(1)


@dataclass(frozen=True)
class Sources:
    """Galaxies to be drawn, an array (N,) for each attribute.

    Attributes
    ----------
    id : int64
        Number of the source; row of the input table, from 0.
    ra, dec : float64
        Centroid, deg.
    x, y : float64
        Centroid in the image, pixels, 0 is the centre of the first pixel.
    mag_nb : float64 (N, B)
        NaN where the colour of the drawn galaxy decides; no row is all NaN.
    radius : float64
        Half-light radius before the PSF, arcsec.
    position_angle : float64
        Major axis, deg from north through east.
    category : int64
        Code; 0 (any galaxy) leaves it to where galaxies come from.
    tree : Taxonomy
        Whose codes these are; of all.
    """

    id: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    x: np.ndarray
    y: np.ndarray
    mag_nb: np.ndarray
    radius: np.ndarray
    position_angle: np.ndarray
    category: np.ndarray
    tree: Taxonomy = DEFAULT

    def __len__(self) -> int:
        return len(self.id)

    def __getitem__(self, index: slice | np.ndarray) -> Self:
        """Return the sources of a slice, an index array or a boolean mask."""
        names = [field.name for field in fields(self) if field.name != "tree"]
        parts = {name: getattr(self, name)[index] for name in names}
        return replace(self, **parts)


def reference_band(bands: tuple[str, ...], wanted: str | None = None) -> int:
    """Find the index of the band in which magnitudes are given: `wanted`, else i, else the reddest.

    Raises
    ------
    InvalidValueError
        If `wanted` is none of the bands.
    """
    lower = [band.lower() for band in bands]
    if wanted is None:
        return lower.index("i") if "i" in lower else len(bands) - 1
    if wanted.lower() not in lower:
        raise InvalidValueError("band of the magnitudes", wanted, ", ".join(bands))
    return lower.index(wanted.lower())


def random_sources(
    field: Field,
    bands: tuple[str, ...],
    *,
    limits: tuple[float, float] = (19.0, 24.0),
    n: int | None = None,
    band: str | None = None,
    seed: int = 0,
) -> Sources:
    """Galaxies anywhere in the image, with magnitudes from number counts and sizes to match.

    Source i of a seed has the same random numbers whatever their number.

    Parameters
    ----------
    field : Field
        The image.
    bands : tuple of str
        Bands of the galaxies that will be drawn.
    limits : (float, float)
        Brightest and faintest magnitude.
    n : int, optional
        How many; by default what the number counts give for the area.
    band : str, optional
        Band of the magnitudes, see `reference_band`.
    seed : int
        Of their random numbers.

    Returns
    -------
    Sources
        With the tree of categories by default, all of the category ``galaxy``.

    Raises
    ------
    InvalidValueError
        If a value is out of range.
    """
    expected = population.density(*limits) * field.area
    n = round(expected) if n is None else n
    if not 0 <= n <= MAX_SOURCES:
        raise InvalidValueError("n", n, f"0 to {MAX_SOURCES:,}")
    u_nk, normal_n3 = _numbers(seed, n)
    x, y = u_nk[:, _X] * field.width - 0.5, u_nk[:, _Y] * field.height - 0.5
    mag_nb = np.full((n, len(bands)), np.nan)
    mag = mag_nb[:, reference_band(bands, band)] = population.magnitudes(u_nk[:, _MAG], *limits)
    radius, angle = population.half_light_radii(mag, normal_n3), 180 * u_nk[:, _ANGLE]
    category = np.zeros(n, np.int64)
    return Sources(np.arange(n), *field.sky(x, y), x, y, mag_nb, radius, angle, category)


def read_sources(
    table: InputTable,
    field: Field,
    bands: tuple[str, ...],
    *,
    band: str | None = None,
    margin: float = 0.0,
    seed: int = 0,
    tree: Taxonomy = DEFAULT,
) -> Sources:
    """Galaxies of an input table that lie in the image or near enough to shine into it.

    Columns are ``ra``, ``dec``, ``mag`` (or ``mag_<band>``, for several bands where there are
    several) and, where wanted, ``half_light_radius``, ``position_angle`` and ``category``. A
    missing size is drawn for the magnitude, a missing angle at random.

    Parameters
    ----------
    table : InputTable
        The list.
    field : Field
        The image.
    bands, band, seed
        See `random_sources`.
    margin : float
        Pixels by which the PSF carries light.
    tree : Taxonomy
        Categories of the galaxies that will be drawn.

    Returns
    -------
    Sources
        In the order of the table; `Sources.id` are its rows.

    Raises
    ------
    InvalidValueError
        If `band` is none of the bands.
    DataError
        Names the row with a value that cannot be used.
    """
    main, n = reference_band(bands, band), len(table)
    if n > MAX_SOURCES:
        raise DataError(f"{table.path}: has {n:,} rows; up to {MAX_SOURCES:,} can be drawn.")
    ra = _checked(table, "ra", table.numbers("ra", unit="deg", required=True), -360, 360)
    dec = _checked(table, "dec", table.numbers("dec", unit="deg", required=True), -90, 90)
    mag_nb = np.full((n, len(bands)), np.nan)
    for b, name in enumerate(bands):
        own = f"mag_{name.lower()}"
        if b == main or _mag_column(table, bands, name, band):
            values = table.numbers("mag", own, unit="mag", required=True)
            mag_nb[:, b] = _checked(table, own, values, -10, 50, optional=b != main)
    given = table.numbers("half_light_radius", unit="arcsec")
    given = _checked(table, "half_light_radius", given, 1e-6, 3600, optional=True)
    angle = table.numbers("position_angle", unit="deg")
    angle = _checked(table, "position_angle", angle, -360, 360, optional=True)
    code_n = category_codes(table, tree=tree)
    category = np.where(code_n == MISSING, 0, code_n)
    u_nk, normal_n3 = _numbers(seed, n)
    drawn = population.half_light_radii(mag_nb[:, main], normal_n3)
    radius = np.where(np.isnan(given), drawn, given)
    angle = np.where(np.isnan(angle), 180 * u_nk[:, _ANGLE], angle) % 180
    x, y = field.pixels(ra, dec)
    sources = Sources(np.arange(n), ra % 360, dec, x, y, mag_nb, radius, angle, category, tree)
    reach = REACH * radius / field.pixel_scale + margin
    inside = (np.abs(x - (field.width - 1) / 2) < field.width / 2 + reach) & (
        np.abs(y - (field.height - 1) / 2) < field.height / 2 + reach
    )
    return sources[inside]


def explain_sources(table: InputTable, bands: tuple[str, ...], band: str | None = None) -> str:
    """Say which columns of a table `read_sources` takes for what, and for what there is none.

    Parameters
    ----------
    table, bands, band
        See `read_sources`.
    """
    mags = {f"mag_{b.lower()}": name for b in bands if (name := _mag_column(table, bands, b, band))}
    others = ("ra", "dec", "half_light_radius", "position_angle", "category")
    found = {ours: name for ours in others if (name := table.find(ours))} | mags
    nothing = [ours for ours in others if ours not in found]
    return f"{table.label}: {explain(found, nothing)}"


def _mag_column(
    table: InputTable, bands: tuple[str, ...], name: str, band: str | None
) -> str | None:
    """Return the table's column for magnitudes in a band; ``mag`` is of the band of reference."""
    own = f"mag_{name.lower()}"
    found = table.find("mag", own)
    if name == bands[reference_band(bands, band)] or (found or "").lower() == own:
        return found
    return None


def _numbers(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Uniform numbers (n, 4) and normal numbers (n, 3) of the sources of a seed."""
    index = torch.arange(n)
    normal = noise.normal(seed, index, (3,), _NORMAL).double()
    return noise.uniform(seed, index, _UNIFORM, 4).numpy(), normal.numpy()


def _checked(
    table: InputTable,
    name: str,
    values: np.ndarray,
    low: float,
    high: float,
    optional: bool = False,
) -> np.ndarray:
    """Return values (N,) if all are in range, or missing and `optional`."""
    good = (values >= low) & (values <= high) | (np.isnan(values) & optional)
    if not good.all():
        row = int(np.argmin(good))
        raise DataError(
            f"{table.path}: row {row} (from 0): {name} is {values[row]}; allowed: {low:g} to "
            f"{high:g}."
        )
    return values
