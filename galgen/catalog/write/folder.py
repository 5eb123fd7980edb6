"""The folder that a catalogue is in while it is unfinished, and what of it is galgen's."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from galgen.system.aside import PART
from galgen.system.files import remove_folder

RUN = "run.json"
RECORD = r"(\d{12,})-(\d{12,})\.json"
_ASIDE = r"\..+\.[0-9a-f]{12}(\.part)?"  # what a killed writer of a record or of run.json leaves
_GONE = r"\.nfs[0-9a-f]+"  # what NFS makes of files that are removed and still open
_OURS = re.compile(rf"run\.json|\d+\.(data|short)|{RECORD}|{_ASIDE}|{_GONE}")


def part_folder(catalog: Path) -> Path:
    """Name the folder that a catalogue is in while it is unfinished."""
    return catalog.with_name(catalog.name + PART)


def foreign_files(folder: Path) -> list[str]:
    """List what is in the folder of a ledger, or in its place, and not galgen's."""
    if folder.is_symlink() or not folder.is_dir():
        return [folder.name]
    return sorted(name for name in os.listdir(folder) if not _OURS.fullmatch(name))


def remove(folder: Path) -> None:
    """Remove the folder of a ledger, in one step as far as others can see.

    Files that are not galgen's stay, and the folder with them.

    Raises
    ------
    OSError
        If it must not be removed.
    """
    if not foreign_files(folder):
        remove_folder(folder)
        return
    for name in filter(_OURS.fullmatch, os.listdir(folder)):
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
