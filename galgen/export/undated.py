"""FITS files of other packages, made to be the same whenever they are written."""

from __future__ import annotations

from pathlib import Path

from galgen.catalog.format.hdus import raw_hdus
from galgen.catalog.format.seal import CARDS, header_bytes


def undate(path: Path) -> None:
    """Take the time out of the comments of checksums, where CFITSIO and astropy put it.

    Parameters
    ----------
    path : Path
        A FITS file whose HDUs have ``CHECKSUM`` and ``DATASUM``; it is changed in place.
    """
    with path.open("r+b") as file:
        for hdu in raw_hdus(path):
            for key in ("CHECKSUM", "DATASUM"):
                hdu.header.comments[key] = CARDS[key]
            file.seek(hdu.start)
            file.write(header_bytes(hdu.header, int(hdu.header["DATASUM"])))
