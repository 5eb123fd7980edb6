"""A directory or zip file of images or cutouts: their names, and ``galgen.json``."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, Any

from galgen.errors import DataError, reading
from galgen.settings import MAX_JSON_BYTES, parse_json, require
from galgen.system.bounds import check_unpacked
from galgen.system.inputs import check_file

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # LZMA takes what memory it says


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

    @cached_property
    def shown(self) -> list[str]:
        """Names of the files that are not hidden."""
        hidden = (".", "__MACOSX")
        parts = ((name, PurePosixPath(name).parts) for name in self.names)
        return [name for name, own in parts if not any(part.startswith(hidden) for part in own)]

    def ending(self, suffixes: tuple[str, ...]) -> list[str]:
        """Names of the files that are not hidden and end so, in whatever case."""
        return [name for name in self.shown if name.lower().endswith(suffixes)]

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
