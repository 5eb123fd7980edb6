"""Small files of exactly the layout in which surveys give cutouts of galaxies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

BANDS = "grizy"
NANOMAGGY_IN_COUNTS = 10 ** (0.4 * (27.0 - 22.5))


def exponentials(n: int, bands: int, side: int, seed: int = 0) -> np.ndarray:
    """Exponential discs (n, bands, side, side) of some nanomaggies, redder at higher rows."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    scale = rng.uniform(side / 20, side / 10, n)[:, None, None]
    profile = np.exp(-np.hypot(x, y) / scale)
    profile *= (rng.uniform(20, 60, n) / profile.sum((1, 2)))[:, None, None]
    colour = np.linspace(0.2, 1.0, bands) ** np.linspace(0.5, 1.5, n)[:, None]
    flux = profile[:, None] * colour[:, :, None, None]
    return flux + 0.01 * rng.standard_normal(flux.shape)


def write_galaxiesml(path: Path, n: int = 6, **changes: Any) -> dict[str, np.ndarray]:
    """Write a file as GalaxiesML's, with the names and types of its data sets; None leaves out."""
    rng = np.random.default_rng(1)
    image = (exponentials(n, 5, 64) * NANOMAGGY_IN_COUNTS).astype(np.float32)
    counts = image.sum((2, 3))
    data: dict[str, Any] = {
        "image": image,
        "object_id": 36_411_448_540_267_000 + np.arange(n),
        "ra": np.linspace(30, 200, n),
        "dec": np.linspace(-5, 5, n),
        "specz_redshift": rng.uniform(0.05, 1.2, n),
        "specz_redshift_err": np.full(n, 1e-4),
        "specz_flag_homogeneous": np.ones(n, bool),
        **{f"{b}_cmodel_mag": 27 - 2.5 * np.log10(counts[:, i]) for i, b in enumerate(BANDS)},
        **{f"{b}_half_light_radius": rng.uniform(3, 8, n) for b in BANDS},
        "x_coord_x": np.zeros((n, 2)),
        **changes,
    }
    with h5py.File(path, "w") as file:
        for name, values in data.items():
            if values is not None:
                file[name] = values
    return data


def _coordinates(ra: float, dec: float, side: int, scale: float) -> fits.Header:
    """Cards of a WCS as the servers write them."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [ra, dec]
    wcs.wcs.crpix = [(side + 1) / 2] * 2
    wcs.wcs.cd = np.diag([-scale, scale]) / 3600
    return wcs.to_header()


def write_legacy(
    path: Path,
    flux_bhw: np.ndarray,
    bands: str = "grz",
    ra: float = 150.0,
    dec: float = 2.0,
    scale: float = 0.262,
    **cards: Any,
) -> None:
    """Write a cutout as the Legacy Surveys' viewer does: all bands in the primary image."""
    header = _coordinates(ra, dec, flux_bhw.shape[-1], scale)
    header["SURVEY"], header["VERSION"], header["BANDS"] = "LegacySurvey", "DR10", bands
    for i, band in enumerate(bands):
        header[f"BAND{i}"] = band
    header.update(cards)
    fits.PrimaryHDU(flux_bhw.astype(np.float32), header).writeto(path)


def write_hsc(
    folder: Path,
    flux_bhw: np.ndarray,
    prefix: str = "2-",
    ra: float = 150.0,
    dec: float = 2.0,
    bands: str = BANDS,
    zero_point: float | None = 27.0,
) -> None:
    """Write cutouts as HSC's server does: a file per band, its image, mask and variance."""
    folder.mkdir(exist_ok=True)
    for band, flux_hw in zip(bands, flux_bhw, strict=True):
        primary = fits.PrimaryHDU()
        if zero_point is not None:
            primary.header["FLUXMAG0"] = 10 ** (0.4 * zero_point)
        counts = flux_hw * 10 ** (0.4 * ((27.0 if zero_point is None else zero_point) - 22.5))
        header = _coordinates(ra, dec, flux_hw.shape[-1], 0.168)
        image = fits.ImageHDU(counts.astype(np.float32), header, name="IMAGE")
        mask = fits.ImageHDU(np.zeros(flux_hw.shape, np.int32), name="MASK")
        variance = fits.ImageHDU(np.ones(flux_hw.shape, np.float32), name="VARIANCE")
        name = f"{prefix}cutout-HSC-{band.upper()}-9813-pdr2_wide.fits"
        fits.HDUList([primary, image, mask, variance]).writeto(folder / name)
