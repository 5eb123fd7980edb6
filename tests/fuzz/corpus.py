"""Whole files of every kind that galgen reads, small, made by galgen and by other writers."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Collection
from pathlib import Path

import h5py
import numpy as np
from astropy.io import fits
from astropy.table import Table

from galgen.weights.checkpoint import export
from tests.fuzz.child import command, forked
from tests.request.tractor import tractor
from tests.surveys import (
    NANOMAGGY_IN_COUNTS,
    exponentials,
    write_galaxiesml,
    write_hsc,
    write_legacy,
)
from tests.tiny import SIZE, make_checkpoint

GALAXIES = 6
FIXTURE = Path(__file__).parents[1] / "fixtures" / "galaxies64.zip"
TABLES = {  # file of a table: how astropy calls its format
    "table.fits": "fits",
    "table.csv": "ascii.csv",
    "table.ecsv": "ascii.ecsv",
    "table.vot": "votable",
    "table.parquet": "parquet",
    "table.txt": "ascii.tab",
    "table.csv.gz": "ascii.csv",
}

_TINY = "--steps 1 --batch 2 --weights weights --quiet"
_MASS = f"mass --category spiral:1,smooth:1 --n {GALAXIES} {_TINY}"
_LIKE = f"mass --like table.ecsv --pixscale 0.4 {_TINY}"
# In this order: later ones read what earlier ones have made.
_COMMANDS = (
    f"{_MASS} --out float32.fits",
    f"{_MASS} --out int16.fits --stamps int16",
    f"{_MASS} --out nostamps.fits --no-stamps",
    f"{_MASS} --out observed.fits --flux-unit nanomaggy --mag-zero 22.5 --pixscale 0.4 --psf 1.2"
    " --noise 0.05",
    f"{_MASS} --out other.fits --seed 1",
    f"{_MASS} --out split/cat.fits --max-file-size 75kB",
    f"{_LIKE} --out like.fits",
    "compress float32.fits --quiet",
    "compress int16.fits --lossless --quiet",
    "cat float32.fits other.fits --out joined.fits --quiet",
    "export imagefolder float32.fits images --quiet",
    "export imagefolder float32.fits images.zip --quiet",
    "export hdf5 float32.fits stamps.h5 --quiet",
    # Ledgers: of a run with a gap, and of one that is complete, but not finished.
    *(f"{_MASS} --out gap/cat.fits --njobs 3 --job {job}" for job in (0, 2)),
    *(f"{_MASS} --out full/cat.fits --njobs 3 --job {job}" for job in range(3)),
    *(f"{_MASS} --out parts/cat.fits --max-file-size 75kB --njobs 3 --job {j}" for j in (0, 2)),
    f"{_MASS} --out bare/cat.fits --no-stamps --njobs 2 --job 0",
    f"{_MASS} --out short/cat.fits --stamps int16 --njobs 2 --job 0",
    f"{_LIKE} --out rows/cat.fits --njobs 2 --job 0",
    "train --data real.zip --out run --preset tiny --images 4 --batch 4 --workers 1 --size 16"
    " --quiet",
)


def build(folder: Path, needed: Collection[str] | None = None) -> None:
    """Make all files, in children of this process, which thereby stays without threads.

    Parameters
    ----------
    folder : Path
        Where; what is there is removed.
    needed : collection of str, optional
        Only what these commands write is needed, of those that take long.

    Raises
    ------
    RuntimeError
        If a command fails; all of them are right.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("split", "gap", "full", "parts", "bare", "short", "rows"):
        (folder / name).mkdir(parents=True)
    _make(lambda: export(make_checkpoint(), folder / "weights", "# tiny\n"), folder)
    _make(lambda: _tables(folder), folder)
    _make(lambda: _images(folder), folder)
    _make(lambda: _cutouts(folder), folder)
    _texts(folder)
    (folder / "guard").write_text("Nothing changes this file.\n")
    for line in _COMMANDS:
        if needed is not None and not any(f" {name} " in f"{line} " for name in needed):
            continue
        ended = command(line.split(), folder, 120)
        if ended.code != 0:
            raise RuntimeError(f"galgen {line}: exit code {ended.code}\n{ended.err}")


def _make(write: Callable[[], object], folder: Path) -> None:
    """Call what writes, in a child."""

    def run() -> None:
        write()

    ended = forked(run, folder)
    if ended.code != 0:
        raise RuntimeError(ended.err)


def _tables(folder: Path) -> None:
    """Tables of galaxies to make, in every format, and of galaxies to draw."""
    table = tractor(GALAXIES)
    plain = table[[name for name in table.colnames if table[name].ndim == 1]]
    plain["REF_ID"] = plain["REF_ID"].astype(np.int32)  # VOTable has no unsigned numbers
    for name, form in TABLES.items():
        if name.endswith(".gz"):
            import gzip

            text = (folder / name.removesuffix(".gz")).read_bytes()
            (folder / name).write_bytes(gzip.compress(text, mtime=0))
        else:
            (table if form == "fits" else plain).write(folder / name, format=form)
    rng = np.random.default_rng(2)
    drawn = Table(
        {
            "ra": 150 + rng.uniform(-0.002, 0.002, GALAXIES),
            "dec": 2 + rng.uniform(-0.002, 0.002, GALAXIES),
            "mag": rng.uniform(18, 20, GALAXIES),
            "half_light_radius": rng.uniform(0.5, 1, GALAXIES),
            "category": np.resize(["spiral", "smooth"], GALAXIES),
        }
    )
    drawn.write(folder / "drawn.csv", format="ascii.csv")
    drawn.write(folder / "drawn.fits")
    y, x = np.mgrid[-7:8, -7:8]
    psf = np.exp(-0.5 * (x**2 + y**2) / 4).astype(np.float32)
    fits.PrimaryHDU(psf / psf.sum()).writeto(folder / "psf.fits")


def _images(folder: Path) -> None:
    """Galaxy10 as it is published, JPEGs, and flux of bands in FITS and HDF5."""
    rng = np.random.default_rng(3)
    with h5py.File(folder / "galaxy10.h5", "w") as file:
        file["images"] = rng.integers(0, 255, (GALAXIES, 32, 32, 3), dtype=np.uint8)
        file["ans"] = np.arange(GALAXIES) % 10
        for name in ("ra", "dec", "redshift", "pxscale"):
            file[name] = rng.uniform(0.1, 0.9, GALAXIES)
    flux = rng.normal(1, 0.1, (GALAXIES, 3, SIZE, SIZE)).astype(np.float32)
    cube = fits.PrimaryHDU(flux)
    cube.header["BANDS"] = "g,r,i"
    cube.writeto(folder / "cube.fits")
    shutil.copy(FIXTURE, folder / "real.zip")
    with zipfile.ZipFile(FIXTURE) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")][:GALAXIES]
        for name in names:
            archive.extract(name, folder / "real")


def _cutouts(folder: Path) -> None:
    """Calibrated cutouts as the Legacy Surveys, HSC and GalaxiesML give them, with redshifts."""
    flux = exponentials(GALAXIES, 5, 32)
    (folder / "legacy").mkdir()
    for i, flux_bhw in enumerate(flux):
        write_legacy(folder / "legacy" / f"{i}.fits", flux_bhw[:3], "gri", ra=150.0 + i)
        write_hsc(folder / "hsc", flux_bhw[:3], f"{i}-", ra=150.0 + i, bands="gri")
    for name in ("legacy", "hsc"):
        rows = "".join(f"{i},{0.1 * (i + 1):.1f}\n" for i in range(GALAXIES))
        (folder / name / "labels.csv").write_text(f"id,redshift\n{rows}")
    counts = (flux * NANOMAGGY_IN_COUNTS).astype(np.float32)
    write_galaxiesml(folder / "galaxiesml.h5", GALAXIES, image=counts)


def _texts(folder: Path) -> None:
    """Trees of categories, and corrected labels."""
    (folder / "tree.yaml").write_text(
        "galaxy:\n  spiral:\n    aliases: [late, S]\n  smooth: {}\n  edge-on:\n"
    )
    (folder / "relabel.csv").write_text("id,category\n0,spiral\n1,smooth\n")
