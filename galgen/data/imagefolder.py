"""Colour images in one folder per category, as a directory or a zip file.

::

    round-smooth/1237648720693755918.png
    disk/spiral/barred/1237648720693755919.webp
    labels.csv      optional: columns file and category, and id, group, redshift, ra, dec or others
    galgen.json     optional: {"bands": ["g", "r", "i"], "lupton": "sdss", "pixel_scale": 0.396}
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from galgen.categories import DEFAULT, Taxonomy
from galgen.data.stamps import StampSet, bin_to_size, category_code
from galgen.errors import DataError
from galgen.pixels.lupton import LUPTON

_SUFFIXES = (".webp", ".jpeg", ".jpg", ".png")
_MODES = ("RGB", "RGBA", "P")  # greyscale and 16-bit images would convert to RGB without a word


@dataclass(frozen=True)
class _Folder:
    """Names of the files in a directory or zip, relative to it, and a way to read them."""

    path: Path
    names: tuple[str, ...]
    read: Callable[[str], bytes]

    def read_text(self, name: str) -> str:
        try:
            return self.read(name).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"{self.path}: {name} is not UTF-8 text ({error}).") from None


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
    with _opened(Path(path)) as folder:
        return _read(folder, size, tree, lupton, bands)


def category_names(path: str | Path) -> set[str]:
    """What `read_imagefolder` would look up as categories, without reading an image.

    Raises
    ------
    DataError
        As `read_imagefolder`.
    """
    with _opened(Path(path)) as folder:
        return set(_labelled(folder)[1])


@contextmanager
def _opened(path: Path) -> Iterator[_Folder]:
    if path.is_dir():
        yield _open_directory(path)
        return
    try:
        with zipfile.ZipFile(path) as archive:
            names = tuple(info.filename for info in archive.infolist() if not info.is_dir())
            yield _Folder(path, names, archive.read)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise DataError(
            f"{path}: cannot be read as a zip file, it may be truncated ({error})."
        ) from error


def _open_directory(path: Path) -> _Folder:
    names = tuple(f.relative_to(path).as_posix() for f in sorted(path.rglob("*")) if f.is_file())
    return _Folder(path, names, lambda name: (path / name).read_bytes())


def _labelled(folder: _Folder) -> tuple[list[str], list[str], dict[str, np.ndarray]]:
    """Images, the name of the category of each, and the other columns of labels.csv."""
    images = [
        name
        for name in folder.names
        if name.lower().endswith(_SUFFIXES)
        and not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)
    ]
    labels = _only(folder, "labels.csv")
    columns: dict[str, np.ndarray] = {}
    if labels:
        columns = _read_labels(folder, labels, images)
        images = columns.pop("file").tolist()
        names = columns.pop("category").tolist()
    else:
        names = [PurePosixPath(name).parent.name for name in images]
    if not images:
        raise DataError(
            f"{folder.path}: no images ({', '.join(_SUFFIXES)}) found; "
            "expected one folder per category."
        )
    return images, names, columns


def _only(folder: _Folder, wanted: str) -> str | None:
    """Where in a folder the file of a name is, if there is one."""
    found = [name for name in folder.names if PurePosixPath(name).name == wanted]
    if len(found) > 1:
        raise DataError(f"{folder.path}: has more than one {wanted}: {found}.")
    return found[0] if found else None


def _read(
    folder: _Folder,
    size: int | None,
    tree: Taxonomy,
    lupton: str | None,
    bands: Sequence[str] | None,
) -> StampSet:
    images, names, columns = _labelled(folder)
    settings = _only(folder, "galgen.json")
    ids = columns.pop("id", None)
    group = columns.pop("group", None)
    meta = _read_settings(folder, settings) if settings else {}
    lupton = meta.get("lupton", lupton)
    default = LUPTON[lupton].bands if lupton in LUPTON else ("g", "r", "i")
    pixels, factor = _read_pixels(folder, images, size)
    scale = meta.get("pixel_scale")
    return StampSet(
        pixels=pixels,
        native="display",
        bands=tuple(meta.get("bands") or bands or default),
        category=_codes(tree, folder, images, names),
        ids=_ids(images) if ids is None else ids,
        group=group,
        columns=columns,
        pixel_scale=None if None in (scale, factor) else float(scale) * factor,
        lupton=lupton,
        source=str(folder.path),
        tree=tree,
    )


def _read_settings(folder: _Folder, name: str) -> dict:
    try:
        settings = json.loads(folder.read_text(name))
    except json.JSONDecodeError as error:
        raise DataError(f"{folder.path}: {name} is not JSON ({error}).") from None
    if not isinstance(settings, dict):
        raise DataError(f"{folder.path}: {name} is not a JSON object.")
    return settings


def _read_labels(folder: _Folder, name: str, images: list[str]) -> dict[str, np.ndarray]:
    """Columns of labels.csv; `file` made relative to the folder and checked against `images`."""
    rows = csv.DictReader(io.StringIO(folder.read_text(name)), restkey="", restval="")
    header = rows.fieldnames or []
    if not {"file", "category"} <= set(header):
        raise DataError(
            f"{folder.path}: {name} has columns {header}; 'file' and 'category' are required."
        )
    table = list(rows)
    base = PurePosixPath(name).parent
    files = [str(base / row["file"].strip().replace("\\", "/")) for row in table]
    faults = {
        f"listed in {name} but missing": set(files) - set(images),
        f"not listed in {name}": set(images) - set(files),
        f"listed twice in {name}": {file for file, count in Counter(files).items() if count > 1},
    }
    for fault, some in faults.items():
        if some:
            raise DataError(f"{folder.path}: {len(some)} image(s) {fault}, such as {min(some)}.")
    text = {"file", "category", "id", "group"}
    columns = {h: [row[h] for row in table] for h in header if h} | {"file": files}
    return {h: np.array(v) if h in text else _numbers(v) for h, v in columns.items()}


def _numbers(values: list[str]) -> np.ndarray:
    """Float64 with NaN for empty cells, or text where some cell is no number."""
    try:
        return np.array([float(v) if v.strip() else np.nan for v in values])
    except ValueError:
        return np.array(values)


def _ids(images: list[str]) -> np.ndarray:
    # Usual names are survey ids, the same in every copy of the data, so the split is too. Numbered
    # names (round/0001.png, merging/0001.png) need the folder to tell them apart.
    stems = [PurePosixPath(name).stem for name in images]
    counts = Counter(stems)
    return np.array(
        [
            s if counts[s] == 1 else str(PurePosixPath(name).with_suffix(""))
            for s, name in zip(stems, images, strict=True)
        ]
    )


def _codes(tree: Taxonomy, folder: _Folder, images: list[str], names: list[str]) -> np.ndarray:
    known: dict[str, int] = {}
    for image, name in zip(images, names, strict=True):
        if name not in known:
            known[name] = category_code(tree, name, f"{folder.path}: {image}")
    return np.array([known[name] for name in names], dtype=np.int16)


def _read_pixels(
    folder: _Folder, images: list[str], size: int | None
) -> tuple[np.ndarray, int | None]:
    """Pixels (N, H, W, 3), bluest band first, and the factor they were binned by if one for all."""
    pixels, factors = None, set()
    for row, name in enumerate(images):
        rgb = _read_rgb(folder, name)
        stamp, factor = (rgb, 1) if size is None else _to_size(folder, name, rgb, size)
        factors.add(factor)
        if pixels is None:
            pixels = np.empty((len(images), *stamp.shape), dtype=np.uint8)
        if stamp.shape != pixels.shape[1:]:
            raise DataError(
                f"{folder.path}: {name} is {stamp.shape[1]} x {stamp.shape[0]} pixels, "
                f"but {images[0]} is {pixels.shape[2]} x {pixels.shape[1]}. Give a size (--size) "
                "to have images of several sizes binned and cut to it."
            )
        pixels[row] = stamp[..., ::-1]
    return pixels, factors.pop() if len(factors) == 1 else None


def _to_size(folder: _Folder, name: str, rgb: np.ndarray, size: int) -> tuple[np.ndarray, int]:
    """One image binned by its largest whole factor, and that factor."""
    if min(rgb.shape[:2]) < size:
        raise DataError(
            f"{folder.path}: {name} is {rgb.shape[1]} x {rgb.shape[0]} pixels, less than the size "
            f"of {size} asked for, and images are not enlarged. Leave it out, or give a smaller "
            "size (--size)."
        )
    stamps, factor = bin_to_size(rgb[None], size)
    return stamps[0], factor


def _read_rgb(folder: _Folder, name: str) -> np.ndarray:
    try:
        data = folder.read(name)
        with Image.open(io.BytesIO(data)) as image:
            if image.mode not in _MODES:
                raise DataError(
                    f"{folder.path}: {name} has pixels of mode {image.mode}; "
                    "8-bit RGB colour images are needed."
                )
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{folder.path}: image {name} cannot be read ({error}).") from error
