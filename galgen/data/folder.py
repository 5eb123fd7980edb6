"""A directory or zip file of images: their names, ``labels.csv`` and ``galgen.json``."""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from galgen.errors import DataError

SUFFIXES = (".webp", ".jpeg", ".jpg", ".png")


@dataclass(frozen=True)
class Folder:
    """A directory or zip file that can be read.

    Attributes
    ----------
    path : Path
        Where it is.
    names : tuple of str
        Of its files, relative to it.
    read : callable
        Given one of these names; returns the bytes of the file.
    """

    path: Path
    names: tuple[str, ...]
    read: Callable[[str], bytes]

    def read_text(self, name: str) -> str:
        """Read a text file.

        Raises
        ------
        DataError
            If it is not UTF-8.
        """
        try:
            return self.read(name).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"{self.path}: {name} is not UTF-8 text ({error}).") from None

    def find(self, wanted: str) -> str | None:
        """Where in it the one file of a name is, None if there is none.

        Raises
        ------
        DataError
            If there are several.
        """
        found = [name for name in self.names if PurePosixPath(name).name == wanted]
        if len(found) > 1:
            raise DataError(f"{self.path}: has more than one {wanted}: {found}.")
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
        files = (file for file in sorted(path.rglob("*")) if file.is_file())
        names = tuple(file.relative_to(path).as_posix() for file in files)
        yield Folder(path, names, lambda name: (path / name).read_bytes())
        return
    try:
        with zipfile.ZipFile(path) as archive:
            names = tuple(info.filename for info in archive.infolist() if not info.is_dir())
            yield Folder(path, names, archive.read)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise DataError(
            f"{path}: cannot be read as a zip file, it may be truncated ({error})."
        ) from error


def labelled_images(folder: Folder) -> tuple[list[str], list[str], dict[str, np.ndarray]]:
    """Find images, the name of the category of each, and the other columns of ``labels.csv``.

    Raises
    ------
    DataError
        If there are none, or they are not those that ``labels.csv`` lists.
    """
    images = [
        name
        for name in folder.names
        if name.lower().endswith(SUFFIXES)
        and not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)
    ]
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
    return images, names, columns


def _read_labels(folder: Folder, name: str, images: list[str]) -> dict[str, np.ndarray]:
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
    """Return float64 with NaN for empty cells, or text where some cell is no number."""
    try:
        return np.array([float(v) if v.strip() else np.nan for v in values])
    except ValueError:
        return np.array(values)


def read_settings(folder: Folder) -> dict[str, Any]:
    """Read ``galgen.json``; nothing where there is none.

    Raises
    ------
    DataError
        If it is not a JSON object.
    """
    name = folder.find("galgen.json")
    if name is None:
        return {}
    try:
        settings = json.loads(folder.read_text(name))
    except json.JSONDecodeError as error:
        raise DataError(f"{folder.path}: {name} is not JSON ({error}).") from None
    if not isinstance(settings, dict):
        raise DataError(f"{folder.path}: {name} is not a JSON object.")
    return settings
