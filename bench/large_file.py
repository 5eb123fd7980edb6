"""A catalogue beyond 4 GiB, where 32-bit offsets end: written, checked by every reader, read.

    python -m bench.large_file FOLDER --out bench/results/large-file.json

Random galaxies of 64 pixels in three bands. Exit code 1 if any checker refuses the file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Annotated

os.environ["GALGEN_BENCH_SIZE"] = "64"

import fitsio
import numpy as np
import typer
from astropy.io import fits
from typer import Argument, Option

from bench.bench_fits import INFO, make_galaxies
from bench.record import save
from galgen.catalog import CatalogFile, verify, write_catalog

GIB = 2**30
READS = 9


def main(
    folder: Annotated[Path, Argument(help="Where to write 4.5 GB.")],
    galaxies: int = 90 * 1024,
    out: Annotated[Path | None, Option(help="JSON to write.")] = None,
) -> None:
    """Write a large catalogue, check it and read from it."""
    path = folder / "large.fits"
    batch = make_galaxies().batch
    info = replace(INFO, n=galaxies)

    def batches():
        for start in range(0, info.n, len(batch)):
            ids = np.arange(start, start + len(batch))
            yield replace(batch, galaxy_id_n=ids).part(start, min(start + len(batch), info.n))

    results = {"galaxies": info.n}
    seconds = timed(lambda: write_catalog(path, batches(), info, overwrite=True))
    results["gib"] = path.stat().st_size / GIB
    results["write_mb_per_s"] = path.stat().st_size / 1e6 / seconds
    checks = {
        "galgen": lambda: verify(path).ok,
        "astropy": lambda: astropy_accepts(path),
        "fitsio": lambda: fitsio_accepts(path),
    }
    if shutil.which("fitsverify"):
        checks["fitsverify"] = lambda: fitsverify_accepts(path)
    results["accepted_by"] = {name: check() for name, check in checks.items()}
    with CatalogFile(path) as file:
        results["last_stamp_is_right"] = bool(
            np.array_equal(file.stamps(info.n - 1), batch.stamps_nbhw[(info.n - 1) % len(batch)])
        )
    results["open_and_read_column_ms"] = {
        reader.__name__: 1e3 * median(timed(lambda read=reader: read(path)) for _ in range(READS))
        for reader in (galgen_column, fitsio_column, astropy_column)
    }
    save(out, results)
    print(results)
    path.unlink()
    if not (all(results["accepted_by"].values()) and results["last_stamp_is_right"]):
        raise typer.Exit(1)


def timed(call: Callable[[], object]) -> float:
    """Return how many seconds a call takes."""
    start = perf_counter()
    call()
    return perf_counter() - start


def galgen_column(path: Path) -> np.ndarray:
    """Read a column with galgen."""
    with CatalogFile(path) as file:
        return file.column("SNR")


def fitsio_column(path: Path) -> np.ndarray:
    """Read a column with fitsio."""
    with fitsio.FITS(path) as file:
        return file["CATALOG"]["SNR"].read()


def astropy_column(path: Path) -> np.ndarray:
    """Read a column with astropy."""
    with fits.open(path, memmap=True) as hdus:
        return np.array(hdus["CATALOG"].data["SNR"])


def astropy_accepts(path: Path) -> bool:
    """Every header; its checksums would need all of each cube in memory, so fitsio does those."""
    with fits.open(path, memmap=True) as hdus:
        hdus.verify("exception")
        return all(len(hdu.data) == len(hdus["CATALOG"].data) for hdu in hdus[1:])


def fitsio_accepts(path: Path) -> bool:
    """Return whether fitsio finds all checksums right."""
    with fitsio.FITS(path) as file:
        return all(hdu.verify_checksum() is None for hdu in file)


def fitsverify_accepts(path: Path) -> bool:
    """Return whether fitsverify finds the file right."""
    done = subprocess.run(["fitsverify", "-q", path], capture_output=True, text=True)
    return "verification OK" in done.stdout


if __name__ == "__main__":
    typer.run(main)
