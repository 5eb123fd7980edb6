"""`GalaxyBatch`: what generation hands to the catalogue, and all that the two share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from galgen.errors import InvalidValueError

# The columns of a catalogue that identify a galaxy, in front of those that are measured ...
IDENTITY = ("GALAXY_ID", "SEED", "CATEGORY", "CATEGORY_NAME")
# ... and, last, one that may fill the rows up.
SPARE = "SPARE"


def galaxy_names(
    seeds: Iterable[int], ids: Iterable[int], parts: Iterable[int] | None = None
) -> list[str]:
    """Name galaxies for files in which each needs a name of its own.

    Parameters
    ----------
    seeds, ids : iterable of int
        SEED and GALAXY_ID of each: ``<SEED>-<GALAXY_ID>``.
    parts : iterable of int, optional
        Number of the part of each, where catalogues were put together and these two may be there
        more than once: ``<PART>-<SEED>-<GALAXY_ID>``.
    """
    names = [f"{seed}-{i}" for seed, i in zip(seeds, ids, strict=True)]
    if parts is None:
        return names
    return [f"{part}-{name}" for part, name in zip(parts, names, strict=True)]


@dataclass(frozen=True)
class GalaxyBatch:
    """Consecutive galaxies of one run. Shapes are checked once, here.

    Attributes
    ----------
    galaxy_id_n : ndarray (n,) int64
        Index of each galaxy in the run, consecutive and rising.
    category_n : ndarray (n,) int16
        Category codes asked for, of the run's tree.
    stamps_nbhw : ndarray (n, b, h, w) float32
        Flux per pixel, bluest band first. Big-endian where made on a GPU: the bytes of a FITS file.
    measured : mapping of str to ndarray (n,) float32
        Columns of `galgen.measure.measured_columns`.
    bands : tuple of str
        Band names.
    seed : int
        Seed of the run; (seed, galaxy_id) identifies a galaxy.
    stamp_sums_nb : ndarray (n, b) uint32, optional
        FITS checksum (``DATASUM``) of each stamp of each band, of big-endian stamps.
    carried : mapping of str to ndarray (n, ...)
        Columns carried over from an input table, or redshift, as FITS holds them
        (`RunInfo.carried`).

    Raises
    ------
    InvalidValueError
        If shapes or types do not fit.
    """

    galaxy_id_n: np.ndarray
    category_n: np.ndarray
    stamps_nbhw: np.ndarray
    measured: Mapping[str, np.ndarray]
    bands: tuple[str, ...]
    seed: int
    stamp_sums_nb: np.ndarray | None = None
    carried: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.galaxy_id_n)
        shape = self.stamps_nbhw.shape
        if len(shape) != 4 or shape[:2] != (n, len(self.bands)):
            allowed = f"({n}, {len(self.bands)}, height, width)"
            raise InvalidValueError("stamps shape", shape, allowed)
        for name, column in {"category": self.category_n, **self.measured}.items():
            if column.shape != (n,):
                raise InvalidValueError(f"{name} shape", column.shape, f"({n},)")
        for name, column in self.carried.items():
            if column.shape[:1] != (n,):
                raise InvalidValueError(f"{name} shape", column.shape, f"({n}, ...)")
        sums_nb = self.stamp_sums_nb
        if sums_nb is not None and self.stamps_nbhw.dtype != np.dtype(">f4"):
            dtype = str(self.stamps_nbhw.dtype)
            raise InvalidValueError("dtype of stamps with sums", dtype, "big-endian float32")
        if sums_nb is not None and (sums_nb.shape != shape[:2] or sums_nb.dtype != np.uint32):
            given = f"{sums_nb.dtype} {sums_nb.shape}"
            raise InvalidValueError("stamp sums", given, f"uint32 {shape[:2]}")

    def __len__(self) -> int:
        return len(self.galaxy_id_n)

    def part(self, start: int, stop: int) -> GalaxyBatch:
        """Take the galaxies `start` to before `stop` of the run, all of which are in the batch."""
        first = int(self.galaxy_id_n[0])
        rows = slice(start - first, stop - first)
        sums_nb = self.stamp_sums_nb
        return replace(
            self,
            galaxy_id_n=self.galaxy_id_n[rows],
            category_n=self.category_n[rows],
            stamps_nbhw=self.stamps_nbhw[rows],
            measured={name: column[rows] for name, column in self.measured.items()},
            stamp_sums_nb=None if sums_nb is None else sums_nb[rows],
            carried={name: column[rows] for name, column in self.carried.items()},
        )
