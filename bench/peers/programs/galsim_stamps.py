"""Stamps by GalSim: bulge, disc, PSF and noise in three bands, on all cores, written by astropy."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from time import perf_counter

import numpy as np

from .protocol import Facts, Turn

SIZE, SCALE = 64, 0.4  # pixels, arcsec per pixel
FWHM = (1.4, 1.3, 1.2)  # of the PSF, arcsec
NOISE = 1.0  # sigma of a pixel
BULGE, DISC = (0.5, 0.8, 1.0), (1.0, 1.2, 1.3)  # relative flux in g, r, i
TASK = 32  # galaxies that a process is given at a time


def galaxies(first: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return stamps (n, 3, 64, 64) of galaxies that differ, and their true fluxes (n, 3)."""
    import galsim

    stamps_nbhw = np.empty((n, 3, SIZE, SIZE), np.float32)
    flux_nb = np.empty((n, 3))
    psfs = [galsim.Moffat(beta=3, fwhm=fwhm) for fwhm in FWHM]
    for i in range(n):
        rng = np.random.default_rng(first + i)
        share, flux = rng.uniform(0, 0.5), 10 ** rng.uniform(4, 5)
        shape = {"q": rng.uniform(0.3, 1), "beta": rng.uniform(0, 180) * galsim.degrees}
        bulge = galsim.DeVaucouleurs(half_light_radius=rng.uniform(0.4, 1.0))
        disc = galsim.Exponential(half_light_radius=rng.uniform(0.8, 2.0)).shear(**shape)
        noise = galsim.GaussianNoise(galsim.BaseDeviate(first + i + 1), sigma=NOISE)
        for b, psf in enumerate(psfs):
            galaxy = bulge * (flux * share * BULGE[b]) + disc * (flux * (1 - share) * DISC[b])
            image = galsim.Convolve(galaxy, psf).drawImage(nx=SIZE, ny=SIZE, scale=SCALE)
            image.addNoise(noise)
            stamps_nbhw[i, b], flux_nb[i, b] = image.array, galaxy.flux
    return stamps_nbhw, flux_nb


def start(settings: Facts) -> tuple[Turn, Facts]:
    """Start a process per core, if there is to be more than one."""
    import galsim  # noqa: F401  # so that the processes have it

    from . import cubes

    cores = settings["cores"]
    pool = multiprocessing.get_context("fork").Pool(cores) if cores > 1 else None

    def turn(told: Facts) -> Facts:
        begun = perf_counter()
        n = told["n"]
        tasks = [(first, min(TASK, n - first)) for first in range(0, n, TASK)]
        found = pool.starmap(galaxies, tasks) if pool else [galaxies(*task) for task in tasks]
        stamps_nbhw, flux_nb = (np.concatenate(parts) for parts in zip(*found, strict=True))
        truth = np.rec.fromarrays(flux_nb.T, names=[f"FLUX_{b}" for b in cubes.BANDS])
        cubes.write(Path(told["out"]), stamps_nbhw, truth)
        return {"seconds": perf_counter() - begun, "noise": NOISE}

    return turn, {}
