"""What is to be in a field: positions, magnitudes, sizes, angles and categories."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import torch

from galgen import noise
from galgen.categories import DEFAULT, Taxonomy
from galgen.errors import InvalidValueError
from galgen.noise import Stream
from galgen.scene.clustering import Clustering, draw_density
from galgen.scene.counts import I_BAND, Counts, density, magnitudes
from galgen.scene.field import Field
from galgen.scene.lensing import Lensing, stretch
from galgen.scene.population import half_light_radii

MAX_SOURCES = 10_000_000
_X, _Y, _MAG, ANGLE, _CELL = range(5)  # uniform numbers of a source
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
    lensing : Lensing or None
        Of all, where they are lensed: magnitudes, radii and positions are those afterwards, angles
        those before.
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
    lensing: Lensing | None = None

    def __len__(self) -> int:
        return len(self.id)

    def __getitem__(self, index: slice | np.ndarray) -> Self:
        """Return the sources of a slice, an index array or a boolean mask."""
        names = [field.name for field in fields(self) if field.name != "tree"]
        parts = {name: part[index] for name in names if (part := getattr(self, name)) is not None}
        return replace(self, **parts)

    @property
    def longest(self) -> np.ndarray:
        """Half-light radii (N,) in arcsec along the axes that shear stretches most."""
        if self.lensing is None:
            return self.radius
        longest_n: np.ndarray = self.radius * stretch(np.abs(self.lensing.g_n))
        return longest_n


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
    counts: Counts = I_BAND,
    clustering: Clustering | None = None,
) -> Sources:
    """Galaxies anywhere in the image, with magnitudes from number counts and sizes to match.

    Source i of a seed has the same random numbers whatever their number. Bands without counts have
    the colours of the galaxies that will be drawn.

    Parameters
    ----------
    field : Field
        The image.
    bands : tuple of str
        Bands of the galaxies that will be drawn.
    limits : (float, float)
        Brightest and faintest magnitude.
    n : int, optional
        How many; by default what the number counts give for the area, times the density of the
        field where galaxies are clustered.
    band : str, optional
        Band of the magnitudes, see `reference_band`.
    seed : int
        Of their random numbers.
    counts : Counts, optional
        Of the band of the magnitudes; by default those of i, whatever the band.
    clustering : callable, optional
        Two-point function of their positions: given angles in deg, it returns as many w. It holds
        down to 1 / 512 of the longer side of the image.

    Returns
    -------
    Sources
        With the tree of categories by default, all of the category ``galaxy``.

    Raises
    ------
    InvalidValueError
        If a value is out of range.
    """
    expected = density(*limits, counts) * field.area
    clustered = None if clustering is None else draw_density(field, clustering, seed)
    if clustered is not None:
        expected *= clustered.mean
    n = round(expected) if n is None else n
    if not 0 <= n <= MAX_SOURCES:
        raise InvalidValueError("n", n, f"0 to {MAX_SOURCES:,}")
    u_nk, normal_n3 = random_numbers(seed, n)
    if clustered is None:
        x, y = u_nk[:, _X] * field.width - 0.5, u_nk[:, _Y] * field.height - 0.5
    else:
        x, y = clustered.positions(u_nk[:, [_CELL, _X, _Y]])
    mag_nb = np.full((n, len(bands)), np.nan)
    mag = mag_nb[:, reference_band(bands, band)] = magnitudes(u_nk[:, _MAG], *limits, counts)
    radius, angle = half_light_radii(mag, normal_n3), 180 * u_nk[:, ANGLE]
    category = np.zeros(n, np.int64)
    return Sources(np.arange(n), *field.sky(x, y), x, y, mag_nb, radius, angle, category)


def random_numbers(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Uniform numbers (n, 5) and normal numbers (n, 3) of the sources of a seed."""
    index = torch.arange(n)
    normal = noise.normal(seed, index, (3,), _NORMAL).double()
    return noise.uniform(seed, index, _UNIFORM, 5).numpy(), normal.numpy()
