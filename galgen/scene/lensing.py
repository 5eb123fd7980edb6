"""What lensing changes of the galaxies of a field."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Self, TypeVar

import numpy as np

from galgen.errors import InvalidValueError
from galgen.lensing import WeakLensing

FloatOrArray = TypeVar("FloatOrArray", float, np.ndarray)
CHANGES = ("shape", "size", "flux", "position")  # what lensing may change
# Of reduced shear and of convergence: beyond, galaxies are bent, and no linear map will do.
WEAK = 0.5
LONGEST = 4.0  # times its radius, a galaxy of so much shear and convergence along its longest axis


@dataclass(frozen=True)
class Lensing(WeakLensing):
    """What lensing does to galaxies.

    Attributes
    ----------
    g_n, kappa_n
        See `galgen.lensing.WeakLensing`.
    changes : tuple of str
        What follows of what a list says, see `parse_changes`.
    """

    changes: tuple[str, ...]

    def __getitem__(self, index: slice | np.ndarray) -> Self:
        """Return the lensing of some of the galaxies."""
        return replace(self, g_n=self.g_n[index], kappa_n=self.kappa_n[index])

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """Columns of the table of truth, by name."""
        return {
            "G1": self.g_n.real,
            "G2": self.g_n.imag,
            "KAPPA": self.kappa_n,
            "MAGNIFICATION": self.magnification,
        }

    def in_image(self, north_n: np.ndarray) -> np.ndarray:
        """Return the reduced shear (N,) with its first component along +x of the image.

        Shear is relative to north where the galaxy is, as in catalogues; but to north in the middle
        of the image where positions follow, and all of it is one map.

        Parameters
        ----------
        north_n : ndarray (N,)
            Direction of north, deg counter-clockwise from +x.
        """
        if "position" in self.changes:
            return self.g_n
        g_n: np.ndarray = self.g_n * np.exp(2j * np.radians(north_n - 90))
        return g_n


def parse_changes(names: Collection[str]) -> tuple[str, ...]:
    """Return what lensing changes, in the order of `CHANGES`: what is named, and always ``shape``.

    A generated galaxy has never been lensed, whatever has been done to its size and flux.

    Raises
    ------
    InvalidValueError
        If a name is not one of `CHANGES`, or there is none.
    """
    if not names or not set(names) <= {*CHANGES}:
        raise InvalidValueError("lens", ",".join(names), f"some of {', '.join(CHANGES)}")
    return tuple(change for change in CHANGES if change == "shape" or change in names)


def stretch(shear: FloatOrArray) -> FloatOrArray:
    """By what factor a shear of a modulus lengthens a galaxy that keeps its area."""
    longer: FloatOrArray = ((1 + shear) / (1 - shear)) ** 0.5
    return longer


def lensed_ellipse(
    axis_ratio_n: np.ndarray, angle_n: np.ndarray, g_n: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return axis ratios and angles of ellipses that are sheared.

    Of e = (1 - q) / (1 + q) exp(2 i angle) it makes (e + g) / (1 + g* e) (Seitz & Schneider 1997,
    arXiv:astro-ph/9601079).

    Parameters
    ----------
    axis_ratio_n, angle_n : ndarray (N,)
        Minor over major axis q, and the major axis, deg counter-clockwise from +x.
    g_n : ndarray (N,) complex128
        Reduced shear of a modulus below 1, its first component along +x.
    """
    e_n = (1 - axis_ratio_n) / (1 + axis_ratio_n) * np.exp(2j * np.radians(angle_n))
    e_n = (e_n + g_n) / (1 + g_n.conj() * e_n)
    return (1 - np.abs(e_n)) / (1 + np.abs(e_n)), np.degrees(np.angle(e_n) / 2) % 180
