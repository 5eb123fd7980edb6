"""Stamps of linear flux, any number of bands, from FITS or HDF5."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from galgen.categories import DEFAULT, Taxonomy
from galgen.data.catalogtable import NUMBERS, read_catalog_table
from galgen.data.hdf5 import data_set, opened_hdf5
from galgen.data.stamps import StampSet, bin_to_size, category_code
from galgen.errors import DataError, reading
from galgen.system.bounds import text_array
from galgen.system.fitsfile import checked_hdus, open_fits

_STAMPS = "STAMPS_"
_COLUMNS = ("category", "id", "group", *NUMBERS)


def read_flux_fits(
    path: str | Path,
    size: int | None = None,
    tree: Taxonomy = DEFAULT,
    bands: Sequence[str] | None = None,
) -> StampSet:
    """Read linear-flux stamps from FITS.

    Either the layout that galgen writes, one image extension ``STAMPS_<BAND>`` of (N, H, W) per
    band, or one image of (N, B, H, W). A table ``CATALOG`` of N rows may give CATEGORY_NAME or
    CATEGORY, GALAXY_ID, REDSHIFT, RA and DEC; without categories every galaxy is a ``galaxy``.

    Parameters
    ----------
    path : str or Path
        File to read.
    size : int, optional
        Bin and crop to this side in pixels, conserving flux (`bin_to_size`).
    tree : Taxonomy
        The categories.
    bands : sequence of str, optional
        Names in the order of the file, which is bluest first. By default the card ``BANDS``.

    Returns
    -------
    StampSet
        Flux in the unit of ``BUNIT``, empty where there is none; `pixel_scale` from
        ``PIXSCALE``; where ``FLUXCAL`` is ``RGBINV``, `lupton` is the stretch that was inverted
        (card ``LUPTON``).

    Raises
    ------
    DataError
        Names the file, and the galaxy whose pixels are not finite.
    """
    path = Path(path)
    with reading(path, "FITS"), warnings.catch_warnings():
        warnings.filterwarnings("error", ".*truncated.*", AstropyUserWarning)
        # Opened here because astropy leaves a file open whose first header is cut off.
        with open_fits(path) as file, fits.open(file, memmap=False) as hdus:
            read = _read_fits(hdus, path, bands)
    return _stamps(*read, path, size, tree)


def _read_fits(
    hdus: fits.HDUList, path: Path, bands: Sequence[str] | None
) -> tuple[np.ndarray, tuple[str, ...], dict[str, np.ndarray], dict[str, Any]]:
    """Return flux (N, H, W, B), bands, columns and attributes of an open file."""
    cubes, quads = [], []
    for hdu in checked_hdus(hdus, path):
        if hdu.is_image and hdu.name.startswith(_STAMPS):
            cubes.append(hdu)
        elif hdu.is_image and len(hdu.shape) == 4:
            quads.append(hdu)
    if not cubes and not quads:
        raise DataError(
            f"{path}: no stamps found; expected images {_STAMPS}<BAND> of (N, H, W), or one image "
            "of (N, bands, H, W)."
        )
    image = (cubes or quads)[0]
    header = {**hdus[0].header, **image.header}
    if cubes:
        extensions = [hdu.name.removeprefix(_STAMPS).lower() for hdu in cubes]
        names = bands or _band_names(header.get("BANDS", extensions), len(cubes))
        flux_nhwc = _stack_cubes({hdu.name: hdu for hdu in cubes}, names, path)
    else:
        names = bands or _band_names(header.get("BANDS", ()), image.shape[1])
        flux_nhwc = _bands_last(np.asarray(image.data, dtype=np.float32), names, path)
    attributes = {
        "unit": header.get("BUNIT"),
        "pixel_scale": header.get("PIXSCALE"),
        "lupton": header.get("LUPTON") if header.get("FLUXCAL") == "RGBINV" else None,
        "psf_fwhm": None if "PSFFWHM" in header else header.get("STAMPPSF"),
    }
    return flux_nhwc, tuple(names), read_catalog_table(hdus, path), attributes


def _stack_cubes(
    cubes: Mapping[str, fits.ImageHDU], bands: Sequence[str], path: Path
) -> np.ndarray:
    """Stack one image (N, H, W) per band to (N, H, W, B)."""
    names = [_STAMPS + band.upper() for band in bands]
    missing = [name for name in names if name not in cubes]
    if missing:
        raise DataError(f"{path}: bands are {tuple(bands)}, but there is no image {missing}.")
    shapes = {cubes[name].shape for name in names}
    if len(shapes) > 1 or len(cubes[names[0]].shape) != 3:
        raise DataError(f"{path}: stamps have shapes {shapes}; expected one (N, H, W).")
    return np.stack([np.asarray(cubes[name].data, dtype=np.float32) for name in names], axis=-1)


def _band_names(value: str | bytes | Iterable[object], n: int) -> list[str]:
    """Return bands from "g,r,i", "g r i", "gri" (for n = 3) or a sequence of names."""
    if not isinstance(value, str | bytes):
        return [_text(name) for name in value]
    names = [name for name in re.split(r"[,\s]+", _text(value)) if name]
    return list(names[0]) if len(names) == 1 and len(names[0]) == n else names


def read_flux_hdf5(
    path: str | Path,
    size: int | None = None,
    tree: Taxonomy = DEFAULT,
    bands: Sequence[str] | None = None,
) -> StampSet:
    """Read linear-flux stamps from HDF5.

    Parameters
    ----------
    path : str or Path
        Data set ``flux`` (N, B, H, W); optionally ``category`` (names or codes), ``id``,
        ``group``, ``redshift``, ``ra``, ``dec`` of (N,); attributes ``bands``, ``unit``,
        ``pixel_scale`` (arcsec), ``stamp_psf`` (FWHM in arcsec; 0 for galaxies without a PSF),
        ``sky_noise`` (per band: that of the images that flux without any is for) and ``lupton``,
        the stretch that was inverted where ``flux_calibration`` is ``RGBINV``, of the file or of
        ``flux``.
    size : int, optional
        Bin and crop to this side in pixels, conserving flux (`bin_to_size`).
    tree : Taxonomy
        The categories.
    bands : sequence of str, optional
        Names in the order of the file, bluest first. By default the attribute.

    Returns
    -------
    StampSet
        Flux in the unit that the file names, empty where it names none.

    Raises
    ------
    DataError
        Names the file, and the galaxy whose pixels are not finite.
    """
    path = Path(path)
    with opened_hdf5(path) as file:
        if "flux" not in file:
            raise DataError(
                f"{path}: has data sets {sorted(file)[:20]}; expected 'flux' (N, bands, H, W), or "
                "'images' and 'ans' of Galaxy10."
            )
        data = data_set(file, "flux", 4)
        attrs = {**file.attrs, **data.attrs}
        flux = data.astype(np.float32)[:]
        names = bands or _band_names(attrs.get("bands", ()), flux.shape[1] if flux.ndim > 1 else 0)
        flux_nhwc = _bands_last(flux, names, path)
        table = {name: data_set(file, name)[:] for name in _COLUMNS if name in file}
    attributes = {
        "unit": attrs.get("unit"),
        "pixel_scale": attrs.get("pixel_scale"),
        "lupton": attrs.get("lupton") if attrs.get("flux_calibration") == "RGBINV" else None,
        "psf_fwhm": None if "psf" in attrs else attrs.get("stamp_psf"),
        "noise": attrs.get("sky_noise"),
    }
    return _stamps(flux_nhwc, tuple(names), table, attributes, path, size, tree)


def _bands_last(flux: np.ndarray, names: Sequence[str], path: Path) -> np.ndarray:
    """Turn (N, B, H, W) into (N, H, W, B), and refuse what cannot be that."""
    if not names:
        raise DataError(
            f"{path}: does not name its bands; give them, bluest first (bands=('g', 'r', 'i'))."
        )
    if flux.ndim != 4 or flux.shape[1] != len(names):
        hint = ""
        if flux.ndim == 4 and flux.shape[3] == len(names):
            hint = " The bands look to be last: transpose(0, 3, 1, 2) before writing."
        raise DataError(
            f"{path}: flux has shape {flux.shape}; expected (N, {len(names)}, H, W) for bands "
            f"{tuple(names)}.{hint}"
        )
    return np.ascontiguousarray(flux.transpose(0, 2, 3, 1))


def _stamps(
    flux_nhwc: np.ndarray,
    bands: tuple[str, ...],
    table: Mapping[str, np.ndarray],
    attributes: Mapping[str, Any],
    path: Path,
    size: int | None,
    tree: Taxonomy,
) -> StampSet:
    """Check what was read of a file, whose values have no type yet, and make a set of it."""
    n = len(flux_nhwc)
    for name, column in table.items():
        if column.shape != (n,):
            rows = f"{len(column)} rows" if column.ndim == 1 else f"shape {column.shape}"
            raise DataError(f"{path}: {name} has {rows} for {n} stamps.")
    ids = _texts(table.get("id", [f"{path.stem}-{row}" for row in range(n)]), path)
    check_finite(flux_nhwc, bands, ids, path)
    factor = 1
    if size is not None:
        flux_nhwc, factor = bin_to_size(flux_nhwc, size)
    with reading(path, "stamps of flux"):
        scale = attributes["pixel_scale"]
        unit, lupton = (_text(attributes[name] or "") for name in ("unit", "lupton"))
        columns = {c: np.asarray(table[c], np.float64) for c in NUMBERS if c in table}
        scale = float(scale) * factor if scale else None
        psf, noise = attributes["psf_fwhm"], attributes.get("noise")
        psf = None if psf is None else float(psf)
        if noise is not None:  # that of a sum of pixels
            noise = tuple(float(sigma) * factor for sigma in np.atleast_1d(noise))
        category = _codes(tree, table.get("category", np.zeros(n, dtype=np.int16)), ids, path)
    return StampSet(
        pixels=flux_nhwc,
        native="flux",
        bands=bands,
        category=category,
        ids=ids,
        group=_texts(table["group"], path) if "group" in table else ids,
        columns=columns,
        unit=unit,
        pixel_scale=scale,
        lupton=lupton or None,
        psf_fwhm=psf,
        noise=noise,
        source=str(path),
        tree=tree,
    )


def check_finite(
    flux_nhwc: np.ndarray, bands: tuple[str, ...], ids: np.ndarray, path: Path
) -> None:
    """Refuse stamps with a pixel that is not finite.

    Parameters
    ----------
    flux_nhwc : ndarray
        Flux per pixel.
    bands : tuple of str
        Names of its bands.
    ids : ndarray (n,)
        Names of the galaxies.
    path : Path
        The file, for the message.

    Raises
    ------
    DataError
        Names the first galaxy that has one.
    """
    bad = ~np.isfinite(flux_nhwc)
    if bad.any():
        row, _, _, band = np.argwhere(bad)[0]
        raise DataError(
            f"{path}: galaxy {str(ids[row])!r} (row {row}) has {bad[row].sum()} pixels that are "
            f"not finite, the first in band {bands[band]}; "
            f"{bad.any(axis=(1, 2, 3)).sum()} galaxies are affected. Leave them out, or mask them."
        )


def _codes(tree: Taxonomy, values: np.ndarray, ids: np.ndarray, path: Path) -> np.ndarray:
    """Codes (N,) int16 from names or codes of categories."""
    codes = []
    for galaxy, value in zip(ids, values, strict=True):
        label = _text(value) if isinstance(value, bytes | str) else value
        codes.append(category_code(tree, label, f"{path}: galaxy {str(galaxy)!r}"))
    return np.array(codes, dtype=np.int16)


def _texts(values: Iterable[object], path: Path) -> np.ndarray:
    """Return texts (N,) of what FITS and HDF5 hold."""
    with reading(path, "text"):
        return text_array(path, [_text(value) for value in values], path.stat().st_size)


def _text(value: object) -> str:
    """Return text from what FITS and HDF5 hold."""
    return (value.decode() if isinstance(value, bytes) else str(value)).strip()
