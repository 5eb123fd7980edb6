"""What has to be right of a file before anything of it is read as a catalogue."""

from __future__ import annotations

import shlex
import warnings
from io import BufferedReader
from pathlib import Path

from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from galgen.catalog.format import headers
from galgen.catalog.format.schema import catalog_columns
from galgen.catalog.format.stamps import BITPIX, check_name
from galgen.errors import CatalogError, reading
from galgen.runinfo import RunInfo
from galgen.system.fitsfile import check_headers


def read_headers(path: Path, file: BufferedReader) -> tuple[fits.HDUList, RunInfo]:
    """Parse and check all headers of a catalogue.

    Parameters
    ----------
    path : Path
        The file, for messages.
    file : BufferedReader
        The same, open. Data are mapped from it.

    Returns
    -------
    HDUList
        The file itself; stamps as they are stored.
    RunInfo
        What its headers say of the run.

    Raises
    ------
    CatalogError
        If it is not a galgen catalogue, or its headers are damaged.
    """
    if file.peek(2).startswith(b"\x1f\x8b"):
        name = shlex.quote(str(path))
        hint = f"'gunzip {name}' unpacks it; 'galgen compress' makes files that can be read."
        raise CatalogError(f"{path}: is compressed by gzip as a whole. {hint}")
    with (
        reading(path, "FITS", CatalogError, values=True),
        warnings.catch_warnings(),
    ):
        # Of a truncated file astropy only warns.
        warnings.simplefilter("error", AstropyWarning)
        check_headers(file, path, CatalogError)
        hdus = fits.open(file, memmap=True, do_not_scale_image_data=True)
        for hdu in hdus:
            tuple(hdu.header.items())  # astropy parses cards when they are looked at
        _check(hdus, path)
        return hdus, headers.read_info(hdus)


def _check(hdus: fits.HDUList, path: Path) -> None:
    """Raise CatalogError unless all that a catalogue has is there and fits together."""
    primary = hdus[0].header
    if not str(primary.get("CREATOR", "")).startswith("galgen"):
        raise CatalogError(f"{path}: is FITS, but not a galgen catalogue (card CREATOR).")
    if primary["FMTVERS"] > headers.FORMAT_VERSION:
        raise CatalogError(
            f"{path}: layout version {primary['FMTVERS']}, this galgen reads up to "
            f"{headers.FORMAT_VERSION}. Update galgen."
        )
    bands, n, form = primary["BANDS"].split(","), primary["NGAL"], primary["STAMPS"]
    check_name(form)
    cubes = [] if form == "none" else map(headers.stamps_name, bands)
    expected = ["PRIMARY", headers.CATALOG, *cubes]
    names = [hdu.name for hdu in hdus]
    if names[: len(expected)] != expected:
        raise CatalogError(
            f"{path}: extensions are {', '.join(names)}; expected {', '.join(expected)}. "
            "The file may be truncated."
        )
    table, *images = hdus[1 : len(expected)]
    found = [(column.name, column.format) for column in table.columns]
    wanted = [(column.name, column.form) for column in catalog_columns(bands, "")]
    if missing := [name for name, form in wanted if (name, form) not in found]:
        raise CatalogError(f"{path}: {headers.CATALOG} lacks columns {missing}.")
    shape = (n, primary["NPIXY"], primary["NPIXX"])
    for hdu, size in ((table, table.header["NAXIS2"]), *((i, i.shape[0]) for i in images)):
        if size != n:
            raise CatalogError(f"{path}: {hdu.name} has {size} galaxies; NGAL is {n}.")
    for image in images:
        if image.shape != shape or image.header["BITPIX"] != BITPIX[form]:
            raise CatalogError(f"{path}: {image.name} is not {form} of {shape}.")
