"""Writers of `bench_fits`: the same galaxies to an fsync, read again by astropy."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import numpy as np
from astropy.io import fits

from bench import bench_fits

from .protocol import Facts, Turn, WrongOutputError


def start(settings: Facts) -> tuple[Turn, Facts]:
    """Make the galaxies once."""
    galaxies = bench_fits.make_galaxies()
    size = bench_fits.LAYOUT.total_bytes

    def turn(told: Facts) -> Facts:
        path = Path(told["out"])
        path.unlink(missing_ok=True)
        begun = perf_counter()
        getattr(bench_fits, f"with_{told['way']}")(path, galaxies)
        seconds = perf_counter() - begun
        if not _right(path, galaxies, told["way"]):
            raise WrongOutputError(f"astropy reads other galaxies than {told['way']} was given")
        path.unlink()
        return {"megabytes_per_second": size / seconds / 1e6}

    return turn, {"megabytes": size / 1e6, "galaxies": bench_fits.INFO.n}


def _right(path: Path, galaxies: bench_fits.Galaxies, way: str) -> bool:
    """Tell whether the last batch is there; plain bytes have no header, only their size."""
    if way == "pwrite":
        return path.stat().st_size == bench_fits.LAYOUT.total_bytes
    first = bench_fits.STARTS[-1]
    with fits.open(path) as hdus:
        if way == "astropy_table":
            last = hdus[-1].data
            found = [last[f"STAMPS_{band}"] for band in bench_fits.BANDS]
        else:
            cubes = [hdus[f"STAMPS_{band}"].data for band in bench_fits.BANDS]
            found = [cube_nhw[first:] for cube_nhw in cubes]
            if len(hdus["CATALOG"].data) != bench_fits.INFO.n:
                return False
        wanted = galaxies.cubes_bnhw
        return all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))
