"""Training and reference galaxies: readers, and the `StampSet` they all return."""

from __future__ import annotations

from pathlib import Path

from galgen.categories import DEFAULT, Taxonomy
from galgen.data.stamps import StampSet, concatenate, held_out, split
from galgen.errors import DataError

__all__ = ["StampSet", "concatenate", "held_out", "open_stamps", "split"]


def open_stamps(
    path: str | Path, size: int | None = None, tree: Taxonomy = DEFAULT, **options: object
) -> StampSet:
    """Read labelled stamps, whatever the format.

    Parameters
    ----------
    path : str or Path
        A directory or ``.zip`` of images by category, a Galaxy10 DECaLS or linear-flux ``.h5`` /
        ``.hdf5``, or a ``.fits`` file.
    size : int, optional
        Side of the stamps in pixels; larger ones are binned by a whole factor and cropped.
    tree : Taxonomy
        The categories, one of which each galaxy must have.
    **options
        For the reader of that format: `read_imagefolder`, `read_galaxy10`, `read_flux_hdf5` or
        `read_flux_fits`.

    Raises
    ------
    DataError
        If there is no such file, or it cannot be used; the message names it.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: no such file or directory.")
    name = path.name.lower()
    if path.is_dir() or name.endswith(".zip"):
        from galgen.data.imagefolder import read_imagefolder

        return read_imagefolder(path, size, tree, **options)
    if name.endswith((".h5", ".hdf5")):
        from galgen.data.galaxy10 import is_galaxy10, read_galaxy10

        if is_galaxy10(path):
            return read_galaxy10(path, size, tree, **options)
        from galgen.data.flux import read_flux_hdf5

        return read_flux_hdf5(path, size, tree, **options)
    if name.endswith((".fits", ".fit", ".fits.gz", ".fits.fz")):
        from galgen.data.flux import read_flux_fits

        return read_flux_fits(path, size, tree, **options)
    raise DataError(
        f"{path}: not a known kind of file; give a directory or .zip of images by category, "
        "an .h5/.hdf5 or a .fits file."
    )
