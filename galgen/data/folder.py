"""A directory or zip file of images: their names, ``labels.csv`` and ``galgen.json``."""

from __future__ import annotations

import csv
import io
import os
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np

from galgen.errors import DataError, GalgenWarning, reading
from galgen.settings import MAX_JSON_BYTES, parse_json, require
from galgen.system.bounds import check_unpacked, text_array
from galgen.system.inputs import check_file

SUFFIXES = (".webp", ".jpeg", ".jpg", ".jpe", ".png", ".tiff", ".tif")
_PAPERS = (".csv", ".html", ".json", ".md", ".pdf", ".txt", ".yaml", ".yml")  # no one's galaxies
_SYSTEM = ("thumbs.db", "desktop.ini")
_MAX_COLUMNS = 1000
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # LZMA takes what memory it says


class LeftOutWarning(GalgenWarning):
    """Files among images that are not read."""


@dataclass(frozen=True)
class Folder:
    """A directory or zip file that can be read.

    Attributes
    ----------
    path : Path
        Where it is.
    names : tuple of str
        Of its files, relative to it.
    open : callable
        Given one of these names; returns it as a binary file, whose size has been checked.
    stored : callable
        Given one of these names; returns the bytes that it takes on disk.
    """

    path: Path
    names: tuple[str, ...]
    open: Callable[[str], IO[bytes]]
    stored: Callable[[str], int]

    def read(self, name: str) -> bytes:
        """Read a file."""
        with self.open(name) as file:
            return file.read()

    def stored_of(self, names: Iterable[str]) -> int:
        """Bytes that some files take on disk; those of a zip file, however they overlap."""
        total = sum(map(self.stored, names))
        return total if self.path.is_dir() else min(total, self.path.stat().st_size)

    def find(self, wanted: str) -> str | None:
        """Where in it the one file of a name is, None if there is none.

        Raises
        ------
        DataError
            If there are several.
        """
        found = [name for name in self.names if PurePosixPath(name).name == wanted]
        if len(found) > 1:
            raise DataError(f"{self.path}: has more than one {wanted}: {found[:3]}.")
        return found[0] if found else None


@contextmanager
def opened(path: Path) -> Iterator[Folder]:
    """Open a directory or zip file.

    Raises
    ------
    DataError
        If it cannot be read, then or in the block.
    """
    if path.is_dir():
        with reading(path, "a folder of images"):
            yield _directory(path)
        return
    check_file(path)
    with reading(path, "a zip file"), zipfile.ZipFile(path) as archive:
        yield _archive(path, archive)


def _directory(path: Path) -> Folder:
    """Look through a directory, and through those that links in it lead to."""

    def found(name: str) -> Path:
        if not (path / name).is_file():  # a pipe would wait for ever
            raise DataError(f"{path}: {name} is no file, or a link that leads nowhere.")
        return path / name

    def open_file(name: str) -> IO[bytes]:
        return found(name).open("rb")

    def stored(name: str) -> int:
        return found(name).stat().st_size

    return Folder(path, tuple(sorted(_walk(path, "", ()))), open_file, stored)


def _walk(path: Path, below: str, above: tuple[tuple[int, int], ...]) -> Iterator[str]:
    """Yield names of files in a directory; a link to one that it is in itself is refused."""
    own = path.stat()
    above = (*above, (own.st_dev, own.st_ino))
    if above[-1] in above[:-1]:
        raise DataError(f"{path}: is a link to a folder that it lies in. Remove it.")
    with os.scandir(path) as entries:
        for entry in entries:
            name = below + entry.name
            if entry.is_dir():
                yield from _walk(path / entry.name, f"{name}/", above)
            else:
                yield name


def _archive(path: Path, archive: zipfile.ZipFile) -> Folder:
    """Look through a zip file."""
    members = {info.filename: info for info in archive.infolist() if not info.is_dir()}
    on_disk = path.stat().st_size

    def stored(name: str) -> int:
        return min(members[name].compress_size, on_disk)

    def open_member(name: str) -> IO[bytes]:
        if members[name].compress_type not in _METHODS:
            raise DataError(
                f"{path}: {name} is compressed in a way other than zip's usual one (deflate). "
                "Pack it anew."
            )
        # No more is unpacked than a member says to have.
        check_unpacked(f"{path}: {name}", members[name].file_size, stored(name))
        return archive.open(name)

    if len(members) < sum(not info.is_dir() for info in archive.infolist()):
        raise DataError(f"{path}: has two files of one name. Pack it anew.")
    return Folder(path, tuple(members), open_member, stored)


def labelled_images(folder: Folder) -> tuple[list[str], list[str], dict[str, np.ndarray]]:
    """Find images, the name of the category of each, and the other columns of ``labels.csv``.

    Raises
    ------
    DataError
        If there are none, or they are not those that ``labels.csv`` lists.

    Warns
    -----
    LeftOutWarning
        If there are files beside them that may be galaxies, too.
    """
    shown = [
        name
        for name in folder.names
        if not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)
    ]
    images = [name for name in shown if name.lower().endswith(SUFFIXES)]
    labels = folder.find("labels.csv")
    columns: dict[str, np.ndarray] = {}
    if labels:
        columns = _read_labels(folder, labels, images)
        images = columns.pop("file").tolist()
        names = columns.pop("category").tolist()
    else:
        names = [PurePosixPath(name).parent.name for name in images]
    if not images:
        raise DataError(
            f"{folder.path}: no images ({', '.join(SUFFIXES)}) found; "
            "expected one folder per category."
        )
    _say_left_out(folder, shown)
    return images, names, columns


def _say_left_out(folder: Folder, names: list[str]) -> None:
    """Warn of files that are not read though they may be galaxies."""
    known = (*SUFFIXES, *_PAPERS, *_SYSTEM)
    left = [n for n in names if not n.lower().endswith(known) and "." in PurePosixPath(n).name]
    left += [n for n in names if "." not in PurePosixPath(n).name and "/" in n]  # not README
    if left:
        kinds = Counter(PurePosixPath(name).suffix.lower() or "no suffix" for name in left)
        counted = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(5))
        warnings.warn(
            f"{folder.path}: {len(left)} files are left out ({counted}), such as {left[0]}; images "
            f"are {', '.join(SUFFIXES)}.",
            LeftOutWarning,
            stacklevel=2,
        )


def _read_labels(folder: Folder, name: str, images: list[str]) -> dict[str, np.ndarray]:
    """Columns of labels.csv; `file` made relative to the folder and checked against `images`."""
    with (
        reading(f"{folder.path}: {name}", "a table in UTF-8"),
        io.TextIOWrapper(folder.open(name), encoding="utf-8-sig", newline="") as text,
    ):
        rows = csv.DictReader(text, restkey="", restval="")
        header = list(rows.fieldnames or [])
        if not {"file", "category"} <= set(header):
            raise DataError(
                f"{folder.path}: {name} has columns {header[:10]}; 'file' and 'category' are "
                "required."
            )
        if len(header) > _MAX_COLUMNS:
            raise DataError(f"{folder.path}: {name} has more than {_MAX_COLUMNS} columns.")
        # Each row is of another image; of more rows it is enough to know that there are some.
        table = list(islice(rows, len(images) + 1000))
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
    as_text = {"file", "category", "id", "group"}
    columns = {h: [row[h] for row in table] for h in header if h} | {"file": files}
    where, stored = f"{folder.path}: {name}", folder.stored(name)
    arrays = {}
    for h, values in columns.items():
        numbers = None if h in as_text else _numbers(values)
        arrays[h] = text_array(where, values, stored) if numbers is None else numbers
    return arrays


def _numbers(values: list[str]) -> np.ndarray | None:
    """Return float64 with NaN for empty cells; None where some cell is no number."""
    try:
        return np.array([float(v) if v.strip() else np.nan for v in values])
    except ValueError:
        return None


def read_settings(folder: Folder) -> dict[str, Any]:
    """Read ``galgen.json``; nothing where there is none.

    Returns
    -------
    dict
        ``bands``, a list of names; ``lupton``, a stretch or None; ``pixel_scale`` in arcsec: those
        that are there, and whatever else is.

    Raises
    ------
    DataError
        If it is not a JSON object, or has something else there.
    """
    name = folder.find("galgen.json")
    if name is None:
        return {}
    where = f"{folder.path}: {name}"
    with reading(where, "a JSON object", values=True):
        with folder.open(name) as file:
            settings = parse_json(file.read(MAX_JSON_BYTES + 1))
        bands, lupton = settings.get("bands"), settings.get("lupton")
        listed = isinstance(bands, list) and all(isinstance(band, str) for band in bands)
        require(bands is None or listed, "bands", bands, "a list of names, bluest first")
        require(isinstance(lupton, str | None), "lupton", lupton, "the name of a stretch, or null")
        scale = settings.get("pixel_scale")
        allowed = "0.0001 to 1000 arcsec, or null"
        require(scale is None or 1e-4 <= scale <= 1e3, "pixel_scale", scale, allowed)
    return settings
