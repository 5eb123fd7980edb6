"""Cutouts of surveys, as their servers give them: FITS files of one galaxy, in calibrated flux.

::

    <id>.fits                                    Legacy Surveys: one image (bands, H, W)
    <id>-cutout-HSC-<BAND>-<tract>-<rerun>.fits  HSC: a file per band, the image in extension 1
    labels.csv      optional: column id, and category, group, redshift or others
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

from galgen.categories import DEFAULT, Taxonomy
from galgen.categories.taxonomy import ROOT
from galgen.data.flux import check_finite
from galgen.data.folder import Folder, opened
from galgen.data.labels import SUFFIXES as IMAGES
from galgen.data.labels import read_labels, say_left_out
from galgen.data.overlaps import group_neighbours
from galgen.data.stamps import StampSet, bin_to_size, category_code
from galgen.errors import DataError, reading
from galgen.pixels.units import HSC_COUNT, NANOMAGGY, flux_ratio, known_zero_point
from galgen.system.bounds import check_unpacked, text_array
from galgen.system.fitsfile import check_headers, checked_hdus

SUFFIXES = (".fits", ".fit")
_HSC = re.compile(r"(.*?)[-_/]?cutout-HSC-([GRIZY])2?-[^/]*")
_ORDER = "ugrizy"  # bluest first
_LEGACY_SCALE, _RESAMPLED = 0.262, 0.01  # arcsec, where the viewer's pixels are nanomaggies
_SAME = 1e-3  # relative: pixel scales of cutouts of one survey differ by less
_PLACE = ("ra", "dec", "pixel_scale")


@dataclass(frozen=True)
class _Place:
    """Where a cutout is: arcsec per pixel, the longer side and the centre in degrees."""

    pixel_scale: float
    width: float
    ra: float
    dec: float


def has_cutouts(path: str | Path) -> bool:
    """Tell whether a folder or zip file has FITS files, and no images that are read as galaxies.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    with opened(Path(path)) as folder:
        some = any(name.lower().endswith(SUFFIXES) for name in folder.names)
        return some and bool(folder.ending(SUFFIXES)) and not folder.ending(IMAGES)


def read_cutouts(path: str | Path, size: int | None = None, tree: Taxonomy = DEFAULT) -> StampSet:
    """Read a folder or zip file of FITS cutouts.

    Parameters
    ----------
    path : str or Path
        Cutouts of the Legacy Surveys' viewer, whose card ``BANDS`` names the bands, in nanomaggies
        of 0.262 arcsec pixels; or of HSC's cutout server, in counts of the zero point that
        ``FLUXMAG0`` says, else of 27.0. A card ``BUNIT`` that is a known flux unit (nanomaggy, nJy
        ... Jy) goes before these. All have the same bands.
    size : int, optional
        Centre-crop and bin each to this side in pixels, by its own largest whole factor
        (`bin_to_size`). By default they keep their size, which must then be the same for all.
    tree : Taxonomy
        The categories; without a column ``category``, every galaxy is a ``galaxy``.

    Returns
    -------
    StampSet
        Flux in nanomaggies, with ra and dec of the centres where the table has none. Ids are file
        names without folder and suffix, of HSC what is in front of ``cutout``, else the folder's
        name. Galaxies whose cutouts may overlap share a `group`, unless the table has groups.

    Raises
    ------
    DataError
        Names the folder and the cutout at fault: unreadable, of other bands or size, resampled, 0
        everywhere, or not in the table.
    """
    with opened(Path(path)) as folder:
        return _read(folder, size, tree)


def _read(folder: Folder, size: int | None, tree: Taxonomy) -> StampSet:
    """Read an open folder."""
    files_of = _files(folder)
    ids = text_array(folder.path, list(files_of), folder.stored_of(folder.names))
    columns: dict[str, np.ndarray] = {}
    table = folder.find("labels.csv")
    if table is not None:
        columns = read_labels(folder, table, "id", list(files_of))
        ids = columns.pop("id")
    pixels, bands, places, factors = _read_all(folder, [files_of[i] for i in ids.tolist()], size)
    check_finite(pixels, bands, ids, folder.path)
    names = columns.pop("category", np.full(len(ids), ROOT)).tolist()
    code_of = {name: category_code(tree, name or ROOT, str(folder.path)) for name in set(names)}
    ra, dec, scale_n = (np.array([getattr(p, k) for p in places]) for k in _PLACE)
    columns = {"ra": ra, "dec": dec, **columns}
    group = columns.pop("group", None)
    if group is None:
        group = group_neighbours(ra, dec, max(place.width for place in places), ids)
    one = len(factors) == 1 and np.ptp(scale_n) <= _SAME * scale_n[0]
    return StampSet(
        pixels=pixels,
        native="flux",
        bands=bands,
        category=np.array([code_of[name] for name in names], np.int16),
        ids=ids,
        group=group,
        columns=columns,
        pixel_scale=round(float(np.median(scale_n)), 6) * factors.pop() if one else None,
        source=str(folder.path),
        tree=tree,
    )


def _files(folder: Folder) -> dict[str, dict[str, str]]:
    """Files of each galaxy by its id: by band where each has a file of its own, else by ''."""
    names = folder.ending(SUFFIXES)
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for match in filter(None, map(_HSC.fullmatch, names)):
        before, band = match[1], match[2].lower()
        if band in found[before]:
            raise DataError(
                f"{folder.path}: {found[before][band]} and {match[0]} are one galaxy in one band. "
                "What is in front of 'cutout' has to tell galaxies apart."
            )
        found[before][band] = match[0]
    if not found:
        found.update({str(PurePosixPath(name).with_suffix("")): {"": name} for name in names})
    say_left_out(folder, folder.shown, SUFFIXES)
    # Servers number the cutouts of every list from 2 on: folders tell them apart then.
    counts = Counter(PurePosixPath(place).name for place in found)
    return {
        (name if counts[name := PurePosixPath(place).name] == 1 else place)
        or folder.path.stem: files
        for place, files in found.items()
    }


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is refused by `check_finite`
def _read_all(
    folder: Folder, galaxies: Sequence[Mapping[str, str]], size: int | None
) -> tuple[np.ndarray, tuple[str, ...], list[_Place], set[int]]:
    """Read flux (N, H, W, B), bands, places, and the factors that cutouts were binned by."""
    places, factors = [], set()
    on_disk = folder.stored_of(name for files in galaxies for name in files.values())
    first: tuple[str, ...] = ()
    for row, files in enumerate(galaxies):
        flux_hwb, bands, place = _read_galaxy(folder, files)
        where = f"{folder.path}: {next(iter(files.values()))}"
        if not flux_hwb.any((0, 1)).all():
            raise DataError(f"{where} is 0 everywhere in some band: the survey has no sky there.")
        if size is not None:
            if min(flux_hwb.shape[:2]) < size:
                raise DataError(
                    f"{where} is {flux_hwb.shape[1]} x {flux_hwb.shape[0]} pixels, less than the "
                    f"size of {size} asked for. Leave it out, or give a smaller size (`size`)."
                )
            stamps, factor = bin_to_size(flux_hwb[None], size)
            flux_hwb = stamps[0]
            factors.add(factor)
        if row == 0:
            check_unpacked(folder.path, 4 * len(galaxies) * flux_hwb.size, on_disk)
            pixels, first = np.empty((len(galaxies), *flux_hwb.shape), np.float32), bands
        if bands != first:
            raise DataError(f"{where} has bands {bands}, those before it {first}.")
        if flux_hwb.shape != pixels.shape[1:]:
            raise DataError(
                f"{where} is {flux_hwb.shape[1]} x {flux_hwb.shape[0]} pixels, those before it "
                f"{pixels.shape[2]} x {pixels.shape[1]}. Give a size (`size`) to have them cut."
            )
        pixels[row] = flux_hwb
        places.append(place)
    return pixels, first, places, factors or {1}


def _read_galaxy(
    folder: Folder, files: Mapping[str, str]
) -> tuple[np.ndarray, tuple[str, ...], _Place]:
    """Read one galaxy: flux (H, W, B) in nanomaggies, bands, and where it is."""
    if "" in files:
        return _read_legacy(folder, files[""])
    bands = tuple(band for band in _ORDER if band in files)
    planes: list[np.ndarray] = []
    for band in bands:
        data, header = _read_image(folder, files[band])
        if data.ndim != 2 or (planes and data.shape != planes[0].shape):
            raise DataError(
                f"{folder.path}: {files[band]} has an image of {data.shape}; expected (H, W), the "
                "same in all bands of a galaxy."
            )
        with reading(f"{folder.path}: {files[band]}", "an image with the zero point of HSC"):
            planes.append(data * _to_nanomaggy(_hsc_zero_point(header)))
    place = _place(header, planes[0].shape, f"{folder.path}: {files[bands[-1]]}")
    return np.stack(planes, -1), bands, place


def _read_legacy(folder: Folder, name: str) -> tuple[np.ndarray, tuple[str, ...], _Place]:
    """Read one galaxy whose bands are planes of one image."""
    data, header = _read_image(folder, name)
    where, bands = f"{folder.path}: {name}", str(header.get("BANDS", "")).strip().lower()
    flux_bhw = data[None] if data.ndim == 2 else data
    if flux_bhw.ndim != 3 or len(set(bands)) != len(flux_bhw) or not set(bands) <= set(_ORDER):
        raise DataError(
            f"{where} has an image of {data.shape} and BANDS = {bands!r}; expected (bands, H, W) "
            f"and a letter of {_ORDER} for each, as the Legacy Surveys' viewer writes them."
        )
    place = _place(header, flux_bhw.shape[1:], where)
    zero = known_zero_point(str(header.get("BUNIT", "")).strip())
    if zero is None and abs(place.pixel_scale / _LEGACY_SCALE - 1) > _RESAMPLED:
        raise DataError(
            f"{where} has pixels of {place.pixel_scale:.4g} arcsec; those of the Legacy Surveys are"
            f" nanomaggies at {_LEGACY_SCALE} only. Download it with pixscale={_LEGACY_SCALE}, or "
            "name the flux unit in a card BUNIT."
        )
    order = sorted(range(len(bands)), key=lambda b: _ORDER.index(bands[b]))
    flux_hwb = flux_bhw[order].transpose(1, 2, 0) * _to_nanomaggy(zero)
    return flux_hwb, tuple(bands[b] for b in order), place


def _read_image(folder: Folder, name: str) -> tuple[np.ndarray, fits.Header]:
    """Read the first image of a file, float32, and its header behind that of the primary HDU."""
    where = Path(f"{folder.path}: {name}")
    with reading(where, "FITS"), warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)  # of headers that are not quite FITS
        content = folder.read(name)
        check_headers(io.BytesIO(content), where)
        with fits.open(io.BytesIO(content), memmap=False) as hdus:
            for hdu in checked_hdus(hdus, where, folder.stored(name)):
                if hdu.is_image and hdu.shape:
                    header = hdus[0].header.copy()
                    header.update(hdu.header)
                    return np.asarray(hdu.data, np.float32), header
    raise DataError(f"{where} has no image.")


def _place(header: fits.Header, shape: tuple[int, ...], where: str) -> _Place:
    """Find scale, width and centre of a cutout of a shape (h, w) from its coordinates."""
    height, width = shape
    with reading(where, "an image with celestial coordinates"), warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        wcs = WCS(header).celestial
        scale = float(np.mean(proj_plane_pixel_scales(wcs)))
        centre = wcs.pixel_to_world((width - 1) / 2, (height - 1) / 2).icrs
        if not np.isfinite([scale, centre.ra.deg, centre.dec.deg]).all():
            raise ValueError(f"scale {scale:g}, centre {centre.ra.deg:g}, {centre.dec.deg:g} deg")
        return _Place(3600 * scale, scale * max(shape), centre.ra.deg, centre.dec.deg)


def _hsc_zero_point(header: fits.Header) -> float:
    """AB magnitude of one unit of a pixel of HSC."""
    zero = known_zero_point(str(header.get("BUNIT", "")).strip())
    if zero is not None:
        return zero
    count = float(header.get("FLUXMAG0", 0))  # flux of magnitude 0
    return 2.5 * math.log10(count) if count > 0 else HSC_COUNT


def _to_nanomaggy(zero: float | None) -> np.float32:
    """Nanomaggies in one unit of a zero point, which is that of a nanomaggy if it is None."""
    return np.float32(1 if zero is None else flux_ratio(NANOMAGGY - zero))
