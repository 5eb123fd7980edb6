"""Which categories a run learns: galgen's own, those of a file, or the folders of the data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from galgen.categories import DEFAULT
from galgen.categories.taxonomy import ROOT, Taxonomy
from galgen.categories.treefile import UNLABELLED, read_tree
from galgen.data.imagefolder import category_names
from galgen.errors import DataError, InvalidValueError

FOLDERS = "folders"


def choose_tree(categories: str | Path | Taxonomy | None, data: Sequence[Path]) -> Taxonomy:
    """Choose the tree of categories of a run.

    Parameters
    ----------
    categories : str, Path, Taxonomy or None
        A file that `galgen.categories.treefile.read_tree` reads, 'folders' for the names that the
        data has, or a tree. None is the default tree.
    data : sequence of Path
        Training data; with 'folders', image folders and zip files.

    Raises
    ------
    DataError
        If the file or the data cannot be read, or the names make no tree.
    """
    if categories is None:
        return DEFAULT
    if isinstance(categories, Taxonomy):
        return categories
    return folder_tree(data) if str(categories) == FOLDERS else read_tree(categories)


def folder_tree(data: Sequence[Path]) -> Taxonomy:
    """Make a tree whose leaves are the names of the folders of images, in alphabetical order.

    Images in folders ``galaxy`` or ``unlabelled`` have no label. Of nested folders the innermost
    counts, as ever. Where there is a ``labels.csv``, its column ``category`` has the names.

    Parameters
    ----------
    data : sequence of Path
        Image folders and zip files.

    Raises
    ------
    DataError
        If data is no image folder or zip file, or there is no folder, or one whose name cannot be
        that of a category.
    """
    found: dict[str, str] = {}
    for path in data:
        if not path.exists():
            raise DataError(f"{path}: no such file or directory.")
        if not path.is_dir() and path.suffix.lower() != ".zip":
            raise DataError(
                f"{path}: only images sorted into folders name their categories. Give the tree as "
                "a file: `categories='tree.yaml'`."
            )
        for text in sorted(category_names(path)):
            name = "-".join(text.split())
            # Spellings of one name, such as Spiral and spiral, are one category.
            found.setdefault(name.lower().replace("_", "-"), name)
    names = [found[key] for key in sorted(found) if key not in ("", ROOT, UNLABELLED)]
    sources = ", ".join(map(str, data))
    if not names:
        raise DataError(f"{sources}: no folders of categories, of which names could be taken.")
    try:
        return Taxonomy(((ROOT, None, (UNLABELLED,)), *((name, ROOT, ()) for name in names)))
    except InvalidValueError as error:
        hint = "Rename the folder, or give a tree as a file (`categories='tree.yaml'`)."
        raise DataError(f"{sources}: {error} {hint}") from error
