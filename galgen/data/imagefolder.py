"""Colour images in one folder per category, as a directory or a zip file.

::

    round-smooth/1237648720693755918.png
    disk/spiral/barred/1237648720693755919.webp
    labels.csv      optional: columns file and category, and id, group, redshift, ra, dec or others
    galgen.json     optional: {"bands": ["g", "r", "i"], "lupton": "sdss", "pixel_scale": 0.396}
"""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from galgen.categories import DEFAULT, Taxonomy
from galgen.data.folder import Folder, opened, read_settings
from galgen.data.labels import labelled_images
from galgen.data.stamps import StampSet, bin_to_size, category_code
from galgen.errors import DataError, reading
from galgen.pixels.lupton import LUPTON
from galgen.system.bounds import PICTURES, SIDE, check_unpacked, text_array

# Those of `SUFFIXES`. Pillow knows others, some of which start programs.
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF")
_MODES = ("RGB", "RGBA", "P")  # greyscale and 16-bit images would convert to RGB without a word


def read_imagefolder(
    path: str | Path,
    size: int | None = None,
    tree: Taxonomy = DEFAULT,
    lupton: str | None = "sdss",
    bands: Sequence[str] | None = None,
) -> StampSet:
    """Read colour images sorted by category.

    The category of an image is that of ``labels.csv`` where there is one, else the name of the
    folder it lies in (any spelling that `Taxonomy.get` takes). A ``galgen.json`` beside
    the labels overrides `lupton` and `bands`.

    Parameters
    ----------
    path : str or Path
        Directory or zip file.
    size : int, optional
        Centre-crop and bin each image to this side in pixels, by its own largest whole factor
        (`bin_to_size`). By default images keep their size, which must then be the same for all.
    tree : Taxonomy
        The categories.
    lupton : str or None
        Stretch the images were made with, a key of `galgen.pixels.space.LUPTON`; None if unknown,
        which leaves flux out of reach.
    bands : sequence of str, optional
        The bands shown as B, G, R: bluest first. By default those of the stretch, or g, r, i.

    Returns
    -------
    StampSet
        Display stamps. Ids are the ``id`` column, or the file names without folder and suffix. The
        pixel scale is None where images were binned by different factors.

    Raises
    ------
    DataError
        Names the archive and the image at fault: truncated, unreadable, of another size or mode,
        smaller than `size`, listed but missing, present but not listed, or in no category.
    """
    with opened(Path(path)) as folder:
        return _read(folder, size, tree, lupton, bands)


def category_names(path: str | Path) -> set[str]:
    """Find what `read_imagefolder` would look up as categories, without reading an image.

    Raises
    ------
    DataError
        As `read_imagefolder`.
    """
    with opened(Path(path)) as folder:
        return set(labelled_images(folder)[1])


def _read(
    folder: Folder,
    size: int | None,
    tree: Taxonomy,
    lupton: str | None,
    bands: Sequence[str] | None,
) -> StampSet:
    """Read an open folder."""
    images, names, columns = labelled_images(folder)
    ids = columns.pop("id") if "id" in columns else _ids(folder, images)
    group = columns.pop("group", ids)
    settings = read_settings(folder)
    lupton = settings.get("lupton", lupton)
    default = LUPTON[lupton].bands if lupton and lupton in LUPTON else ("g", "r", "i")
    pixels, factor = _read_pixels(folder, images, size)
    scale = settings.get("pixel_scale")
    return StampSet(
        pixels=pixels,
        native="display",
        bands=tuple(settings.get("bands") or bands or default),
        category=_codes(tree, folder, images, names),
        ids=ids,
        group=group,
        columns=columns,
        pixel_scale=None if scale is None or factor is None else float(scale) * factor,
        lupton=lupton,
        source=str(folder.path),
        tree=tree,
    )


def _ids(folder: Folder, images: list[str]) -> np.ndarray:
    """Ids (N,) from file names."""
    # Usual names are survey ids, the same in every copy of the data, so the split is too. Numbered
    # names (round/0001.png, merging/0001.png) need the folder to tell them apart.
    stems = [PurePosixPath(name).stem for name in images]
    counts = Counter(stems)
    ids = [
        s if counts[s] == 1 else str(PurePosixPath(name).with_suffix(""))
        for s, name in zip(stems, images, strict=True)
    ]
    return text_array(folder.path, ids, folder.stored_of(images))


def _codes(tree: Taxonomy, folder: Folder, images: list[str], names: list[str]) -> np.ndarray:
    """Codes (N,) int16 from the names of categories."""
    known: dict[str, int] = {}
    for image, name in zip(images, names, strict=True):
        if name not in known:
            known[name] = category_code(tree, name, f"{folder.path}: {image}")
    return np.array([known[name] for name in names], dtype=np.int16)


def _read_pixels(
    folder: Folder, images: list[str], size: int | None
) -> tuple[np.ndarray, int | None]:
    """Pixels (N, H, W, 3), bluest band first, and the factor they were binned by if one for all."""
    factors = set()
    on_disk, unpacked = folder.stored_of(images), 0
    for row, name in enumerate(images):
        where = f"{folder.path}: image {name}"
        with reading(where, "an image"), _open_image(folder, name) as image:
            unpacked += 3 * image.width * image.height
            check_unpacked(f"{where} and those before it", unpacked, on_disk, PICTURES)
            rgb = np.asarray(image.convert("RGB"))
        stamp, factor = (rgb, 1) if size is None else _to_size(folder, name, rgb, size)
        factors.add(factor)
        if row == 0:
            check_unpacked(folder.path, len(images) * stamp.size, on_disk, PICTURES)
            pixels = np.empty((len(images), *stamp.shape), dtype=np.uint8)
        if stamp.shape != pixels.shape[1:]:
            raise DataError(
                f"{folder.path}: {name} is {stamp.shape[1]} x {stamp.shape[0]} pixels, "
                f"but {images[0]} is {pixels.shape[2]} x {pixels.shape[1]}. Give a size (`size`) "
                "to have images of several sizes binned and cut to it."
            )
        pixels[row] = stamp[..., ::-1]
    return pixels, factors.pop() if len(factors) == 1 else None


def _to_size(folder: Folder, name: str, rgb: np.ndarray, size: int) -> tuple[np.ndarray, int]:
    """Return one image binned by its largest whole factor, and that factor."""
    if min(rgb.shape[:2]) < size:
        raise DataError(
            f"{folder.path}: {name} is {rgb.shape[1]} x {rgb.shape[0]} pixels, less than the size "
            f"of {size} asked for, and images are not enlarged. Leave it out, or give a smaller "
            "size (`size`)."
        )
    stamps, factor = bin_to_size(rgb[None], size)
    return stamps[0], factor


def _open_image(folder: Folder, name: str) -> Image.Image:
    """Open an image, of which only the header is read yet, unless it cannot be a galaxy's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # `SIDE` is stricter
        image = Image.open(io.BytesIO(folder.read(name)), formats=_FORMATS)
    if max(image.size) > SIDE:
        raise DataError(
            f"{folder.path}: {name} is {image.width} x {image.height} pixels; {SIDE} a side are "
            "the most."
        )
    if image.mode not in _MODES:
        raise DataError(
            f"{folder.path}: {name} has pixels of mode {image.mode}; "
            "8-bit RGB colour images are needed."
        )
    return image
