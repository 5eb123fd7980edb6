"""Galaxies of either origin, measured by the same code and seen in the same kind of picture."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from galgen.catalog import CatalogFile
from galgen.categories import Taxonomy
from galgen.data import StampSet
from galgen.evaluation.columns import compared_values
from galgen.measure import measure, measured_columns, structure, structure_columns
from galgen.pictures.display import to_display
from galgen.pictures.grid import rgb
from galgen.pixels.lupton import LuptonStretch

_CHUNK = 256  # stamps in memory as flux
_COLOURS = "blue", "green", "red"  # of pictures


@dataclass(frozen=True)
class Galaxies:
    """N galaxies of one origin, the stamps of M of which were looked at.

    Attributes
    ----------
    tree : Taxonomy
        Their categories.
    ids_n, group_n, category_n : ndarray (N,)
        Names, groups (galaxies of one group are no independent ones) and codes of categories.
    values : dict of str to ndarray (N,)
        Compared columns, NaN where not measured; those of the structure for the M only, if they are
        generated.
    seen_m : ndarray (M,) int
        Rows whose stamps were looked at, rising.
    images_mhwc : ndarray (M, H, W, 3) uint8
        Their pictures, bluest band first.
    """

    tree: Taxonomy
    ids_n: np.ndarray
    group_n: np.ndarray
    category_n: np.ndarray
    values: dict[str, np.ndarray]
    seen_m: np.ndarray
    images_mhwc: np.ndarray

    def __len__(self) -> int:
        return len(self.ids_n)

    def rows(self, code: int, below: bool = False) -> np.ndarray:
        """Return the rows of a category, and of what is below it."""
        of_it = self.tree.are_below(self.category_n, code) if below else self.category_n == code
        return np.flatnonzero(of_it)

    def pictures(self, rows: np.ndarray) -> np.ndarray:
        """Return where in `images_mhwc` the pictures of rows are, of those that have one."""
        return np.flatnonzero(np.isin(self.seen_m, rows))

    def undetected(self, rows: np.ndarray) -> float:
        """Fraction of rows in which no galaxy was found, NaN of none."""
        radius = self.values["HALF_LIGHT_RADIUS"][rows]
        return float(np.isnan(radius).mean()) if len(rows) else math.nan


def generated_galaxies(catalog: CatalogFile, stretch: LuptonStretch | None, most: int) -> Galaxies:
    """Read what was measured of the galaxies of a catalogue, and look at some of each category.

    Parameters
    ----------
    catalog : CatalogFile
        The catalogue.
    stretch : LuptonStretch or None
        From flux to display values; None where there are no stamps.
    most : int
        Galaxies of a category whose stamps are looked at, evenly spaced.
    """
    names = [column.name for column in measured_columns(catalog.bands)]
    values = compared_values({name: catalog.column(name) for name in names}, catalog.bands)
    category_n = catalog.column("CATEGORY")
    seen = np.empty(0, int) if stretch is None else evenly_of_each(category_n, most)
    values |= {c.name: np.full(len(catalog), np.nan, np.float32) for c in structure_columns()}
    images = [np.empty((0, catalog.info.height, catalog.info.width, 3), np.uint8)]
    for start in range(0, len(seen), _CHUNK):
        rows = seen[start : start + _CHUNK]
        assert stretch is not None  # then there are no rows
        stamps_nbhw = catalog.stamps(rows)
        images.append(_images(stamps_nbhw, stretch))
        flux_nhwc = torch.from_numpy(stamps_nbhw).movedim(1, -1)
        for name, column in structure(flux_nhwc, catalog.bands).items():
            values[name][rows] = column.numpy()
    ids = catalog.column("GALAXY_ID")
    return Galaxies(catalog.info.tree, ids, ids, category_n, values, seen, np.concatenate(images))


def real_galaxies(stamps: StampSet, stretch: LuptonStretch | None, most: int) -> Galaxies:
    """Measure real galaxies in flux, and look at some of each category.

    Parameters
    ----------
    stamps : StampSet
        N real galaxies.
    stretch : LuptonStretch or None
        From flux to display values; None where there is nothing to be looked at.
    most : int
        Galaxies of a category that are looked at, evenly spaced.
    """
    seen = np.empty(0, int) if stretch is None else evenly_of_each(stamps.category, most)
    parts, images = [], [np.empty((0, *stamps.pixels.shape[1:3], 3), np.uint8)]
    for start in range(0, max(len(stamps), 1), _CHUNK):  # of no galaxies the columns, too
        flux_nhwc = stamps.flux(slice(start, start + _CHUNK))
        found = measure(flux_nhwc, stamps.bands) | structure(flux_nhwc, stamps.bands)
        parts.append({name: column.numpy() for name, column in found.items()})
        if stretch is not None:
            here = seen[(seen >= start) & (seen < start + _CHUNK)] - start
            images.append(_images(flux_nhwc[here].movedim(-1, 1).numpy(), stretch))
    measured = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Galaxies(
        stamps.tree,
        stamps.ids,
        stamps.group,
        stamps.category,
        compared_values(measured, stamps.bands),
        seen,
        np.concatenate(images),
    )


def pictures_of(stamps: StampSet, stretch: LuptonStretch) -> np.ndarray:
    """Return pictures (N, H, W, 3) of 8 bits of real galaxies, bluest band first."""
    parts = [np.empty((0, *stamps.pixels.shape[1:3], 3), np.uint8)]
    for start in range(0, len(stamps), _CHUNK):
        flux_nhwc = stamps.flux(slice(start, start + _CHUNK))
        parts.append(_images(flux_nhwc.movedim(-1, 1).numpy(), stretch))
    return np.concatenate(parts)


def as_pictures(stamps: StampSet, images_nhwc: np.ndarray) -> StampSet:
    """Put pictures in the place of the pixels of real galaxies."""
    return replace(
        stamps, pixels=images_nhwc, native="display", bands=_COLOURS, lupton=None, noise=None
    )


def evenly(n: int, most: int) -> np.ndarray:
    """Return at most `most` rows of n, evenly spaced."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))


def evenly_of_each(category_n: np.ndarray, most: int) -> np.ndarray:
    """Return at most `most` rows of each category, evenly spaced, rising."""
    every = [np.flatnonzero(category_n == code) for code in np.unique(category_n)]
    chosen = [rows[evenly(len(rows), most)] for rows in every]
    return np.sort(np.concatenate([np.empty(0, int), *chosen]))


def _images(stamps_nbhw: np.ndarray, stretch: LuptonStretch) -> np.ndarray:
    """Pictures (n, h, w, 3) of 8 bits, bluest band first."""
    return rgb(to_display(stamps_nbhw, stretch))[..., ::-1]
