"""Galaxies like those of a survey: a table in, stamps of its categories, sizes and fluxes out.

``python examples/survey.py``
"""

from __future__ import annotations

import numpy as np
from astropy.table import Table

import galgen

PIXEL_SCALE = 0.4  # arcsec; stamps are not resampled


def write_survey(path: str, n: int) -> None:
    """Write a table as the Legacy Surveys have it; a real one takes its place."""
    rng = np.random.default_rng(0)
    r_mag = rng.uniform(17, 20, n)
    g_r = rng.normal(0.6, 0.15, n)
    table = Table(
        {
            "ID": np.arange(n),
            "MORPHOLOGY": rng.choice(["spiral", "round", "edge-on"], n),
            "SHAPE_R": rng.uniform(1.2, 2.4, n),  # half-light radius, arcsec
            "MAG_G": r_mag + g_r,
            "MAG_R": r_mag,
            "MAG_I": r_mag - 0.3 * g_r - 0.1,
        }
    )
    table.write(path, overwrite=True)


def main(n: int = 16, steps: int = 8) -> None:
    """Make a galaxy for each of `n` rows; the default 32 steps for real use."""
    write_survey("survey.csv", n)
    model = galgen.load_model()
    run = model.like(
        "survey.csv",
        observing=galgen.Observing(
            flux_unit="nanomaggy", pixel_scale=PIXEL_SCALE, psf=(1.2,), noise=(0.02,)
        ),
        sampling=galgen.Sampling(steps=steps, micro_batch=min(n, 32)),
    )
    galgen.write_catalog("mock.fits", run, run.info, overwrite=True)
    with galgen.CatalogFile("mock.fits") as catalog:
        asked = 10 ** (0.4 * (22.5 - catalog.column("MAG_R")))  # nanomaggies
        error = np.abs(catalog.column("TRUE_FLUX_R") / asked - 1).max()
        print(f"{len(catalog)} galaxies: r flux before PSF and noise as asked to {error:.0e}")
        print(catalog.table["ID", "CATEGORY_NAME", "TRUE_FLUX_R", "FLUX_R", "SNR"][:5])


if __name__ == "__main__":
    main()
