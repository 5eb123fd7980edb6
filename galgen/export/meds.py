"""Catalogues as MEDS (multi-epoch data structures), which shape-measurement codes read.

The layout is that of Jarvis et al. 2016 as E. Sheldon's ``meds`` package reads it
(https://github.com/esheldon/meds/wiki/MEDS-Format; the name on PyPI is another project's): cutouts
of all objects one after another in flat images, and a table of where each starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import fitsio
import numpy as np
import torch

from galgen.catalog import CatalogFile
from galgen.errors import InvalidValueError
from galgen.export.angles import AngleColumn
from galgen.export.undated import undate
from galgen.measure.segments import maps
from galgen.system.cfitsio import open_cfitsio
from galgen.system.files import check_output, written_output

NEIGHBOUR = -1  # in seg_cutouts; galaxies have their `number`, sky is 0
UNKNOWN = -9999
_CHUNK = 256  # galaxies at a time
# Tables of readers are two-dimensional only if there is room for a second cutout.
_MAX_CUTOUTS = 2
_IMAGES = {"image_cutouts": "f4", "weight_cutouts": "f4", "seg_cutouts": "i4"}


def export_meds(
    catalog_path: str | Path,
    out: str | Path,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Write a catalogue as MEDS files, one per band, each galaxy with one cutout.

    - ``image_cutouts``: the stamps as they are, in the catalogue's flux unit.
    - ``weight_cutouts``: inverse variance of the sky, measured in each stamp's border.
    - ``seg_cutouts``: the galaxy's ``number`` in its segment (that of `galgen.measure`), -1 in
      those of neighbours, 0 in the sky.
    - ``object_data``: where cutouts start, the measured centroid, the Jacobian of square pixels
      (arcsec; of 1 pixel where stamps have no common scale), ``ra`` and ``dec`` in degrees where
      the catalogue has them, and GALAXY_ID (as ``id``), SEED, CATEGORY and CATEGORY_NAME.
    - ``image_info`` and ``metadata``: AB zero point (NaN where there is none) and provenance.

    There is no ``psf`` extension: stamps show galaxies through the PSF of the training images,
    which is not known to be the same for all.

    Parameters
    ----------
    catalog_path : str or Path
        Catalogue of square stamps.
    out : str or Path
        ``cat.fits`` is written as ``cat-g.fits``, ``cat-r.fits`` and so on. Each has its name once
        it is finished.
    overwrite : bool
        Replace existing files.
    progress : callable, optional
        Called with the number of galaxies written so far, counted in each band.

    Returns
    -------
    list of Path
        Files written, bluest band first.

    Raises
    ------
    OutputError
        If a file cannot be written; that one has not been then.
    InvalidValueError
        If stamps are not square: MEDS has one ``box_size``.
    DataError, CatalogError
        If the catalogue is missing, not one, or has columns RA and DEC that are not of angles.

    Notes
    -----
    Equal catalogues give equal bytes, with equal versions of CFITSIO. Memory does not depend on the
    number of galaxies.
    """
    out = Path(out)
    with CatalogFile(catalog_path) as catalog, ExitStack() as stack:
        info = catalog.info
        if info.height != info.width:
            shape = (info.height, info.width)
            raise InvalidValueError("stamp shape", shape, "square stamps, for MEDS")
        paths = [out.with_name(f"{out.stem}-{band}{out.suffix}") for band in info.bands]
        for path in paths:
            check_output(path, overwrite, [Path(catalog_path)])
        asides = [stack.enter_context(written_output(path, overwrite)) for path in paths]
        files = [stack.enter_context(open_cfitsio(aside, "rw")) for aside in asides]
        for file, band in zip(files, info.bands, strict=True):
            _write_tables(file, catalog, band)
        _write_images(files, catalog, progress)
        for file, aside in zip(files, asides, strict=True):
            for hdu in file:
                hdu.write_checksum()
            file.close()
            undate(aside)
    return paths


def _write_tables(file: fitsio.FITS, catalog: CatalogFile, band: str) -> None:
    """Write all tables of the file of one band."""
    for start in range(0, len(catalog), _CHUNK):
        rows = _object_data(catalog, start, min(start + _CHUNK, len(catalog)))
        if start == 0:
            file.write(rows, extname="object_data")
        else:
            file["object_data"].append(rows)
    info = catalog.info
    path = catalog.path.name.encode("ascii", "replace")
    extension = f"STAMPS_{band.upper()}".encode()
    kinds = [("image", "S"), ("weight", "S"), ("seg", "S")]
    image = np.zeros(
        1,
        [
            *((f"{kind}_path", f"S{max(1, len(path))}") for kind, _ in kinds),
            *((f"{kind}_ext", f"S{len(extension)}") for kind, _ in kinds),
            ("image_id", "i8"),
            ("image_flags", "i8"),
            ("magzp", "f4"),
            ("scale", "f4"),
            ("position_offset", "f8"),
        ],
    )
    image["image_path"], image["image_ext"] = path, extension
    image["magzp"] = np.nan if info.zero_point is None else info.zero_point
    image["scale"] = 1.0  # of fluxes, to a common zero point
    file.write(image, extname="image_info")
    texts = {
        "band": band,
        "flux_unit": info.flux_unit,
        "flux_calibration": info.flux_calibration,
        "request": info.request,
        "model": info.model,
        "weights_sha256": info.weights_sha256,
        "training_set": info.training_set,
        "credit": info.credit,
        "galgen": info.versions.get("galgen", ""),
    }
    values = {name: np.array([text.encode() or b" "]) for name, text in texts.items()}
    values["pixel_scale"] = np.array([np.nan if info.pixel_scale is None else info.pixel_scale])
    values["seed"] = np.array([info.seed])
    file.write(list(values.values()), names=list(values), extname="metadata")


def _object_data(catalog: CatalogFile, start: int, stop: int) -> np.ndarray:
    """Rows `start` to before `stop` of the table of objects, (n,)."""
    info, rows = catalog.info, catalog.rows[start:stop]
    names = {name.upper(): name for name in catalog.column_names}
    integers = ("file_id", "start_row", "orig_start_row", "orig_start_col")
    numbers = ("orig_row", "orig_col", "cutout_row", "cutout_col")
    jacobian = ("dudrow", "dudcol", "dvdrow", "dvdcol")
    data = np.zeros(
        stop - start,
        [
            ("id", "i8"),
            ("number", "i4"),
            ("box_size", "i8"),
            ("ra", "f8"),
            ("dec", "f8"),
            ("ncutout", "i8"),
            *((name, "i8", _MAX_CUTOUTS) for name in integers),
            *((name, "f8", _MAX_CUTOUTS) for name in (*numbers, *jacobian)),
            ("seed", "i8"),
            ("category", "i2"),
            ("category_name", rows.dtype["CATEGORY_NAME"]),
        ],
    )
    for name in (*integers, *numbers, *jacobian):
        data[name] = UNKNOWN
    number = np.arange(start, stop)
    data["id"], data["number"] = rows["GALAXY_ID"], number + 1
    data["seed"] = rows["SEED"]
    data["category"], data["category_name"] = rows["CATEGORY"], rows["CATEGORY_NAME"]
    for name in ("ra", "dec"):
        data[name] = UNKNOWN
        if name.upper() in names:
            degrees_n = AngleColumn(catalog, names[name.upper()]).degrees(slice(start, stop))
            data[name] = np.nan_to_num(degrees_n, nan=UNKNOWN)
    data["box_size"], data["ncutout"] = info.width, 1
    first = {"file_id": 0, "start_row": number * info.width**2}
    first |= {"orig_start_row": 0, "orig_start_col": 0}
    centre = (info.width - 1) / 2
    for axis, column in (("row", "Y_CENTROID"), ("col", "X_CENTROID")):
        measured = np.where(np.isnan(rows[column]), centre, rows[column])
        first |= {f"cutout_{axis}": measured, f"orig_{axis}": measured}
    # u along columns, v along rows: to the west and to the north where north is up.
    scale = 1.0 if info.pixel_scale is None else info.pixel_scale
    first |= {"dudrow": 0.0, "dudcol": scale, "dvdrow": scale, "dvdcol": 0.0}
    for name, values in first.items():
        data[name][:, 0] = values
    return data


def _write_images(
    files: list[fitsio.FITS], catalog: CatalogFile, progress: Callable[[int], None] | None
) -> None:
    """Write one extension after another, each of which must be complete before the next."""
    pixels = len(catalog) * catalog.info.width**2
    for name, dtype in _IMAGES.items():
        for file in files:
            file.create_image_hdu(dims=[pixels], dtype=dtype, extname=name)
        for start, cutouts_bn in _cutouts(catalog, name):
            for file, cutouts_n in zip(files, cutouts_bn, strict=True):
                file[name].write(cutouts_n.ravel(), start=start * catalog.info.width**2)
            if progress is not None and name == "seg_cutouts":
                progress(start + cutouts_bn.shape[1])


def _cutouts(catalog: CatalogFile, name: str) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the first galaxy and the cutouts (b, n, h, w) of one kind, some at a time."""
    for start in range(0, len(catalog), _CHUNK):
        stamps_nbhw = catalog.stamps(slice(start, min(start + _CHUNK, len(catalog))))
        if name == "image_cutouts":
            cutouts_nbhw = stamps_nbhw
        else:
            found = maps(torch.from_numpy(stamps_nbhw))
            if name == "weight_cutouts":
                variance = found.sigma_nb.double()[..., None, None] ** 2
                weight = torch.where(variance > 0, 1 / variance, 0.0)
                cutouts_nbhw = weight.float().numpy() * np.ones_like(stamps_nbhw)
            else:
                number = np.arange(start + 1, start + 1 + len(stamps_nbhw), dtype=np.int32)
                seg_nhw = found.galaxy_nhw.numpy() * number[:, None, None]
                seg_nhw = np.where(found.neighbours_nhw.numpy(), NEIGHBOUR, seg_nhw)
                cutouts_nbhw = np.repeat(seg_nhw[:, None], stamps_nbhw.shape[1], axis=1)
        yield start, np.ascontiguousarray(cutouts_nbhw.swapaxes(0, 1))
