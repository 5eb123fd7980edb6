"""Galaxies of a table that somebody brings, those in or near the image."""

from __future__ import annotations

import numpy as np

from galgen.categories import DEFAULT, Taxonomy
from galgen.errors import DataError
from galgen.request.labels import MISSING, category_codes
from galgen.request.names import explain
from galgen.request.table import InputTable
from galgen.scene import population
from galgen.scene.field import Field
from galgen.scene.sources import ANGLE, MAX_SOURCES, Sources, random_numbers, reference_band

REACH = 8.0  # half-light radii, where SDSS's de Vaucouleurs models end (Stoughton et al. 2002)


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
        See `galgen.scene.sources.random_sources`.
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
    u_nk, normal_n3 = random_numbers(seed, n)
    drawn = population.half_light_radii(mag_nb[:, main], normal_n3)
    radius = np.where(np.isnan(given), drawn, given)
    angle = np.where(np.isnan(angle), 180 * u_nk[:, ANGLE], angle) % 180
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
