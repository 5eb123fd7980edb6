"""Catalogues as colour images by category, what image classifiers are trained on."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from galgen.catalog import CatalogFile
from galgen.catalog.read.ids import galaxy_ids
from galgen.errors import CatalogError, InvalidValueError
from galgen.pictures.display import display_stretch, shown, to_display
from galgen.pictures.grid import rgb
from galgen.pixels.lupton import LuptonStretch
from galgen.system.files import check_folder_output, check_output, written_output

_CHUNK = 256  # stamps read at a time
_GENERATED = "generated"  # key of galgen.json that tells an export from data of another origin
_HEADER = ("file", "category", "label_basis", "source", "id", "seed")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date of a zip entry: equal bytes on every run
_FILE_MODE = 0o644 << 16


def export_imagefolder(
    catalog_path: str | Path,
    out: str | Path,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
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

    Returns
    -------
    int
        Galaxies written.

    Raises
    ------
    OutputError
        If `out` cannot be written; nothing has been then.
    InvalidValueError
        If the catalogue has less than three bands.
    DataError, CatalogError
        If the catalogue is missing, or not one.

    Notes
    -----
    Memory does not depend on the number of galaxies, but for a zip file's own table of contents
    (about half a kilobyte per galaxy).
    """
    out = Path(out)
    zipped = out.suffix.lower() == ".zip"
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
        with (_zip if zipped else _folder)(out, overwrite) as write:
            return _export(catalog, write, progress)


def _export(
    catalog: CatalogFile,
    write: Callable[[str, Iterable[bytes]], None],
    progress: Callable[[int], None] | None,
) -> int:
    """Hand over every file of the export, by name; return the number of galaxies."""
    stretch = display_stretch(catalog.info, catalog.stamps(slice(_CHUNK)))
    settings = json.dumps(_settings(catalog, stretch), indent=1) + "\n"
    write("galgen.json", [settings.encode()])
    write("labels.csv", _labels(catalog))
    for rows, galaxies in _chunks(catalog):
        images = rgb(to_display(catalog.stamps(rows), stretch))
        for image, (name, _, _) in zip(images, galaxies, strict=True):
            write(name, [_png(image)])
        if progress is not None:
            progress(rows.start + len(images))
    return len(catalog)


def _settings(catalog: CatalogFile, stretch: LuptonStretch) -> dict[str, object]:
    """List what `galgen.data.read_imagefolder` has to know, by name, as JSON has it."""
    bands = [catalog.bands[i] for i in shown(len(catalog.bands))]
    info = catalog.info
    settings: dict[str, object] = {
        "bands": bands,
        "lupton": info.lupton,
        "pixel_scale": info.pixel_scale,
    }
    if info.lupton is None:  # not one of the named stretches, but flux can still be had
        settings["stretch"] = asdict(stretch)
    provenance = ("request", "seed", "model", "weights_sha256", "training_set", "credit")
    return settings | {_GENERATED: {name: getattr(info, name) for name in provenance}}


def _labels(catalog: CatalogFile) -> Iterator[bytes]:
    """Yield the lines of ``labels.csv``."""
    yield ",".join(_HEADER).encode() + b"\n"
    for _, galaxies in _chunks(catalog):
        lines = (
            # Ids of different seeds differ, so that several exports can be used together.
            f"{name},{name.split('/')[0]},generated,galgen,{galaxy_id},{seed}\n"
            for name, galaxy_id, seed in galaxies
        )
        yield "".join(lines).encode()


def _chunks(catalog: CatalogFile) -> Iterator[tuple[slice, list[tuple[str, str, int]]]]:
    """Yield rows, and for each the name of its image, an id of the galaxy and its SEED."""
    tree = catalog.info.tree
    for number, part in enumerate(catalog.parts):
        # Where catalogues were put together, GALAXY_ID and even SEED are there more than once.
        prefix = f"{number}-" if len(catalog.parts) > 1 else ""
        last = -1
        for start in range(part.start, part.stop, _CHUNK):
            rows = slice(start, min(start + _CHUNK, part.stop))
            id_n, seed_n, code_n = (
                catalog.column(name, rows).tolist() for name in ("GALAXY_ID", "SEED", "CATEGORY")
            )
            # Otherwise one image would take the place of another.
            if any(b <= a for a, b in pairwise([last, *id_n])):
                raise CatalogError(f"{catalog.path}: GALAXY_ID does not rise. Run 'galgen verify'.")
            last = id_n[-1]
            names = [
                f"{tree.get(code)}/{prefix}{i}.png" for code, i in zip(code_n, id_n, strict=True)
            ]
            yield rows, list(zip(names, galaxy_ids(catalog, rows), seed_n, strict=True))


def _png(image_hwc: np.ndarray) -> bytes:
    """Encode an image of bytes, (h, w, c)."""
    file = io.BytesIO()
    Image.fromarray(image_hwc).save(file, format="PNG")
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
            path.parent.mkdir(exist_ok=True)
            with path.open("wb") as file:
                file.writelines(parts)

        yield write


def _is_export(folder: Path) -> bool:
    """Whether `export_imagefolder` has written a folder."""
    try:
        return _GENERATED in json.loads((folder / "galgen.json").read_text())
    except (OSError, TypeError, ValueError):
        return False
