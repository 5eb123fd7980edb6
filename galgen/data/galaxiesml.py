"""GalaxiesML: galaxies of HSC in grizy with spectroscopic redshifts, as HDF5.

Do et al. 2024, arXiv:2410.00271, https://doi.org/10.5281/zenodo.11117528: 286,401 galaxies of the
second public data release of HSC, in files such as ``5x64x64_training_with_morphology.hdf5``.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import h5py
import numpy as np

from galgen.categories import DEFAULT, Taxonomy
from galgen.categories.taxonomy import ROOT
from galgen.data.hdf5 import data_set, opened_hdf5
from galgen.data.overlaps import group_neighbours
from galgen.data.stamps import StampSet, bin_to_size, category_code
from galgen.errors import DataError, GalgenWarning
from galgen.pixels.units import HSC_COUNT, NANOMAGGY, flux_ratio, magnitude
from galgen.system.bounds import text_array

BANDS = ("g", "r", "i", "z", "y")
PIXEL_SCALE = 0.168  # arcsec, of HSC's coadds (Aihara et al. 2019, section 4)
_CHECKED, _TOLERANCE = "i", 0.5  # band and magnitudes: light beyond the model is well below that
_CHUNK = 1024  # galaxies read at a time: 84 MB


class GalaxiesMLWarning(GalgenWarning):
    """Something in a GalaxiesML file that is not as it is published."""


def is_galaxiesml(path: str | Path) -> bool:
    """Tell whether an HDF5 file has the data sets of GalaxiesML.

    Raises
    ------
    DataError
        If it is no HDF5 file.
    """
    with opened_hdf5(Path(path)) as file:
        return "image" in file and "specz_redshift" in file


def read_galaxiesml(
    path: str | Path, size: int | None = None, tree: Taxonomy = DEFAULT
) -> StampSet:
    """Read GalaxiesML.

    Parameters
    ----------
    path : str or Path
        ``image`` (N, 5, H, W), counts of zero point 27.0 in g, r, i, z, y; ``specz_redshift`` (N,);
        where present, ``object_id``, ``ra``, ``dec`` and ``i_cmodel_mag``, with which the zero
        point is checked.
    size : int, optional
        Bin and crop to this side in pixels, conserving flux (`bin_to_size`).
    tree : Taxonomy
        The categories; every galaxy is a ``galaxy``.

    Returns
    -------
    StampSet
        Flux in nanomaggies. Galaxies with pixels that are not finite are left out; those whose
        cutouts may overlap share a `group`.

    Raises
    ------
    DataError
        Names the file if it is no such file or damaged.

    Warns
    -----
    GalaxiesMLWarning
        If galaxies are left out, or their flux is not what their magnitudes say.
    """
    path = Path(path)
    with opened_hdf5(path) as file:
        images = data_set(file, "image", 4)
        shape = images.shape
        if len(shape) != 4 or shape[1] != len(BANDS) or images.dtype.kind != "f":
            raise DataError(
                f"{path}: image is {images.dtype} {shape}; expected floats (N, 5, H, W) of g, r, "
                "i, z and y, as GalaxiesML has them."
            )
        pixels, flux_n, factor = _read_pixels(images, size)
        names = {"redshift": "specz_redshift", "ra": "ra", "dec": "dec"}
        columns = {ours: _column(file, theirs, shape[0]) for ours, theirs in names.items()}
        mag_n = _column(file, f"{_CHECKED}_cmodel_mag", shape[0])
        ids = _ids(file, shape[0], path)
    _check_zero_point(flux_n, mag_n, path)
    width = max(shape[2:]) * PIXEL_SCALE / 3600
    code = category_code(tree, ROOT, str(path))
    stamps = StampSet(
        pixels=pixels,
        native="flux",
        bands=BANDS,
        category=np.full(shape[0], code, np.int16),
        ids=ids,
        group=group_neighbours(columns["ra"], columns["dec"], width, ids),
        columns=columns,
        pixel_scale=PIXEL_SCALE * factor,
        source=str(path),
        tree=tree,
    )
    whole_n = np.isfinite(flux_n)  # a sum is finite where all that is added is
    if whole_n.all():
        return stamps
    text = f"{path}: {(~whole_n).sum():,} galaxies have pixels that are not finite; left out."
    warnings.warn(text, GalaxiesMLWarning, stacklevel=3)
    return stamps.select(whole_n)


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is left out
def _read_pixels(images: h5py.Dataset, size: int | None) -> tuple[np.ndarray, np.ndarray, int]:
    """Read all images in nanomaggies with bands last, the sum of the checked band, the binning.

    The sum is not finite where a pixel of any band is not.
    """
    n, bands, height, width = images.shape
    out_shape = (height, width) if size is None else (size, size)
    pixels = np.empty((n, *out_shape, bands), np.float32)
    flux_n, factor = np.zeros(n), 1
    to_nanomaggy = np.float32(flux_ratio(NANOMAGGY - HSC_COUNT))
    for start in range(0, n, _CHUNK):
        rows = slice(start, start + _CHUNK)
        flux_nhwb = (images[rows].astype(np.float32) * to_nanomaggy).transpose(0, 2, 3, 1)
        flux_nb = flux_nhwb.sum((1, 2), dtype=np.float64)
        whole_n = np.isfinite(flux_nb).all(1)
        flux_n[rows] = np.where(whole_n, flux_nb[:, BANDS.index(_CHECKED)], np.nan)
        if size is not None:
            flux_nhwb, factor = bin_to_size(flux_nhwb, size)
        pixels[rows] = flux_nhwb
    return pixels, flux_n, factor


def _column(file: h5py.File, name: str, n: int) -> np.ndarray:
    """Return a column (N,) float64, NaN where the file has none."""
    if name not in file:
        return np.full(n, np.nan)
    column = data_set(file, name)
    if column.size != n or column.dtype.kind not in "iuf":
        raise DataError(
            f"{file.filename}: {name} has shape {column.shape} of {column.dtype} for {n} images; "
            "expected a number for each."
        )
    return np.asarray(column[:], np.float64).reshape(n)


def _ids(file: h5py.File, n: int, path: Path) -> np.ndarray:
    """Return ids (N,), text: those of HSC, whose 17 digits float64 cannot hold, or rows."""
    if "object_id" not in file:
        return np.array([f"{path.stem}-{row}" for row in range(n)])
    column = data_set(file, "object_id")
    if column.size != n or column.dtype.kind not in "iu":
        raise DataError(
            f"{path}: object_id has shape {column.shape} of {column.dtype} for {n} images; expected"
            " a whole number for each."
        )
    texts = [str(number) for number in column[:].reshape(n).tolist()]
    return text_array(path, texts, path.stat().st_size)


def _check_zero_point(flux_n: np.ndarray, mag_n: np.ndarray, path: Path) -> None:
    """Warn if galaxies are brighter or fainter than their own magnitudes by far."""
    known_n = (flux_n > 0) & np.isfinite(mag_n)
    if not known_n.any():
        return
    off = float(np.median(magnitude(flux_n[known_n], NANOMAGGY) - mag_n[known_n]))
    if abs(off) > _TOLERANCE:
        warnings.warn(
            f"{path}: galaxies are {abs(off):.2f} mag {'fainter' if off > 0 else 'brighter'} in "
            f"{_CHECKED} than {_CHECKED}_cmodel_mag says (median); are pixels counts of zero point "
            f"{HSC_COUNT}? Fluxes would be off by as much.",
            GalaxiesMLWarning,
            stacklevel=4,
        )
