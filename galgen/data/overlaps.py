"""Galaxies whose cutouts show the same sky: a random split of them leaks."""

from __future__ import annotations

import numpy as np

from galgen.errors import DataError

# Pairs that are joined: in all, or for each galaxy. A survey has fewer.
_MOST_PAIRS, _NEIGHBOURS = 10**6, 20


def group_neighbours(ra: np.ndarray, dec: np.ndarray, width: float, ids: np.ndarray) -> np.ndarray:
    """Group galaxies whose square cutouts of side `width` may overlap, directly or in a chain.

    Squares of any orientation are apart once their centres are farther than sqrt(2) widths.

    Parameters
    ----------
    ra, dec : np.ndarray
        (N,) degrees. A galaxy with NaN is a group of its own.
    width : float
        Side of the cutouts, degrees.
    ids : np.ndarray
        (N,) str.

    Returns
    -------
    np.ndarray
        (N,) str: the id of the group's member that comes first in the file.

    Raises
    ------
    DataError
        If far more galaxies are near each other than in any survey.
    """
    # Places that are the same, as where unknown ones are written as 0, are looked at once.
    places, place_of = np.unique(np.stack([dec, ra], 1), axis=0, return_inverse=True)
    first = np.full(len(places), len(ra))
    np.minimum.at(first, place_of.reshape(-1), np.arange(len(ra)))
    delta, alpha = np.radians(places).T  # by declination, NaN last and each for itself
    xyz = np.stack([np.cos(delta) * np.cos(alpha), np.cos(delta) * np.sin(alpha), np.sin(delta)], 1)
    reach = np.radians(width * np.sqrt(2.0))
    root = np.arange(len(ra))
    root[:] = first[place_of.reshape(-1)]

    def find(row: int) -> int:
        while root[row] != row:
            root[row] = root[root[row]]
            row = root[row]
        return row

    # Neighbours in declination are neighbours in the sorted list: compare each galaxy with the next
    # one, the one after, and so on until no pair is within reach in declination alone.
    joined = 0
    for step in range(1, len(places)):
        near = np.nonzero(delta[step:] - delta[:-step] <= reach)[0]
        if near.size == 0:
            break
        chord = np.linalg.norm(xyz[near + step] - xyz[near], axis=1)
        pairs = near[2.0 * np.arcsin(np.minimum(chord / 2.0, 1.0)) <= reach]
        joined += pairs.size
        if joined > max(_MOST_PAIRS, _NEIGHBOURS * len(places)):
            raise DataError("ra, dec: nearly all galaxies are at one place; is the unit degrees?")
        for i in pairs:
            a, b = sorted((find(first[i]), find(first[i + step])))
            root[b] = a  # the smaller row stays the root
    return ids[[find(row) for row in range(len(ra))]]
