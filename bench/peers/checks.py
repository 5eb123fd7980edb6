"""What was written is what it should be: astropy opens it, and every number in it is right."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

BANDS, SIZE = 3, 64
LOST = 0.05  # of the flux: a bulge has faint wings beyond the stamp
SIGMAS = 6.0  # of the noise of a whole stamp


class WrongOutputError(RuntimeError):
    """Something was timed whose output is not right."""


def check_stamps(path: Path, n: int, told: dict[str, Any]) -> None:
    """Check a file of `n` galaxies: cubes, checksums, and the truth where there is one.

    Parameters
    ----------
    path : Path
        A cube per band; galgen's `CATALOG` and a `TRUTH` of fluxes are compared with them.
    n : int
        Galaxies that it should have.
    told : dict
        What the program said: `mean` of all pixels, and `noise` per pixel, if it knows them.

    Raises
    ------
    WrongOutputError
        If anything is wrong.
    """
    with warnings.catch_warnings(action="error"), fits.open(path, checksum=True) as hdus:
        cubes = [hdu.data for hdu in hdus if hdu.is_image and hdu.data is not None]
        _require([c.shape for c in cubes] == [(n, SIZE, SIZE)] * BANDS, "shapes", path)
        _require({c.dtype.str for c in cubes} == {">f4"}, "types", path)
        _require(all(np.isfinite(c).all() and c.std() > 0 for c in cubes), "pixels", path)
        if "mean" in told:
            mean = np.mean([c.mean(dtype=np.float64) for c in cubes])
            _require(math.isclose(mean, told["mean"], rel_tol=1e-5, abs_tol=1e-8), "mean", path)
        if "TRUTH" in hdus:
            for cube_nhw, name in zip(cubes, hdus["TRUTH"].columns.names, strict=True):
                flux_n = hdus["TRUTH"].data[name]
                off_n = np.abs(cube_nhw.sum(axis=(1, 2), dtype=np.float64) - flux_n)
                near_n = off_n < LOST * flux_n + SIGMAS * told["noise"] * SIZE
                _require(near_n.all(), f"{name} of {np.argmin(near_n)}", path)
        if "CATALOG" in hdus:
            rows = hdus["CATALOG"].data
            _require(np.array_equal(rows["GALAXY_ID"], np.arange(n)), "GALAXY_ID", path)
            _require(bool((rows["FLUX_R"] > 0).mean() > 0.5), "FLUX_R", path)


def _require(right: object, what: str, path: Path) -> None:
    if not right:
        raise WrongOutputError(f"wrong {what} in {path.name}")
