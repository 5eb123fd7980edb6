"""The FITS file of a scene: an image per band, and the table of what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits

from galgen import __version__
from galgen.categories.taxonomy import Taxonomy
from galgen.columns import Column
from galgen.runinfo import RunInfo
from galgen.scene.field import Field
from galgen.scene.imaging import Exposure, Imaging

TRUTH = "TRUTH"


_LENSING = (
    Column("G1", "D", "", "reduced shear, positive along east-west"),
    Column("G2", "D", "", "reduced shear, positive along north-west to south-east"),
    Column("KAPPA", "D", "", "convergence"),
    Column("MAGNIFICATION", "D", "", "1 / ((1 - KAPPA)^2 (1 - G1^2 - G2^2))"),
)


def image_name(band: str) -> str:
    """Name of the extension with the image of a band."""
    return f"SCI_{band.upper()}"


def rows(
    bands: tuple[str, ...], tree: Taxonomy, lensed: bool = False, **columns: np.ndarray
) -> np.ndarray:
    """Rows of the table ``TRUTH`` as they are stored; none without columns.

    Parameters
    ----------
    bands : tuple of str
        The B band names, bluest first.
    tree : Taxonomy
        Categories of the galaxies.
    lensed : bool
        Whether there are columns about lensing.
    **columns : ndarray (N,)
        By name; ``FLUX`` and ``MAG`` are (N, B). Names of categories are added.

    Returns
    -------
    ndarray (N,)
        Structured and big-endian.
    """
    dtype = [(column.name, column.dtype) for column in _columns(bands, lensed)]
    table: np.ndarray = np.empty(len(columns["ID"]) if columns else 0, dtype)
    if not columns:
        return table
    for name in ("FLUX", "MAG"):
        values_nb = columns.pop(name)
        columns |= {f"{name}_{band.upper()}": values_nb[:, b] for b, band in enumerate(bands)}
    columns["CATEGORY_NAME"] = np.array(tree.names, "S18")[columns["CATEGORY"]]
    for name, _ in dtype:
        table[name] = columns[name]
    return table


def scene_file(
    field: Field,
    imaging: Imaging,
    exposures: Sequence[Exposure],
    images_bhw: np.ndarray,
    table: np.ndarray,
    info: RunInfo,
    seed: int,
    lensed: tuple[str, ...] = (),
) -> fits.HDUList:
    """Make the whole file, with checksums; equal arguments make equal bytes.

    Parameters
    ----------
    field, imaging : Field, Imaging
        What the headers say.
    exposures : sequence of Exposure
        One per band.
    images_bhw : ndarray (B, H, W) float32
        Flux per pixel.
    table : ndarray (N,)
        See `rows`.
    info : RunInfo
        Of the run that made the galaxies.
    seed : int
        Of the scene.
    lensed : tuple of str
        What is lensed, see `galgen.scene.lensing.parse_changes`.
    """
    bands = tuple(exposure.band for exposure in exposures)
    primary = fits.PrimaryHDU(header=_primary_header(bands, len(table), info, seed))
    if lensed:
        primary.header["LENSED"] = (",".join(lensed), "by G1, G2 and KAPPA")
    images = [
        fits.ImageHDU(image_hw, _image_header(field, imaging, exposure))
        for exposure, image_hw in zip(exposures, images_bhw, strict=True)
    ]
    hdus = fits.HDUList([primary, *images, _table_hdu(bands, imaging.unit, table, bool(lensed))])
    hdus.update_extend()
    for hdu in hdus:
        hdu.add_checksum(when="of this HDU")  # by default it says the time of day
    return hdus


def _columns(bands: tuple[str, ...], lensed: bool, unit: str = "") -> list[Column]:
    """Columns of the table, with fluxes in a unit."""
    each = [(band, band.upper()) for band in bands]
    return [
        Column("ID", "K", "", "number of the source; row of an input table, from 0"),
        Column("RA", "D", "deg", "centroid, ICRS"),
        Column("DEC", "D", "deg", "centroid, ICRS"),
        Column("X", "D", "pix", "centroid, 1 is the centre of the first pixel of a row"),
        Column("Y", "D", "pix", "centroid, 1 is the centre of the first row"),
        *(Column(f"MAG_{up}", "E", "mag", f"{band}, AB") for band, up in each),
        *(
            Column(f"FLUX_{up}", "E", unit, f"{band}, all of it, on the image or not")
            for band, up in each
        ),
        Column("CATEGORY", "I", "", "morphology, code in the tree of the weights"),
        Column("CATEGORY_NAME", "18A", "", "morphology"),
        Column("HALF_LIGHT_RADIUS", "E", "arcsec", "circularised, before the PSF"),
        Column("AXIS_RATIO", "E", "", "minor over major axis, before the PSF"),
        Column("POSITION_ANGLE", "E", "deg", "major axis, from north through east"),
        Column("THETA", "E", "deg", "major axis, counter-clockwise from +x"),
        Column("GALAXY_ID", "K", "", "galaxy of the run that made it"),
        Column("SEED", "K", "", "seed of that run; with GALAXY_ID, one galaxy"),
        *(_LENSING if lensed else ()),
    ]


def _primary_header(bands: tuple[str, ...], n: int, info: RunInfo, seed: int) -> fits.Header:
    """Header of the file: what was asked for, and of which model."""
    return fits.Header(
        [
            ("CREATOR", f"galgen {__version__}"),
            ("NOBJECT", n, f"galaxies in {TRUTH}"),
            ("REQUEST", info.request),  # often too long for a comment
            ("SCENSEED", seed, "seed of positions, magnitudes, noise"),
            ("BANDS", ",".join(bands), "bluest first"),
            ("MODEL", info.model, "model that made the galaxies"),
            ("MODELVER", info.model_version, "version of its weights"),
            ("WTSHA256", info.weights_sha256),
            ("SAMPLER", info.sampler, "diffusion sampler"),
            ("NSTEPS", info.steps, "sampler steps"),
            ("FLUXCAL", info.flux_calibration, "LINEAR, or RGBINV: from colour images"),
        ]
    )


def _image_header(field: Field, imaging: Imaging, exposure: Exposure) -> fits.Header:
    """Header of the image of a band."""
    header = field.wcs.to_header()
    del header["MJDREF"]  # of a time, and there is none
    header["EXTNAME"] = image_name(exposure.band)
    header["FILTER"] = (exposure.band, "band")
    header["BUNIT"] = (imaging.unit, "flux per pixel")
    header["MAGZERO"] = (imaging.zero_point, "[mag] AB magnitude of one unit of flux")
    header["PIXSCALE"] = (field.pixel_scale, "[arcsec] pixel side")
    header["PSF"] = (Path(exposure.psf).name, "point-spread function")
    header["SKYLEVEL"] = (exposure.sky, "background per pixel")
    header["SKYSIGMA"] = (exposure.sigma, "Gaussian noise per pixel, everywhere")
    if np.isfinite(exposure.depth):
        header["DEPTH"] = (exposure.depth, "[mag] AB, point source at 5 sigma")
    return header


def _table_hdu(
    bands: tuple[str, ...], unit: str, table: np.ndarray, lensed: bool
) -> fits.BinTableHDU:
    """Extension of the table, with units and descriptions."""
    hdu = fits.BinTableHDU(table, name=TRUTH)
    for i, column in enumerate(_columns(bands, lensed, unit), 1):
        if column.unit:
            # By hand: nanomaggies, which many surveys write, are no unit of the FITS standard.
            hdu.header[f"TUNIT{i}"] = column.unit
        hdu.header[f"TCOMM{i}"] = column.description
    return hdu
