"""Stamps to a FITS file by astropy, as somebody would who has an array of them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from astropy.io import fits

BANDS = ("g", "r", "i")


def write(path: Path, stamps_nbhw: np.ndarray, truth: np.ndarray | None = None) -> None:
    """Write a cube per band, wait until they are on the disk.

    Parameters
    ----------
    path : Path
        Replaced if it exists.
    stamps_nbhw : ndarray
        Of three bands; written in float32.
    truth : ndarray, optional
        A table with a row per stamp.
    """
    hdus = [fits.PrimaryHDU()]
    if truth is not None:
        hdus.append(fits.BinTableHDU(truth, name="TRUTH"))
    for band, cube_nhw in zip(BANDS, np.moveaxis(stamps_nbhw, 1, 0), strict=True):
        hdus.append(fits.ImageHDU(cube_nhw.astype(np.float32), name=f"STAMPS_{band}"))
    fits.HDUList(hdus).writeto(path, overwrite=True)
    with path.open("rb+") as file:
        os.fsync(file)
