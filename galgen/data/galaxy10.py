"""Galaxy10 DECaLS: 17,736 Legacy Surveys colour cutouts in ten classes, as one HDF5 file.

Leung & Bovy, https://astronn.readthedocs.io/en/latest/galaxy10.html; labels from Galaxy Zoo DECaLS
(Walmsley et al. 2022). Three traps are dealt with here: the published redshift column may repeat
the declination, some images appear twice under different labels, and cutouts of close neighbours
show the same sky, so that a random split leaks.
"""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np

from galgen import categories
from galgen.categories import DEFAULT, Taxonomy
from galgen.data.hdf5 import data_set, opened_hdf5
from galgen.data.overlaps import group_neighbours
from galgen.data.stamps import StampSet, bin_to_size, category_code
from galgen.errors import DataError, GalgenWarning, InvalidValueError, reading
from galgen.pixels.lupton import LUPTON
from galgen.system.inputs import check_file

_LOG = logging.getLogger(__name__)
_PIXEL_SCALE = 0.262  # arcsec, of the whole set; files without `pxscale` have it too
_CHUNK = 256  # images read at a time: 50 MB


class Galaxy10Warning(GalgenWarning):
    """Something in a Galaxy10 file that could be repaired."""


def is_galaxy10(path: str | Path) -> bool:
    """Tell whether an HDF5 file has the data sets of Galaxy10.

    Raises
    ------
    DataError
        If it is no HDF5 file.
    """
    with opened_hdf5(Path(path)) as file:
        return "images" in file and "ans" in file


def read_galaxy10(
    path: str | Path,
    size: int | None = None,
    tree: Taxonomy = DEFAULT,
    exclude: Iterable[int | str] | str | Path = (),
) -> StampSet:
    """Read Galaxy10 DECaLS.

    Parameters
    ----------
    path : str or Path
        ``Galaxy10_DECals.h5``: images (N, 256, 256, 3) uint8 with R, G, B = z, r, g; ans; and ra,
        dec, redshift, pxscale where present.
    size : int, optional
        Bin and crop to this side in pixels (`bin_to_size`), such as 64 for 4 x 4 means.
    tree : Taxonomy
        The categories; its names or aliases must be among those of the ten classes that are there.
    exclude : iterable of int or str, or path
        Row numbers or ids (``galaxy10-00042``) to leave out, or a text file of one a line with
        ``#`` comments. The GalCatDiff paper leaves out 311 images by eye.

    Returns
    -------
    StampSet
        Display stamps in g, r, z. Of pixel-identical images one is kept, or none where their labels
        differ. Galaxies whose cutouts may overlap share a `group`.

    Raises
    ------
    DataError
        Names the file if it is no such file or damaged.
    InvalidValueError
        If `exclude` names an image that does not exist.

    Warns
    -----
    Galaxy10Warning
        If the redshifts are declinations; they are replaced by NaN.
    """
    with opened_hdf5(Path(path)) as file:
        return _read(file, Path(path), size, tree, exclude)


def _read(
    file: h5py.File,
    path: Path,
    size: int | None,
    tree: Taxonomy,
    exclude: Iterable[int | str] | str | Path,
) -> StampSet:
    """Check and read an open file."""
    for name in ("images", "ans"):
        if name not in file:
            raise DataError(f"{path}: has no data set {name!r}; is it Galaxy10 DECaLS?")
    images = data_set(file, "images")
    shape = images.shape
    if len(shape) != 4 or shape[-1] != 3 or images.dtype != np.uint8:
        raise DataError(f"{path}: images are {images.dtype} {shape}; expected uint8 (N, H, W, 3).")
    labels = _column(file, "ans", shape[0]).astype(np.int64)
    columns = {name: _column(file, name, shape[0]) for name in ("ra", "dec", "redshift", "pxscale")}
    if labels.size and (labels.min() < 0 or labels.max() > 9):
        raise DataError(f"{path}: labels run {labels.min()}..{labels.max()}; expected 0..9.")
    columns["redshift"] = _without_declinations(columns["redshift"], columns["dec"], path)
    pixel_scale = columns.pop("pxscale")
    scale = float(np.nanmedian(pixel_scale)) if np.isfinite(pixel_scale).any() else _PIXEL_SCALE

    ids = np.array([f"galaxy10-{row:05d}" for row in range(shape[0])])
    excluded = _excluded_rows(exclude, ids)
    pixels, digests, factor = _read_pixels(images, size)
    keep = _without_duplicates(digests, labels)
    _LOG.info("%s: %d repeated images left out, %d excluded.", path, (~keep).sum(), len(excluded))
    keep[excluded] = False
    group = group_neighbours(columns["ra"], columns["dec"], shape[1] * scale / 3600.0, ids)
    return StampSet(
        pixels=pixels,
        native="display",
        bands=LUPTON["legacy"].bands,
        category=_codes(tree, labels, path),
        ids=ids,
        group=group,
        columns=columns,
        pixel_scale=scale * factor,
        lupton="legacy",
        source=str(path),
        tree=tree,
    ).select(keep)


def _codes(tree: Taxonomy, labels: np.ndarray, path: Path) -> np.ndarray:
    """Codes (N,) int16 in a tree from those of Galaxy10's classes."""
    codes = {
        label: category_code(tree, categories.from_galaxy10(label).name, f"{path}: label {label}")
        for label in np.unique(labels).tolist()
    }
    return np.array([codes[label] for label in labels.tolist()], dtype=np.int16)


def _column(file: h5py.File, name: str, n: int) -> np.ndarray:
    """Return a column (N,) float64, NaN where the file has none."""
    if name not in file:
        return np.full(n, np.nan)
    column = data_set(file, name)
    if column.shape != (n,) or column.dtype.kind not in "iuf":
        raise DataError(
            f"{file.filename}: {name} has shape {column.shape} of {column.dtype} for {n} images; "
            "expected a number for each."
        )
    values: np.ndarray = column[:].astype(np.float64)
    return values


def _without_declinations(redshift: np.ndarray, dec: np.ndarray, path: Path) -> np.ndarray:
    """Replace redshifts that are declinations by NaN, with a warning."""
    if redshift.size == 0 or not np.array_equal(redshift, dec) or np.isnan(dec).all():
        return redshift
    warnings.warn(
        f"{path}: the redshift column repeats the declination in every row; redshifts are set to "
        "NaN.",
        Galaxy10Warning,
        stacklevel=4,
    )
    return np.full_like(redshift, np.nan)


def _read_pixels(images: h5py.Dataset, size: int | None) -> tuple[np.ndarray, list[bytes], int]:
    """All images with bands bluest first, a digest of each full image, and the binning factor."""
    n, height, width, _ = images.shape
    out_shape = (height, width) if size is None else (size, size)
    pixels = np.empty((n, *out_shape, 3), dtype=np.uint8)
    digests: list[bytes] = []
    factor = 1
    for start in range(0, n, _CHUNK):
        rgb_nhwc = images[start : start + _CHUNK]
        digests += [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in rgb_nhwc]
        if size is not None:
            rgb_nhwc, factor = bin_to_size(rgb_nhwc, size)
        pixels[start : start + _CHUNK] = rgb_nhwc[..., ::-1]
    return pixels, digests, factor


def _without_duplicates(digests: list[bytes], labels: np.ndarray) -> np.ndarray:
    """Mask keeping the first of identical images, or none of them where labels conflict."""
    rows_of: dict[bytes, list[int]] = {}
    for row, digest in enumerate(digests):
        rows_of.setdefault(digest, []).append(row)
    keep = np.zeros(len(digests), dtype=bool)
    for rows in rows_of.values():
        keep[rows[0]] = len(set(labels[rows].tolist())) == 1
    return keep


def _excluded_rows(exclude: Iterable[int | str] | str | Path, ids: np.ndarray) -> np.ndarray:
    """Rows of the images to leave out."""
    if isinstance(exclude, str | Path):
        check_file(exclude)
        with reading(exclude, "a list of images to leave out"):
            lines = Path(exclude).read_text(encoding="utf-8").splitlines()
        exclude = [text for line in lines if (text := line.split("#")[0].strip())]
    row_of = {str(name): row for row, name in enumerate(ids)}
    rows = []
    for item in exclude:
        row = row_of.get(str(item))
        if row is None and str(item).isdigit():
            row = int(item)
        if row is None or row >= len(ids):
            raise InvalidValueError(
                "excluded image", item, f"0..{len(ids) - 1}, or {ids[0]}..{ids[-1]}"
            )
        rows.append(row)
    return np.array(rows, dtype=np.intp)
