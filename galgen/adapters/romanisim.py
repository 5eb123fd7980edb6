"""Galaxies as romanisim's image input: a table of where they go, and a `galsim.RealGalaxyCatalog`.

::

    from galgen.adapters.romanisim import write_image_table

    write_image_table("galaxies.fits", "roman.ecsv", {"F062": "r", "F087": "i"})

The files are what romanisim's command line takes as its catalogue; it is not imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from astropy.table import Table

from galgen.catalog import CatalogFile
from galgen.errors import InvalidValueError
from galgen.export.lensing import lens_of, place_middles
from galgen.export.positions import Positions, Range
from galgen.export.realgalaxy import export_realgalaxy
from galgen.export.scales import pixel_scale_of, zero_point_of
from galgen.pixels.units import flux_ratio
from galgen.system.files import check_output, written_output


def write_image_table(
    catalog_path: str | Path,
    out: str | Path,
    bandpasses: Mapping[str, str],
    *,
    band: str | None = None,
    category: str | None = None,
    n: int | None = None,
    ra: Range | None = None,
    dec: Range | None = None,
    pixel_scale: float | None = None,
    mag_zero: float | None = None,
    psf_fwhm: float | None = None,
    overwrite: bool = False,
) -> Table:
    """Write galaxies for romanisim: the table, and their images beside it.

    Parameters
    ----------
    catalog_path : str or Path
        The catalogue; in its stamps north is up and east to the left.
    out : str or Path
        Table to write, ``.ecsv``. The images are in ``<out>-galaxies.fits`` without the suffix,
        which the table names as it is given here: romanisim has to run in the same folder.
    bandpasses : mapping of str to str
        For each of Roman's bandpasses, such as ``F062``, the band of the catalogue whose flux is
        taken for it.
    band : str, optional
        Whose image is taken: romanisim has one for all bands. By default the middle one.
    category, n, pixel_scale, psf_fwhm
        See `galgen.export.realgalaxy.export_realgalaxy`.
    ra, dec : tuple of float, optional
        Degrees, lower and upper, where the catalogue has no positions: see
        `galgen.export.positions.Positions`.
    mag_zero : float, optional
        AB magnitude of one flux unit, by default the catalogue's own, where it has one.
    overwrite : bool
        Replace existing files.

    Returns
    -------
    Table
        ``ra``, ``dec`` (deg, of the middle of the image), ``ident``, ``dilate``, ``rotate``,
        ``shear_ba``, ``shear_pa`` (deg), and of each bandpass the flux in maggies, of which -2.5
        times the logarithm is the AB magnitude.

    Raises
    ------
    OutputError
        If a file cannot be written.
    InvalidValueError
        If a value is not allowed, there are no such galaxies, or nothing says where they are, how
        large or how bright.
    DataError, CatalogError
        If the catalogue is missing, not one, or has positions or shears that are none.

    Notes
    -----
    Columns ``G1``, ``G2`` and ``KAPPA`` of the catalogue (see `galgen.export.lensing`), where it
    has them, shear and dilate the images; positions and fluxes are the catalogue's.
    """
    out = Path(out)
    images = out.with_name(f"{out.stem}-galaxies.fits")
    for path in (out, images):
        check_output(path, overwrite, [Path(catalog_path)])
    with CatalogFile(catalog_path) as catalog:
        for name in bandpasses.values():
            if name not in catalog.bands:
                raise InvalidValueError("bandpasses", name, ", ".join(catalog.bands))
        zero_point, scale = zero_point_of(catalog, mag_zero), pixel_scale_of(catalog, pixel_scale)
        positions = Positions(catalog, ra, dec)
        export_realgalaxy(
            catalog_path,
            images,
            band=band,
            category=category,
            n=n,
            pixel_scale=scale,
            psf_fwhm=psf_fwhm,
            overwrite=overwrite,
        )
        ident_n = np.array(Table.read(images, 1)["IDENT"])
        one_run = len(catalog.parts) == 1  # of several, the name of a galaxy is its row
        row_n = np.searchsorted(catalog.column("GALAXY_ID"), ident_n) if one_run else ident_n
        table = _places(catalog, row_n, positions, scale)
        table.add_column(ident_n, name="ident", index=2)
        for bandpass, name in bandpasses.items():
            flux_n = catalog.column(f"FLUX_{name.upper()}", row_n).astype(np.float64)
            table[bandpass] = flux_n / flux_ratio(zero_point)
    table.meta["real_galaxy_catalog_filename"] = str(images)
    with written_output(out, overwrite) as aside:
        table.write(aside, format="ascii.ecsv")
    return table


def _places(catalog: CatalogFile, row_n: np.ndarray, positions: Positions, scale: float) -> Table:
    """Return where the middles of the images of some rows are, and how these are transformed."""
    of_part = [positions.of(i, part, part.start, part.stop) for i, part in enumerate(catalog.parts)]
    ra_n, dec_n = (np.concatenate(axis)[row_n] for axis in zip(*of_part, strict=True))
    names = "X_CENTROID", "Y_CENTROID"
    centroid_n2 = np.stack([catalog.column(name, row_n) for name in names], axis=1)
    lens = lens_of(catalog, row_n)
    place = place_middles(catalog, lens, ra_n, dec_n, centroid_n2, scale)
    g_n = np.abs(lens.g_n)
    return Table(
        {
            "ra": place.ra.deg,
            "dec": place.dec.deg,
            "dilate": lens.magnification**0.5,
            "rotate": np.zeros(len(row_n)),
            "shear_ba": (1 - g_n) / (1 + g_n),
            # romanisim turns by 90 degrees more: its angles are from north, those of g from west.
            "shear_pa": np.degrees(np.angle(lens.g_n)) / 2 - 90,
        }
    )
