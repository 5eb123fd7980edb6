"""A picture of what is in a catalogue."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from galgen.catalog import CatalogFile
from galgen.errors import InvalidValueError
from galgen.pictures import grid
from galgen.pictures.display import display_stretch, to_display
from galgen.system.files import check_output

MAX_PER_CATEGORY = 100
MAX_SCALE = 16


def preview(
    catalog_path: str | Path,
    out: str | Path,
    per_category: int = 8,
    scale: int = 2,
    overwrite: bool = False,
) -> Path:
    """Draw the first galaxies of each category of a catalogue as a labelled grid.

    Stamps are shown in the stretch of the images that the model learned from (see
    `galgen.pictures.display.display_stretch`); only those drawn are read.

    Parameters
    ----------
    catalog_path : str or Path
        Catalogue written by ``galgen mass`` or `galgen.write_catalog`.
    out : str or Path
        PNG file to write, in a folder that exists.
    per_category : int
        Stamps of each category, 1 to 100.
    scale : int
        Enlargement, 1 to 16 screen pixels per pixel.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path
        The file, `out`.

    Raises
    ------
    InvalidValueError
        If a number is out of range or `out` does not end in ``.png``.
    OutputError
        If `out` cannot be written; nothing has been then.
    DataError, CatalogError
        If the catalogue is missing, or not one.

    Examples
    --------
    >>> import galgen
    >>> galgen.preview("spirals.fits", "spirals.png")  # doctest: +SKIP
    PosixPath('spirals.png')
    """
    out = Path(out)
    if out.suffix.lower() != ".png":
        raise InvalidValueError("output", str(out), "the name of a .png file")
    for name, value, most in (
        ("per_category", per_category, MAX_PER_CATEGORY),
        ("scale", scale, MAX_SCALE),
    ):
        if not 1 <= value <= most:
            raise InvalidValueError(name, value, f"1 to {most}")
    check_output(out, overwrite, [Path(catalog_path)])
    with CatalogFile(catalog_path) as catalog:
        rows = _rows(catalog, per_category)
    grid.save_grid(out, rows, max(map(len, rows.values())), scale)
    return out


def _rows(catalog: CatalogFile, per_category: int) -> dict[str, np.ndarray]:
    """Read the first stamps of each category as display values, by label, in code order."""
    category_n = catalog.column("CATEGORY")
    codes, counts = np.unique(category_n, return_counts=True)
    tree = catalog.info.tree
    flux = {
        f"{tree.get(code)}  ({count:,})": catalog.stamps(
            np.flatnonzero(category_n == code)[:per_category]
        )
        for code, count in zip(codes, counts, strict=True)
    }
    stretch = display_stretch(catalog.info, np.concatenate(list(flux.values())))
    return {label: to_display(stamps, stretch) for label, stamps in flux.items()}
