"""Which files of a folder are galaxies, and what ``labels.csv`` says of them."""

from __future__ import annotations

import csv
import io
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import PurePosixPath

import numpy as np

from galgen.data.folder import Folder
from galgen.errors import DataError, GalgenWarning, reading
from galgen.system.bounds import text_array

SUFFIXES = (".webp", ".jpeg", ".jpg", ".jpe", ".png", ".tiff", ".tif")
_PAPERS = (".csv", ".html", ".json", ".md", ".pdf", ".txt", ".yaml", ".yml")  # no one's galaxies
_SYSTEM = ("thumbs.db", "desktop.ini")
_AS_TEXT = ("file", "category", "id", "group")
_MAX_COLUMNS = 1000


class LeftOutWarning(GalgenWarning):
    """Files among images that are not read."""


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
    images = folder.ending(SUFFIXES)
    labels = folder.find("labels.csv")
    columns: dict[str, np.ndarray] = {}
    if labels:
        columns = read_labels(folder, labels, "file", images, ("category",))
        images = columns.pop("file").tolist()
        names = columns.pop("category").tolist()
    else:
        names = [PurePosixPath(name).parent.name for name in images]
    if not images:
        raise DataError(
            f"{folder.path}: no images ({', '.join(SUFFIXES)}) found; "
            "expected one folder per category."
        )
    say_left_out(folder, folder.shown, SUFFIXES)
    return images, names, columns


def say_left_out(folder: Folder, names: Iterable[str], read: Sequence[str]) -> None:
    """Warn of files that are not read though they may be galaxies.

    Parameters
    ----------
    folder : Folder
        Where they are.
    names : iterable of str
        Files of the folder.
    read : sequence of str
        Endings, in lower case, of what is read.

    Warns
    -----
    LeftOutWarning
        If there are some.
    """
    names, known = list(names), (*read, *_PAPERS, *_SYSTEM)
    left = [n for n in names if not n.lower().endswith(known) and "." in PurePosixPath(n).name]
    left += [n for n in names if "." not in PurePosixPath(n).name and "/" in n]  # not README
    if left:
        kinds = Counter(PurePosixPath(name).suffix.lower() or "no suffix" for name in left)
        counted = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(5))
        warnings.warn(
            f"{folder.path}: {len(left)} files are left out ({counted}), such as {left[0]}; read "
            f"are {', '.join(read)}.",
            LeftOutWarning,
            stacklevel=2,
        )


def read_labels(
    folder: Folder, name: str, key: str, known: Sequence[str], required: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Read ``labels.csv``, a table with a row for each galaxy of a folder.

    Parameters
    ----------
    folder : Folder
        Where it is.
    name : str
        Its name there.
    key : {'file', 'id'}
        Column that says which galaxy a row is of: a file, relative to the table, or an id.
    known : sequence of str
        The n galaxies by that column; files relative to the folder.
    required : sequence of str
        Other columns that there have to be.

    Returns
    -------
    dict of str to ndarray (n,)
        In the order of the table: texts for ``file``, ``category``, ``id`` and ``group`` and where
        something is no number, else float64 with NaN for empty cells.

    Raises
    ------
    DataError
        If it cannot be read, lacks a column, or lists other galaxies than there are.
    """
    with (
        reading(f"{folder.path}: {name}", "a table in UTF-8"),
        io.TextIOWrapper(folder.open(name), encoding="utf-8-sig", newline="") as text,
    ):
        rows = csv.DictReader(text, restkey="", restval="")
        header = list(rows.fieldnames or [])
        if not {key, *required} <= set(header):
            wanted = " and ".join(f"'{column}'" for column in (key, *required))
            are = "are" if required else "is"
            raise DataError(
                f"{folder.path}: {name} has columns {header[:10]}; {wanted} {are} required."
            )
        if len(header) > _MAX_COLUMNS:
            raise DataError(f"{folder.path}: {name} has more than {_MAX_COLUMNS} columns.")
        # Each row is of another galaxy; of more rows it is enough to know that there are some.
        table = list(islice(rows, len(known) + 1000))
    keys = [row[key].strip() for row in table]
    if key == "file":
        base = PurePosixPath(name).parent
        keys = [str(base / file.replace("\\", "/")) for file in keys]
    faults = {
        f"listed in {name} but missing": set(keys) - set(known),
        f"not listed in {name}": set(known) - set(keys),
        f"listed twice in {name}": {one for one, count in Counter(keys).items() if count > 1},
    }
    what = "image(s)" if key == "file" else "cutout(s)"
    for fault, some in faults.items():
        if some:
            raise DataError(f"{folder.path}: {len(some)} {what} {fault}, such as {min(some)}.")
    columns = {h: [row[h] for row in table] for h in header if h} | {key: keys}
    where, stored = f"{folder.path}: {name}", folder.stored(name)
    arrays = {}
    for h, values in columns.items():
        found = None if h in _AS_TEXT else _numbers(values)
        arrays[h] = text_array(where, values, stored) if found is None else found
    return arrays


def _numbers(values: list[str]) -> np.ndarray | None:
    """Return float64 with NaN for empty cells; None where some cell is no number."""
    try:
        return np.array([float(v) if v.strip() else np.nan for v in values])
    except ValueError:
        return None
