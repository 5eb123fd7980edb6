"""FITS files of other packages, made to be the same whenever they are written."""

from __future__ import annotations

from pathlib import Path

from galgen.catalog.format import checksum
from galgen.catalog.format.hdus import raw_hdus


def undate(path: Path) -> None:
    """Take the time out of the comments of checksums, where CFITSIO and astropy put it.

    Parameters
    ----------
    path : Path
        A FITS file whose HDUs have ``CHECKSUM`` and ``DATASUM``; it is changed in place.
    """
    with path.open("r+b") as file:
        for hdu in raw_hdus(path):
            hdu.header.comments["CHECKSUM"] = "of this HDU"
            hdu.header.comments["DATASUM"] = "of its data"
            file.seek(hdu.start)
            file.write(checksum.header_bytes(hdu.header, int(hdu.header["DATASUM"])))
