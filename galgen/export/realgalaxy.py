"""A catalogue's galaxies as GalSim's `RealGalaxyCatalog`: an image extension per galaxy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from astropy.io import fits
from astropy.table import Table

from galgen.catalog import CatalogFile
from galgen.categories import ROOT, nearest
from galgen.errors import InvalidValueError
from galgen.export.provenance import provenance_header
from galgen.export.scales import pixel_scale_of
from galgen.export.undated import undate
from galgen.measure import detect
from galgen.measure.cutout import cut_out
from galgen.pixels.units import magnitude
from galgen.system.files import check_ascii, check_output, written_output

_CHUNK = 64  # galaxies cut out at a time
_IMAGES = 2  # the first extension after the table
_REACH = 1.7  # widths to which `mass` applies a Gaussian, 4 sigmas
# With a border of zeros: of an image of one pixel GalSim turns the transform wrongly, and galaxies
# that are rotated were distorted by 5 %.
_ONE_PIXEL = np.pad(np.ones((1, 1), np.float32), 1)
_BETA = 4.765  # of a Moffat profile of turbulent air (Trujillo et al. 2001)


def export_realgalaxy(
    catalog_path: str | Path,
    out: str | Path,
    *,
    band: str | None = None,
    category: str | None = None,
    n: int | None = None,
    pixel_scale: float | None = None,
    psf_fwhm: float | None = None,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write galaxies in one band as a `galsim.RealGalaxyCatalog`.

    One file holds everything: the table that GalSim reads, an image per galaxy and the PSF. Images
    are stamps without sky and neighbours, with their noise; its variance per pixel, measured at the
    border, is in the table (0 where 8-bit training images have none). Galaxies that cannot be seen
    in their stamps are left out. ``IDENT`` is GALAXY_ID, or the row of the catalogue where that is
    put together from several runs. Equal catalogues give equal bytes.

    Parameters
    ----------
    catalog_path : str or Path
        The catalogue.
    out : str or Path
        File to write. The table names it: it cannot be renamed afterwards.
    band : str, optional
        By default the middle one.
    category : str, optional
        Only galaxies of this category and those below it.
    n : int, optional
        Only the first n of them. All are in memory before they are written, and GalSim reads
        hundreds of extensions per second: this is for subsets.
    pixel_scale : float, optional
        Arcsec per pixel, by default the catalogue's own, where it has one.
    psf_fwhm : float, optional
        Full width at half maximum (arcsec) of the PSF of the training images, pixel included, for
        GalSim to deconvolve: a Moffat profile. By default, of galaxies that were made without a
        PSF, the Gaussian that the run gave them; else a single pixel: GalSim deconvolves nothing,
        and galaxies keep the PSF they were seen through.
    overwrite : bool
        Replace an existing file.
    progress : callable, optional
        Called with the number of galaxies that have been isolated so far.

    Returns
    -------
    int
        Galaxies written.

    Raises
    ------
    OutputError
        If `out` cannot be written; nothing has been then.
    InvalidValueError
        If a value is not allowed, or there are no such galaxies.
    DataError, CatalogError
        If the catalogue is missing, or not one.
    """
    out = Path(out)
    check_output(out, overwrite, [Path(catalog_path)])
    check_ascii(out)
    if n is not None and n < 1:
        raise InvalidValueError("n", n, "1 or more")
    with CatalogFile(catalog_path) as catalog:
        band = catalog.bands[len(catalog.bands) // 2] if band is None else band
        if band not in catalog.bands:
            raise InvalidValueError("band", band, ", ".join(catalog.bands))
        scale = pixel_scale_of(catalog, pixel_scale)
        side = min(catalog.info.height, catalog.info.width)
        if catalog.info.stamp_psf == 0 and catalog.info.hook is None:
            psf = _own_psf(catalog, band, psf_fwhm, scale)
        else:
            psf = _psf(psf_fwhm, scale, side)
        found = []
        for galaxy in _isolated(catalog, band, category):
            found.append(galaxy)
            if progress is not None:
                progress(len(found))
            if len(found) == n:
                break
        if not found:
            allowed = f"a category of which galaxies can be seen in {catalog.path}"
            raise InvalidValueError("category", category or ROOT, allowed)
        table = _table(catalog, found, band, scale, out.name)
        header = provenance_header(catalog, "galgen export realgalaxy")
    images = [fits.ImageHDU(image) for image in (*(g.image_hw for g in found), psf)]
    hdus = fits.HDUList([fits.PrimaryHDU(header=header), fits.BinTableHDU(table), *images])
    with written_output(out, overwrite) as aside:
        hdus.writeto(aside, checksum=True)
        undate(aside)
    return len(found)


class _Galaxy(NamedTuple):
    """Row of the catalogue, image (h, w) cut out of the stamp, and variance of its noise."""

    row: int
    image_hw: np.ndarray
    variance: float


def _isolated(catalog: CatalogFile, band: str, category: str | None) -> Iterator[_Galaxy]:
    """Yield the galaxies of a category that can be seen, each cut out of its stamp."""
    code_n = catalog.column("CATEGORY")
    tree = catalog.info.tree
    row_n = np.flatnonzero(tree.are_below(code_n, nearest(category or ROOT, tree)))
    index = catalog.bands.index(band)
    for start in range(0, len(row_n), _CHUNK):
        rows = row_n[start : start + _CHUNK]
        cutouts = cut_out(torch.from_numpy(catalog.stamps(rows)))
        image_nhw = cutouts.alone.flux_nbhw[:, index]
        sigma_n = detect.deviation_sigma(detect.frame_pixels(image_nhw).abs())
        for i in np.flatnonzero(cutouts.usable_n[: len(rows)].numpy()):
            yield _Galaxy(int(rows[i]), image_nhw[i].numpy().copy(), float(sigma_n[i]) ** 2)


def _table(catalog: CatalogFile, found: list[_Galaxy], band: str, scale: float, name: str) -> Table:
    """Make the table of the columns that GalSim reads, and of what each galaxy is."""
    n, row_n = len(found), np.array([galaxy.row for galaxy in found])
    rows = catalog.rows[row_n]
    one_run = len(catalog.parts) == 1  # of several, GALAXY_ID may be there more than once
    flux_n = rows[f"FLUX_{band.upper()}"].astype(np.float64)
    mag_n = np.full(n, np.nan)
    if catalog.info.zero_point is not None:
        positive = flux_n > 0
        mag_n[positive] = magnitude(flux_n[positive], catalog.info.zero_point)
    return Table(
        {
            "IDENT": rows["GALAXY_ID"].astype(np.int64) if one_run else row_n,
            "MAG": mag_n,
            "BAND": np.full(n, band),
            "WEIGHT": np.ones(n),
            "GAL_FILENAME": np.full(n, name),
            "PSF_FILENAME": np.full(n, name),
            "GAL_HDU": _IMAGES + np.arange(n),
            "PSF_HDU": np.full(n, _IMAGES + n),
            "PIXEL_SCALE": np.full(n, scale),
            "NOISE_MEAN": np.zeros(n),
            "NOISE_VARIANCE": np.array([galaxy.variance for galaxy in found]),
            "STAMP_FLUX": np.array([g.image_hw.sum(dtype=np.float64) for g in found]),
            "GALAXY_ID": rows["GALAXY_ID"].astype(np.int64),
            "SEED": rows["SEED"].astype(np.int64),
            "CATEGORY_NAME": rows["CATEGORY_NAME"].astype(str),
        }
    )


def _own_psf(catalog: CatalogFile, band: str, fwhm: float | None, scale: float) -> np.ndarray:
    """Image (h, w) of the PSF that stamps got which came without any: all they have."""
    if fwhm is not None:
        allowed = "none, as these galaxies were made without a PSF: what they have is known"
        raise InvalidValueError("psf_fwhm", fwhm, allowed)
    given = [float(text) for text in (catalog.info.psf or "0").split(",")]
    width = given[catalog.bands.index(band) % len(given)] / scale
    if width == 0:
        return _ONE_PIXEL
    reach = math.ceil(_REACH * width)
    line = 2.0 ** -((2 * np.arange(-reach, reach + 1) / width) ** 2)  # half at width / 2
    gaussian: np.ndarray = np.outer(line, line) / line.sum() ** 2
    return gaussian.astype(np.float32)


def _psf(fwhm: float | None, scale: float, side: int) -> np.ndarray:
    """Image (h, w) of a Moffat PSF in the pixels of the stamps, of sum 1, its peak in the middle.

    (1 + (r / a)^2)^-beta has a FWHM of 2 a (2^(1 / beta) - 1)^(1/2) (Trujillo et al. 2001).
    """
    if fwhm is None:
        return _ONE_PIXEL
    if not (math.isfinite(fwhm) and 2 * scale <= fwhm <= side * scale / 4):
        allowed = f"{2 * scale:g} to {side * scale / 4:g} arcsec: 2 pixels to a quarter of a stamp"
        raise InvalidValueError("psf_fwhm", fwhm, allowed)
    x = np.arange(-(side // 2), side // 2 + 1) * scale
    radius = fwhm / (2 * math.sqrt(2 ** (1 / _BETA) - 1))
    psf = (1 + (x[:, None] ** 2 + x**2) / radius**2) ** -_BETA
    normalised: np.ndarray = psf / psf.sum()
    return normalised.astype(np.float32)
