"""Catalogues as colour images by category, what image classifiers are trained on."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from galgen.catalog import CatalogFile
from galgen.catalog.read.ids import galaxy_ids
from galgen.errors import CatalogError, InvalidValueError
from galgen.export.split import SETS, check_fractions, divide, set_names
from galgen.pictures.display import display_stretch, shown, to_display
from galgen.pictures.grid import rgb
from galgen.pixels.lupton import LuptonStretch
from galgen.settings import read_json
from galgen.system.files import check_folder_output, check_output, written_output

_CHUNK = 256  # stamps read at a time
_MAX_SIZE = 1024
_SUFFIXES = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}
_OPTIONS: dict[str, dict[str, Any]] = {
    "png": {},
    "jpeg": {"quality": 95},
    "webp": {"lossless": True},
}
_GENERATED = "generated"  # key of galgen.json that tells an export from data of another origin
_HEADER = ("file", "category", "label_basis", "source", "id", "seed")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date of a zip entry: equal bytes on every run
_FILE_MODE = 0o644 << 16


def export_imagefolder(
    catalog_path: str | Path,
    out: str | Path,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
    *,
    size: int | None = None,
    n: int | None = None,
    split: Sequence[float] = (),
    form: str = "png",
) -> int:
    """Write a catalogue as colour images by category, what image classifiers are trained on.

    ``<category>/<GALAXY_ID>.png`` per galaxy, in the 8-bit display stretch of the model's training
    images, with ``labels.csv`` and ``galgen.json``: what `galgen.data.open_stamps` reads back in
    the order of the catalogue. Folders have the names of its categories; galaxies of no
    particular category are in ``galaxy``. Equal catalogues give equal bytes.

    Parameters
    ----------
    catalog_path : str or Path
        Catalogue of three bands or more; of more than three, the first, middle and last are shown.
    out : str or Path
        Folder to write, or zip file if it ends in ``.zip``. It has its name once it is finished.
    overwrite : bool
        Replace an existing zip file, or folder that was exported before.
    progress : callable, optional
        Called with the number of galaxies written so far.
    size : int, optional
        Side of the images in pixels, 8 to 1024, if not that of the stamps: these are resampled.
    n : int, optional
        The first galaxies only.
    split : sequence of float, optional
        Fractions of galaxies to train, to validate and to test with, or to train and to test with:
        each set is a folder ``train``, ``validation``, ``test`` in `out`, complete by itself. Each
        category is divided by these fractions, always in the same way.
    form : {"png", "jpeg", "webp"}
        Format of the images; jpeg, of quality 95, changes the pixels a little.

    Returns
    -------
    int
        Galaxies written.

    Raises
    ------
    OutputError
        If `out` cannot be written; nothing has been then.
    InvalidValueError
        If the catalogue has less than three bands, or an option cannot be used.
    DataError, CatalogError
        If the catalogue is missing, or not one.

    Notes
    -----
    Memory does not depend on the number of galaxies, but for a zip file's own table of contents
    (about half a kilobyte per galaxy), and a few bytes per galaxy where they are divided.
    """
    out = Path(out)
    zipped = out.suffix.lower() == ".zip"
    if form not in _SUFFIXES:
        raise InvalidValueError("format", form, ", ".join(_SUFFIXES))
    if size is not None and not 8 <= size <= _MAX_SIZE:
        raise InvalidValueError("size", size, f"8 to {_MAX_SIZE} pixels")
    if split:
        check_fractions(split)
        if zipped:
            hint = "A zip file is read as one set."
            raise InvalidValueError("out", str(out), "a folder, where galaxies are divided", hint)
    if zipped:
        check_output(out, overwrite, [Path(catalog_path)])
    else:
        check_folder_output(out, overwrite, _is_export, [Path(catalog_path)])
    with CatalogFile(catalog_path) as catalog:
        if len(catalog.bands) < 3:
            raise InvalidValueError(
                "bands of the catalogue",
                catalog.bands,
                "three or more, to make colour images",
                "Read the stamps from the FITS file itself.",
            )
        if n is not None and not 1 <= n <= len(catalog):
            raise InvalidValueError("n", n, f"1 to {len(catalog)}, the galaxies of the catalogue")
        side = catalog.info.height
        if size is not None and side != catalog.info.width:
            raise InvalidValueError("size", size, "none, where stamps are not square")
        listed = _Listed(catalog, n or len(catalog), tuple(split), _SUFFIXES[form])
        scale = 1.0 if size is None else side / size
        encode = partial(_encoded, form=form, size=size)
        with (_zip if zipped else _folder)(out, overwrite) as write:
            return _export(listed, scale, encode, write, progress)


class _Listed:
    """The galaxies of an export: where each goes, and what the table says of it.

    Parameters
    ----------
    catalog : CatalogFile
        Of which the first `n` are taken.
    n : int
        How many.
    split : tuple of float
        Fractions of the sets; none for one set.
    suffix : str
        Of the images.
    """

    def __init__(self, catalog: CatalogFile, n: int, split: tuple[float, ...], suffix: str) -> None:
        self.catalog, self.n, self._suffix = catalog, n, suffix
        self.sets = tuple(f"{name}/" for name in set_names(split)) if split else ("",)
        self._set_n = np.zeros(n, np.uint8)
        if split:
            ids = (galaxy_id for _, galaxies in self.chunks() for _, _, galaxy_id, _ in galaxies)
            code_n = np.asarray(catalog.rows["CATEGORY"][:n])
            self._set_n = divide(list(ids), code_n, split, catalog.info.tree.names)

    def chunks(self) -> Iterator[tuple[slice, list[tuple[str, str, str, int]]]]:
        """Yield rows, and for each its set, its image within it, an id of the galaxy, its SEED."""
        catalog = self.catalog
        tree = catalog.info.tree
        for number, part in enumerate(catalog.parts):
            # Where catalogues were put together, GALAXY_ID and even SEED are there more than once.
            prefix = f"{number}-" if len(catalog.parts) > 1 else ""
            last, end = -1, min(part.stop, self.n)
            for start in range(part.start, end, _CHUNK):
                rows = slice(start, min(start + _CHUNK, end))
                id_n, seed_n, code_n = (
                    catalog.rows[name][rows].tolist() for name in ("GALAXY_ID", "SEED", "CATEGORY")
                )
                # Otherwise one image would take the place of another.
                if any(b <= a for a, b in pairwise([last, *id_n])):
                    raise CatalogError(
                        f"{catalog.path}: GALAXY_ID does not rise. Run 'galgen verify'."
                    )
                last = id_n[-1]
                yield (
                    rows,
                    [
                        (
                            self.sets[place],
                            f"{tree.get(code)}/{prefix}{i}{self._suffix}",
                            # Those of different seeds differ, so that exports can be used together.
                            name,
                            seed,
                        )
                        for place, code, i, name, seed in zip(
                            self._set_n[rows].tolist(),
                            code_n,
                            id_n,
                            galaxy_ids(catalog, rows),
                            seed_n,
                            strict=True,
                        )
                    ],
                )

    def labels(self, wanted: str) -> Iterator[bytes]:
        """Yield the lines of ``labels.csv`` of a set."""
        yield ",".join(_HEADER).encode() + b"\n"
        for _, galaxies in self.chunks():
            lines = (
                f"{name},{name.split('/')[0]},generated,galgen,{galaxy_id},{seed}\n"
                for place, name, galaxy_id, seed in galaxies
                if place == wanted
            )
            yield "".join(lines).encode()


def _export(
    listed: _Listed,
    scale: float,
    encode: Callable[[np.ndarray], bytes],
    write: Callable[[str, Iterable[bytes]], None],
    progress: Callable[[int], None] | None,
) -> int:
    """Hand over every file of the export, by name; return the number of galaxies."""
    catalog = listed.catalog
    stretch = display_stretch(catalog.info, catalog.stamps(slice(_CHUNK)))
    settings = json.dumps(_settings(catalog, stretch, scale), indent=1) + "\n"
    for place in listed.sets:
        write(f"{place}galgen.json", [settings.encode()])
        write(f"{place}labels.csv", listed.labels(place))
    for rows, galaxies in listed.chunks():
        images = rgb(to_display(catalog.stamps(rows), stretch))
        for image, (place, name, _, _) in zip(images, galaxies, strict=True):
            write(place + name, [encode(image)])
        if progress is not None:
            progress(rows.start + len(images))
    return listed.n


def _settings(catalog: CatalogFile, stretch: LuptonStretch, scale: float) -> dict[str, object]:
    """List what `galgen.data.read_imagefolder` has to know of pixels `scale` times as wide."""
    bands = [catalog.bands[i] for i in shown(len(catalog.bands))]
    info = catalog.info
    settings: dict[str, object] = {
        "bands": bands,
        "lupton": info.lupton,
        "pixel_scale": info.pixel_scale and info.pixel_scale * scale,
    }
    if info.lupton is None:  # not one of the named stretches, but flux can still be had
        settings["stretch"] = asdict(stretch)
    provenance = ("request", "seed", "model", "weights_sha256", "training_set", "credit")
    return settings | {_GENERATED: {name: getattr(info, name) for name in provenance}}


def _encoded(image_hwc: np.ndarray, form: str, size: int | None) -> bytes:
    """Encode an image of bytes, (h, w, c), after it has been resampled."""
    image = Image.fromarray(image_hwc)
    if size is not None and image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, format=form.upper(), **_OPTIONS[form])
    return file.getvalue()


@contextmanager
def _zip(out: Path, overwrite: bool) -> Iterator[Callable[[str, Iterable[bytes]], None]]:
    """Give a function that writes entries of a zip file."""
    with (
        written_output(out, overwrite) as aside,
        zipfile.ZipFile(aside, "w", zipfile.ZIP_STORED) as archive,
    ):

        def write(name: str, parts: Iterable[bytes]) -> None:
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system, entry.external_attr = 3, _FILE_MODE  # Unix, on any system
            with archive.open(entry, "w") as file:
                file.writelines(parts)

        yield write


@contextmanager
def _folder(out: Path, overwrite: bool) -> Iterator[Callable[[str, Iterable[bytes]], None]]:
    """Give a function that writes files in a folder."""
    with written_output(out, overwrite) as aside:
        aside.mkdir()

        def write(name: str, parts: Iterable[bytes]) -> None:
            path = aside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.writelines(parts)

        yield write


def _is_export(folder: Path) -> bool:
    """Whether `export_imagefolder` has written a folder."""
    for place in ("", SETS[0]):
        try:
            if _GENERATED in read_json(folder / place / "galgen.json"):
                return True
        except (OSError, ValueError, RecursionError):
            continue
    return False
