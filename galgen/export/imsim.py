"""A catalogue's galaxies for imSim: instance catalogues, and a FITS image of each galaxy and band.

imSim (https://github.com/LSSTDESC/imSim) draws objects of an instance catalogue that are named
``<file>.fits <pixel scale> <angle>`` as images, sheared and magnified (`InstCatalog.getObj` in its
``imsim/instcat.py``). A visit is in one band, and an object has one image and one spectrum: so each
band has its own list, images and magnitudes, and all have the spectrum of constant AB magnitude, by
which `magnorm` is the AB magnitude in any band.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits

from galgen.catalog import CatalogFile
from galgen.categories import ROOT, nearest
from galgen.errors import InvalidValueError
from galgen.export.lensing import lens_of, place_middles
from galgen.export.positions import Positions, Range
from galgen.export.provenance import provenance_header
from galgen.export.scales import magnitudes, pixel_scale_of, zero_point_of
from galgen.export.undated import undate
from galgen.measure.clean import clean
from galgen.system.files import check_folder_output, written_output
from galgen.system.inputs import open_input

SED = "flat.sed"
_COMMAND = "galgen export imsim"
_CHUNK = 64  # galaxies cleaned at a time
_FAINTEST = 50.0  # imSim leaves out what is not brighter
_WAVELENGTHS = np.arange(250.0, 1250.0)  # nm, every filter of Rubin and beyond


def export_imsim(
    catalog_path: str | Path,
    out: str | Path,
    *,
    category: str | None = None,
    n: int | None = None,
    ra: Range | None = None,
    dec: Range | None = None,
    pixel_scale: float | None = None,
    mag_zero: float | None = None,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write galaxies as objects of instance catalogues, for imSim.

    In the folder are, for each band, ``<band>.txt``, a line per galaxy for ``includeobj`` in the
    instance catalogue of a visit in that band, and ``<band>/<id>.fits``, the galaxy's light in it:
    its stamp without sky, neighbours and edges. A galaxy has the same name, place and, of a band,
    image in every visit. ``flat.sed`` is the spectrum of all. Galaxies that cannot be seen in some
    band are left out. Equal catalogues give equal bytes.

    Parameters
    ----------
    catalog_path : str or Path
        The catalogue.
    out : str or Path
        Folder to write. Names in the lists are relative to it: imSim looks for them beside the
        instance catalogue of the visit.
    category : str, optional
        Only galaxies of this category and those below it.
    n : int, optional
        Only the first n of them.
    ra, dec : tuple of float, optional
        Degrees, lower and upper, where the catalogue has no positions: see
        `galgen.export.positions.Positions`.
    pixel_scale : float, optional
        Arcsec per pixel, by default the catalogue's own, where it has one.
    mag_zero : float, optional
        AB magnitude of one flux unit, by default the catalogue's own, where it has one.
    overwrite : bool
        Replace a folder that was exported before.
    progress : callable, optional
        Called with the number of galaxies written so far.

    Returns
    -------
    int
        Galaxies written.

    Raises
    ------
    OutputError
        If `out` cannot be written; nothing has been then.
    InvalidValueError
        If a value is not allowed, there are no such galaxies, or nothing says where they are, how
        large or how bright.
    DataError, CatalogError
        If the catalogue is missing, not one, or has positions or shears that are none.

    Notes
    -----
    Columns ``G1``, ``G2`` and ``KAPPA`` of the catalogue (see `galgen.export.lensing`), where it
    has them, become the shear and convergence of the lines, in which the second component of shear
    has the other sign (imSim's `flip_g2`). They change shapes and sizes; fluxes and positions are
    the catalogue's, as imSim gives objects the flux of their magnitude whatever their shear.
    """
    out = Path(out)
    if n is not None and n < 1:
        raise InvalidValueError("n", n, "1 or more")
    check_folder_output(out, overwrite, _is_export, [Path(catalog_path)])
    with CatalogFile(catalog_path) as catalog, written_output(out, overwrite) as aside:
        catalog.check_stamps()
        scale = pixel_scale_of(catalog, pixel_scale)
        zero_point = zero_point_of(catalog, mag_zero)
        positions = Positions(catalog, ra, dec)
        aside.mkdir()
        (aside / SED).write_text(_flat_spectrum())
        with ExitStack() as stack:
            bands = [_Band(stack, aside, catalog, band, scale) for band in catalog.bands]
            done = 0
            for objects in _objects(catalog, positions, category, scale, zero_point):
                for written in objects[: None if n is None else n - done]:
                    for number, band in enumerate(bands):
                        band.write(written, number)
                    done += 1
                    if progress is not None:
                        progress(done)
                if done == n:
                    break
        if not done:
            allowed = f"a category of which galaxies can be seen in {catalog.path}"
            raise InvalidValueError("category", category or ROOT, allowed)
    return done


class _Object(NamedTuple):
    """A galaxy as the lists have it: image (b, h, w), the place of its middle (deg), and shear."""

    name: str
    image_bhw: np.ndarray
    ra: float
    dec: float
    mag_b: np.ndarray
    gamma1: float
    gamma2: float
    kappa: float


class _Band:
    """The list and the images of a band, as they are written."""

    def __init__(
        self, stack: ExitStack, folder: Path, catalog: CatalogFile, band: str, scale: float
    ) -> None:
        self._folder, self._name, self._scale = folder, band, scale
        self._header = provenance_header(catalog, _COMMAND)
        self._header["FILTER"] = band
        (folder / band).mkdir()
        self._list = stack.enter_context((folder / f"{band}.txt").open("w"))
        self._list.write(f"# {_COMMAND}: {catalog.info.request}, band {band}\n")

    def write(self, galaxy: _Object, number: int) -> None:
        """Write the line and the image of a galaxy, whose band of this `number` it is."""
        file = f"{self._name}/{galaxy.name}.fits"
        hdu = fits.PrimaryHDU(galaxy.image_bhw[number], self._header)
        hdu.header["OBJECT"] = galaxy.name
        hdu.writeto(self._folder / file, checksum=True)
        undate(self._folder / file)
        # Spectrum, its redshift; shear; offsets, which imSim does not read; image; no dust.
        self._list.write(
            f"object {galaxy.name} {galaxy.ra:.10f} {galaxy.dec:.10f} {galaxy.mag_b[number]:.9f} "
            f"{SED} 0 {galaxy.gamma1:.10g} {galaxy.gamma2:.10g} {galaxy.kappa:.10g} 0 0 "
            f"{file} {self._scale:.10g} 0 none none\n"
        )


def _objects(
    catalog: CatalogFile,
    positions: Positions,
    category: str | None,
    scale: float,
    zero_point: float,
) -> Iterator[list[_Object]]:
    """Yield the galaxies of a category that can be seen in every band, some at a time."""
    tree = catalog.info.tree
    code = nearest(category or ROOT, tree)
    one_run = len(catalog.parts) == 1  # of several, GALAXY_ID may be there more than once
    for number, part in enumerate(catalog.parts):
        for start in range(part.start, part.stop, _CHUNK):
            stop = min(start + _CHUNK, part.stop)
            ra_n, dec_n = positions.of(number, part, start, stop)
            mag_nb = magnitudes(catalog, zero_point, slice(start, stop))
            of_it_n = tree.are_below(catalog.column("CATEGORY", slice(start, stop)), code)
            wanted = np.flatnonzero(of_it_n & (mag_nb < _FAINTEST).all(1))
            cleaned = clean(catalog.stamps(start + wanted))
            seen = [(i, stamp) for i, stamp in zip(wanted, cleaned, strict=True) if stamp]
            row_n = np.array([start + i for i, _ in seen], np.intp)
            lens = lens_of(catalog, row_n)
            centroid_n2 = np.array([(stamp.x, stamp.y) for _, stamp in seen]).reshape(-1, 2)
            gamma_n = lens.g_n * (1 - lens.kappa_n)  # imSim takes shear, not reduced shear
            there = ra_n[row_n - start], dec_n[row_n - start]
            place = place_middles(catalog, lens, *there, centroid_n2, scale)
            id_n = catalog.column("GALAXY_ID", row_n) if one_run else row_n
            yield [
                _Object(
                    str(id_n[j]),
                    stamp.flux_bhw,
                    place[j].ra.deg,
                    place[j].dec.deg,
                    mag_nb[i],
                    gamma_n[j].real,
                    -gamma_n[j].imag,  # of the other sign, too
                    lens.kappa_n[j],
                )
                for j, (i, stamp) in enumerate(seen)
            ]


def _flat_spectrum() -> str:
    """Spectrum of constant AB magnitude, as GalSim reads it: nm, and f_lambda, which is ~ nm^-2."""
    lines = [f"# {_COMMAND}: constant AB magnitude; nm, f_lambda"]
    lines += [f"{nm:.1f} {(500 / nm) ** 2:.9g}" for nm in _WAVELENGTHS]
    return "\n".join(lines) + "\n"


def _is_export(folder: Path) -> bool:
    """Whether `export_imsim` has written a folder."""
    try:
        with open_input(folder / SED) as file:
            return file.readline().startswith(f"# {_COMMAND}: ".encode())
    except (OSError, ValueError):
        return False
