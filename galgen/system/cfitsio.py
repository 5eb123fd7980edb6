"""Files opened with CFITSIO, whatever they are called.

CFITSIO takes a name for more than that: filters and copies in brackets, ``!`` for overwriting,
``~``, ``mem:`` and ``http:``. So it gets to see the name of a link, which has none of these.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import fitsio


def open_cfitsio(path: Path, mode: str = "r") -> fitsio.FITS:
    """Open a FITS file with CFITSIO, or create it.

    Parameters
    ----------
    path : Path
        The file.
    mode : str
        'r', or 'rw', which creates what is not there.

    Returns
    -------
    fitsio.FITS
        To be used in a ``with`` block, or closed.

    Raises
    ------
    OSError
        If it cannot be opened or created.
    """
    with tempfile.TemporaryDirectory(prefix="galgen") as folder:
        if not re.fullmatch(r"[\w/.+-]+", folder, re.ASCII):
            raise OSError(f"{folder}: CFITSIO would not take that for a name. Set TMPDIR.")
        link = Path(folder, "file.fits")
        link.symlink_to(path.absolute())
        try:
            return fitsio.FITS(str(link), mode)
        except OSError as error:
            raise OSError(str(error).replace(str(link), str(path))) from error
