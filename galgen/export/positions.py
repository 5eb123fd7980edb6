"""Where the galaxies of a catalogue are on the sky."""

from __future__ import annotations

import math

import numpy as np
import torch

from galgen.catalog import CatalogFile
from galgen.catalog.format.parts import Part
from galgen.errors import CatalogError, InvalidValueError
from galgen.export.angles import AngleColumn
from galgen.noise import Stream, uniform

Range = tuple[float, float]


class Positions:
    """Right ascension and declination: columns of the catalogue, or random.

    Parameters
    ----------
    catalog : CatalogFile
        It has columns RA and DEC (any case, see `galgen.export.angles`), unless ranges are given.
    ra, dec : tuple of float, optional
        Degrees, lower and upper. Galaxies get positions that are uniform on this part of the sky;
        each depends only on its SEED and GALAXY_ID (and its part, where catalogues were put
        together). `ra` may cross 360.

    Attributes
    ----------
    columns : tuple of str
        Names of the columns with right ascension and declination in degrees.
    added : tuple of str
        Those of them that are not in the catalogue.
    origin : str
        Where the numbers in them are from.

    Raises
    ------
    InvalidValueError
        If the catalogue has no positions and none are asked for, if both are the case, or if a
        range is not one.
    CatalogError
        If its columns RA and DEC are not of angles.
    """

    def __init__(self, catalog: CatalogFile, ra: Range | None, dec: Range | None) -> None:
        names = {name.upper(): name for name in catalog.column_names}
        has = "RA" in names and "DEC" in names
        self._drawn = ra is not None or dec is not None
        if has == self._drawn:
            raise InvalidValueError(
                "positions",
                "given twice" if has else None,
                "columns RA and DEC of the catalogue, or ranges that random ones are drawn from",
                "" if has else "Give for example `ra=(150, 152), dec=(1, 3)`, in degrees.",
            )
        self._catalog = catalog
        self.columns: tuple[str, ...] = ("RA", "DEC")
        self.added: tuple[str, ...] = self.columns
        self.origin = "drawn at random for this export"
        if self._drawn:
            self._ra = _range("ra", ra, -360, 360, widest=360)
            self._dec = _range("dec", dec, -90, 90, widest=180)
            return
        self._axes = tuple(AngleColumn(catalog, names[name]) for name in self.columns)
        if all(axis.in_degrees for axis in self._axes):
            self.columns, self.added = tuple(axis.name for axis in self._axes), ()
        else:
            taken = set(names)
            self.columns = self.added = tuple(_free(f"{name}_DEG", taken) for name in self.columns)
            self.origin = "that of the catalogue in degrees"

    def of(self, number: int, part: Part, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Look up or draw the positions of some galaxies.

        Parameters
        ----------
        number : int
            Number of the part among those of the catalogue.
        part : Part
            The part itself.
        start, stop : int
            Rows of the catalogue, `start` to before `stop`.

        Returns
        -------
        ra_n, dec_n : ndarray (n,) float64
            Degrees, 0 <= ra < 360.

        Raises
        ------
        CatalogError
            If one is not a position on the sky.
        """
        if not self._drawn:
            ra_n, dec_n = (axis.degrees(slice(start, stop)) for axis in self._axes)
            bad_n = ~(np.isfinite(ra_n) & (np.abs(dec_n) <= 90))
            if bad_n.any():
                row = start + int(np.flatnonzero(bad_n)[0])
                here = [self._catalog.column(a.name, slice(row, row + 1))[0] for a in self._axes]
                raise CatalogError(
                    f"{self._catalog.path}: row {row} is at RA {here[0]}, DEC {here[1]}, which is "
                    "nowhere on the sky."
                )
            return np.mod(ra_n, 360.0), dec_n
        ids = torch.from_numpy(self._catalog.column("GALAXY_ID", slice(start, stop)))
        stream = Stream.SKY_POSITION.at(number % (1 << 16))
        u_n2 = uniform(part.info.seed % 2**63, ids, stream, 2).numpy()
        # Equal areas are equal ranges of sin(dec).
        low, high = (math.sin(math.radians(value)) for value in self._dec)
        sine_n = np.clip(low + (high - low) * u_n2[:, 1], -1.0, 1.0)
        ra_n = self._ra[0] + (self._ra[1] - self._ra[0]) * u_n2[:, 0]
        return np.mod(ra_n, 360.0), np.degrees(np.arcsin(sine_n))


def _free(name: str, taken: set[str]) -> str:
    """Name that no other column has."""
    while name in taken:
        name += "_"
    return name


def _range(name: str, given: Range | None, least: float, most: float, widest: float) -> Range:
    """Range given by the user, checked."""
    allowed = f"lower:upper in degrees, {least} to {most} or wrapped, at most {widest} wide"
    if given is None:
        raise InvalidValueError(name, None, allowed, "Give both ra and dec.")
    low, high = given
    upper = most + 360 if name == "ra" else most
    if not (least <= low < high <= upper and high - low <= widest):
        raise InvalidValueError(name, given, allowed)
    return low, high
