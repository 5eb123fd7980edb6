"""Galaxies of a table that somebody brings, those in or near the image."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from galgen.categories import DEFAULT, Taxonomy
from galgen.errors import DataError
from galgen.request.labels import MISSING, category_codes
from galgen.request.names import explain
from galgen.request.table import InputTable
from galgen.scene.field import Field
from galgen.scene.lensing import LONGEST, WEAK, Lensing, parse_changes
from galgen.scene.population import half_light_radii
from galgen.scene.sources import ANGLE, MAX_SOURCES, Sources, random_numbers, reference_band

REACH = 8.0  # half-light radii, where SDSS's de Vaucouleurs models end (Stoughton et al. 2002)
_GAMMA = "shear_1", "shear_2"


def read_sources(
    table: InputTable,
    field: Field,
    bands: tuple[str, ...],
    *,
    band: str | None = None,
    margin: float = 0.0,
    seed: int = 0,
    tree: Taxonomy = DEFAULT,
    lens: Collection[str] = (),
    flip_g2: bool = False,
) -> Sources:
    """Galaxies of an input table that lie in the image or near enough to shine into it.

    Columns are ``ra``, ``dec``, ``mag`` (or ``mag_<band>``, for several bands where there are
    several) and, where wanted, ``half_light_radius``, ``position_angle`` and ``category``. A
    missing size is drawn for the magnitude, a missing angle at random.

    With `lens`, ``g1`` and ``g2`` (reduced shear) or else ``shear_1`` and ``shear_2`` (gamma), and
    ``kappa``, which is 0 without a column, change what the table has from before lensing.

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
    lens : collection of str
        What is lensed: ``shape``, which every galaxy needs and is always, and of the table's
        ``size``, ``flux`` and ``position`` those that are from before lensing. None of them draws
        the table as it is. Drawn sizes follow as magnitudes do. Positions can follow only where all
        galaxies have the same shear and convergence, as they are not known from these otherwise.
    flip_g2 : bool
        Take the second component of shear with the other sign: tables that count angles from north
        through west have it so.

    Returns
    -------
    Sources
        In the order of the table; `Sources.id` are its rows.

    Raises
    ------
    InvalidValueError
        If `band` is none of the bands, or `lens` has another word.
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
    drawn = half_light_radii(mag_nb[:, main], normal_n3)
    radius = np.where(np.isnan(given), drawn, given)
    angle = np.where(np.isnan(angle), 180 * u_nk[:, ANGLE], angle) % 180
    x, y = field.pixels(ra, dec)
    sources = Sources(np.arange(n), ra % 360, dec, x, y, mag_nb, radius, angle, category, tree)
    if lens:
        changes = parse_changes(lens)
        if "position" not in changes:  # what is far away may be lensed in any way
            reach = LONGEST * REACH * radius / field.pixel_scale + margin
            sources = sources[_near(sources, field, reach)]
        lensing = _read_lensing(table, changes, flip_g2, sources.id)
        sources = _lensed(sources, lensing, field, ~np.isnan(given[sources.id]))
    return sources[_near(sources, field, REACH * sources.longest / field.pixel_scale + margin)]


def _near(sources: Sources, field: Field, reach_n: np.ndarray) -> np.ndarray:
    """Tell which sources (N,) are in the image, or at most so many pixels from it."""
    return (np.abs(sources.x - (field.width - 1) / 2) < field.width / 2 + reach_n) & (
        np.abs(sources.y - (field.height - 1) / 2) < field.height / 2 + reach_n
    )


def _read_lensing(
    table: InputTable, changes: tuple[str, ...], flip_g2: bool, row_n: np.ndarray
) -> Lensing:
    """Read shear and convergence of some rows of a table; see `read_sources`."""

    def read(name: str, limit: float) -> np.ndarray:
        values_n = table.numbers(name, unit="", required=True, rows=row_n)
        return _checked(table, name, values_n, -limit, limit, row_n=row_n)

    kappa_n = read("kappa", WEAK) if table.find("kappa") else np.zeros(len(row_n))
    names = _shear(table)
    g1_n, g2_n = (read(name, 1) for name in names)
    g_n = g1_n + (-1j if flip_g2 else 1j) * g2_n
    if names == _GAMMA:
        g_n /= 1 - kappa_n
    _checked(table, "the reduced shear", np.abs(g_n), 0, WEAK, row_n=row_n)
    if "position" in changes and ((g_n != g_n[:1]).any() or (kappa_n != kappa_n[:1]).any()):
        raise DataError(
            f"{table.path}: positions are to be lensed, but shear and convergence differ from row "
            "to row and do not say how far galaxies move. Give positions that are lensed already."
        )
    return Lensing(g_n, kappa_n, changes)


def _lensed(sources: Sources, lensing: Lensing, field: Field, known_n: np.ndarray) -> Sources:
    """Return sources after lensing, with angles before it; `known_n` are those of a given size."""
    mu_n = lensing.magnification
    # A size that was drawn goes with the magnitude that it was drawn for.
    grows_n = np.where(known_n, "size" in lensing.changes, "flux" in lensing.changes)
    sources = replace(sources, radius=np.where(grows_n, mu_n**0.5, 1) * sources.radius)
    if "flux" in lensing.changes:
        sources = replace(sources, mag_nb=sources.mag_nb - 2.5 * np.log10(mu_n)[:, None])
    if "position" in lensing.changes:
        x0, y0 = (field.width - 1) / 2, (field.height - 1) / 2
        x, y = lensing.moved(sources.x - x0, sources.y - y0)
        x, y = x + x0, y + y0
        ra, dec = field.sky(x, y)
        sources = replace(sources, x=x, y=y, ra=ra, dec=dec)
    return replace(sources, lensing=lensing)


def explain_sources(
    table: InputTable,
    bands: tuple[str, ...],
    band: str | None = None,
    lens: Collection[str] = (),
) -> str:
    """Say which columns of a table `read_sources` takes for what, and for what there is none.

    Parameters
    ----------
    table, bands, band, lens
        See `read_sources`.
    """
    mags = {f"mag_{b.lower()}": name for b in bands if (name := _mag_column(table, bands, b, band))}
    others = ["ra", "dec", "half_light_radius", "position_angle", "category"]
    if lens:
        others += [*_shear(table), "kappa"]
    found = {ours: name for ours in others if (name := table.find(ours))} | mags
    nothing = [ours for ours in others if ours not in found]
    said = f"{table.label}: {explain(found, nothing)}"
    if not lens and table.find(_shear(table)[0]):
        said += "; its shear is left alone without `lens`"
    return said


def _shear(table: InputTable) -> tuple[str, str]:
    """Return which columns of shear are taken."""
    return _GAMMA if table.find("g1") is None and table.find("shear_1") else ("g1", "g2")


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
    row_n: np.ndarray | None = None,
) -> np.ndarray:
    """Return values (N,), of all rows or of some, if they are in range, or missing and optional."""
    good = (values >= low) & (values <= high) | (np.isnan(values) & optional)
    if not good.all():
        first = int(np.argmin(good))
        row = first if row_n is None else row_n[first]
        raise DataError(
            f"{table.path}: row {row} (from 0): {name} is {values[first]}; allowed: {low:g} to "
            f"{high:g}."
        )
    return values
