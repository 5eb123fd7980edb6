"""Training and reference galaxies: readers, and the `StampSet` they all return."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypedDict, Unpack

from galgen.categories import DEFAULT, Taxonomy
from galgen.data.holdout import held_out, split
from galgen.data.stamps import StampSet, concatenate
from galgen.errors import DataError

__all__ = ["StampSet", "concatenate", "held_out", "open_stamps", "split"]


class ReaderOptions(TypedDict, total=False):
    """Options of the readers; which of them has which is in their own documentation."""

    bands: Sequence[str] | None
    lupton: str | None
    exclude: Iterable[int | str] | str | Path


def open_stamps(
    path: str | Path,
    size: int | None = None,
    tree: Taxonomy = DEFAULT,
    **options: Unpack[ReaderOptions],
) -> StampSet:
    """Read stamps, with labels where there are some, whatever the format.

    Parameters
    ----------
    path : str or Path
        A directory or ``.zip`` of images by category or of FITS cutouts, a Galaxy10 DECaLS,
        GalaxiesML or linear-flux ``.h5`` / ``.hdf5``, or a ``.fits`` file.
    size : int, optional
        Side of the stamps in pixels; larger ones are binned by a whole factor and cropped.
    tree : Taxonomy
        The categories, one of which each galaxy must have.
    **options
        For the reader of that format: `bands` and `lupton` of
        `galgen.data.imagefolder.read_imagefolder`, `exclude` of
        `galgen.data.galaxy10.read_galaxy10`, `bands` of `galgen.data.flux.read_flux_hdf5` and
        `read_flux_fits`.

    Returns
    -------
    StampSet
        As the reader returns it.

    Raises
    ------
    DataError
        If there is no such file, or it cannot be used; the message names it.
    InvalidValueError
        If a value is not allowed.
    TypeError
        If the reader has no such option.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: no such file or directory.")
    return _reader(path)(path, size, tree, **options)


def _reader(path: Path) -> Callable[..., StampSet]:
    """Find the reader of a file's format; imported only when needed, as most take their time."""
    name = path.name.lower()
    if path.is_dir() or name.endswith(".zip"):
        from galgen.data.cutouts import has_cutouts, read_cutouts

        if has_cutouts(path):
            return read_cutouts
        from galgen.data.imagefolder import read_imagefolder

        return read_imagefolder
    if name.endswith((".h5", ".hdf5")):
        from galgen.data.galaxy10 import is_galaxy10, read_galaxy10

        if is_galaxy10(path):
            return read_galaxy10
        from galgen.data.galaxiesml import is_galaxiesml, read_galaxiesml

        if is_galaxiesml(path):
            return read_galaxiesml
        from galgen.data.flux import read_flux_hdf5

        return read_flux_hdf5
    if name.endswith((".fits", ".fit", ".fits.gz", ".fits.fz")):
        from galgen.data.flux import read_flux_fits

        return read_flux_fits
    raise DataError(
        f"{path}: not a known kind of file; give a directory or .zip of images by category or of "
        "FITS cutouts, an .h5/.hdf5 or a .fits file."
    )
