"""A picture of what is in a catalogue."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from galgen.catalog import CatalogFile
from galgen.errors import InvalidValueError
from galgen.pictures import grid
from galgen.pictures.display import display_stretch, to_display
from galgen.system.files import check_output

MAX_PER_CATEGORY = 100
MAX_SCALE = 16
MAX_PIXELS = 10**8  # of a sheet with all galaxies
_CHUNK = 256  # stamps read at a time


def preview(
    catalog_path: str | Path,
    out: str | Path,
    per_category: int | None = 8,
    scale: int = 2,
    overwrite: bool = False,
) -> Path:
    """Draw the first galaxies of each category of a catalogue, or all, as a labelled grid.

    Stamps are shown in the stretch of the images that the model learned from (see
    `galgen.pictures.display.display_stretch`); only those drawn are read.

    Parameters
    ----------
    catalog_path : str or Path
        Catalogue written by ``galgen mass`` or `galgen.write_catalog`.
    out : str or Path
        PNG file to write, in a folder that exists.
    per_category : int or None
        Stamps of each category, 1 to 100; None for all that there are, in several rows.
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
        If `out` cannot be written; nothing has been then. `WriteError` if the disk fails.
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
        ("per_category", 1 if per_category is None else per_category, MAX_PER_CATEGORY),
        ("scale", scale, MAX_SCALE),
    ):
        if not 1 <= value <= most:
            raise InvalidValueError(name, value, f"1 to {most}")
    check_output(out, overwrite, [Path(catalog_path)])
    with CatalogFile(catalog_path) as catalog:
        if per_category is None:
            most = MAX_PIXELS // (catalog.info.height * catalog.info.width * scale**2)
            if len(catalog) > most:
                hint = "Choose a smaller scale, or 'galgen export imagefolder' for single images."
                raise InvalidValueError("galaxies drawn", len(catalog), f"up to {most}", hint)
        rows = _rows(catalog, per_category)
        widest = max(map(len, rows.values()))
        columns = min(widest, per_category or max(8, math.isqrt(len(catalog))))
    grid.save_grid(out, rows, columns, scale)
    return out


def _rows(catalog: CatalogFile, per_category: int | None) -> dict[str, np.ndarray]:
    """Read the first stamps of each category, or all, as 8-bit RGB, by label, in code order."""
    category_n = catalog.column("CATEGORY")
    codes, counts = np.unique(category_n, return_counts=True)
    tree = catalog.info.tree
    chosen = {
        f"{tree.get(code)}  ({count:,})": np.flatnonzero(category_n == code)[:per_category]
        for code, count in zip(codes, counts, strict=True)
    }
    # Of all galaxies, some are enough to set the levels by.
    first = {label: catalog.stamps(rows[:MAX_PER_CATEGORY]) for label, rows in chosen.items()}
    stretch = display_stretch(catalog.info, np.concatenate(list(first.values())))

    def drawn(rows: np.ndarray, flux_nbhw: np.ndarray) -> Iterator[np.ndarray]:
        yield grid.rgb(to_display(flux_nbhw, stretch))
        for start in range(len(flux_nbhw), len(rows), _CHUNK):
            flux_nbhw = catalog.stamps(rows[start : start + _CHUNK])
            yield grid.rgb(to_display(flux_nbhw, stretch))

    return {label: np.concatenate([*drawn(rows, first[label])]) for label, rows in chosen.items()}
