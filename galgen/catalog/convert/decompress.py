"""Catalogues from compressed ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import fitsio
import numpy as np
from astropy.io import fits

from galgen.catalog.convert.compress import SUFFIX
from galgen.catalog.format.hdus import append_hdu, check_data, data_of, raw_hdus
from galgen.catalog.format.tiled import BITPIX_TYPES, image_header
from galgen.catalog.read.reader import CatalogFile
from galgen.errors import CatalogError, InvalidValueError
from galgen.system.cfitsio import open_cfitsio
from galgen.system.files import check_output, written_output

_CHUNK = 256  # stamps at a time


def decompress_catalog(
    path: str | Path,
    out: str | Path | None = None,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Path:
    """Write a compressed catalogue as an uncompressed one.

    Where it was compressed without loss, the result is the file that it was made from, byte for
    byte. Otherwise a card ``QLEVEL`` in the headers of the stamps says that they were quantised.

    Parameters
    ----------
    path : str or Path
        The compressed catalogue.
    out : str or Path, optional
        File to write; by default `path` without ``.fz``. It has its name once it is finished.
    overwrite : bool
        Replace an existing file.
    progress : callable, optional
        Called with the number of stamps decompressed so far, of all bands.

    Returns
    -------
    Path
        The output.

    Raises
    ------
    OutputError
        If `out` cannot be written; nothing has been then.
    InvalidValueError
        If the catalogue is not compressed, or there is no name for the output.
    CatalogError, DataError
        If the catalogue is missing, damaged or not one.
    """
    path = Path(path)
    if out is None and path.suffix != SUFFIX:
        allowed = f"a name, where that of the catalogue does not end in {SUFFIX}"
        raise InvalidValueError("output", None, allowed)
    out = path.with_suffix("") if out is None else Path(out)
    check_output(out, overwrite, [path])
    with CatalogFile(path) as catalog:
        if not catalog.compressed:
            raise InvalidValueError("catalogue", str(path), "a compressed one")
    with (
        written_output(out, overwrite) as aside,
        aside.open("wb+") as file,
        open_cfitsio(path) as tiles,
    ):
        done = 0
        for hdu in raw_hdus(path):
            if not hdu.header.get("ZIMAGE"):
                file.writelines(data_of(path, hdu, whole=True))
                continue
            check_data(path, hdu)
            header = image_header(hdu.header)
            expected = header["DATASUM"]
            data = _reported(_image_data(tiles[hdu.name], header), done, progress)
            datasum = append_hdu(file, header, data)
            done += header["NAXIS3"]
            if "QLEVEL" not in header and expected and expected != str(datasum):
                raise CatalogError(f"{path}: {hdu.name} does not come back as it was.")
    return out


def _image_data(tiles: fitsio.hdu.ImageHDU, header: fits.Header) -> Iterator[np.ndarray]:
    """Stamps (n, h, w) as they are stored, some at a time."""
    dtype = BITPIX_TYPES[header["BITPIX"]]
    for start in range(0, header["NAXIS3"], _CHUNK):
        stamps_nhw = tiles[start : min(start + _CHUNK, header["NAXIS3"]), :, :]
        if dtype.kind == "i":  # CFITSIO has scaled them
            stamps_nhw = stamps_nhw.astype(np.float64) - header.get("BZERO", 0)
            stamps_nhw = np.rint(stamps_nhw / header.get("BSCALE", 1))
        yield stamps_nhw.astype(dtype)


def _reported(
    data: Iterator[np.ndarray], done: int, progress: Callable[[int], None] | None
) -> Iterator[bytes]:
    """Pass stamps on as bytes; report how many there were whenever more are asked for."""
    for stamps_nhw in data:
        yield stamps_nhw.tobytes()
        done += len(stamps_nhw)
        if progress is not None:
            progress(done)
