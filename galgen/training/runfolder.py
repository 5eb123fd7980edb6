"""The folder of a training run: one that holds no other, and is there."""

from __future__ import annotations

from pathlib import Path

from galgen.errors import OutputError


def refuse_another_run(out: Path, *kept: Path) -> None:
    """Refuse a folder in which there is a run already.

    Parameters
    ----------
    out : Path
        Folder of the run.
    *kept : Path
        Files of it, one of which every run keeps.

    Raises
    ------
    OutputError
        If one of the files exists.
    """
    if any(path.exists() for path in kept):
        raise OutputError(f"{out}: holds a run already; add `resume=True` or name another folder.")


def make_folder(out: Path) -> None:
    """Make the folder of a run, if it is missing.

    Raises
    ------
    OutputError
        If it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: cannot be made ({error.strerror}).") from error
