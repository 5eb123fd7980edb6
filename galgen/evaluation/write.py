"""Evaluations on disk: JSON alone, or a folder with JSON and a page."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from galgen.evaluation.page import build_page
from galgen.evaluation.report import Evaluation
from galgen.system.files import check_folder_output, check_output, written_output

JSON_NAME, PAGE_NAME = "report.json", "index.html"


def write_report(found: Evaluation, out: str | Path, overwrite: bool = False) -> Path:
    """Write an evaluation, whole or not at all.

    Parameters
    ----------
    found : Evaluation
        Of `galgen.evaluation.evaluate`.
    out : str or Path
        A name with the suffix ``.json`` for JSON alone, or that of a folder for ``report.json`` and
        ``index.html``, a page that needs no other file.
    overwrite : bool
        Replace an earlier one.

    Returns
    -------
    Path
        What people should open: the page, or the JSON.

    Raises
    ------
    OutputError
        If it must not be written.
    WriteError
        If it cannot be, as on a full disk.
    """
    out = Path(out)
    check_report_output(out, overwrite)
    text = json.dumps(found.to_json(), indent=1) + "\n"
    page = None if _is_json(out) else build_page(found)
    with written_output(out, overwrite) as aside:
        if page is None:
            aside.write_text(text)
            return out
        aside.mkdir()
        (aside / JSON_NAME).write_text(text)
        (aside / PAGE_NAME).write_text(page, encoding="utf-8")
    return out / PAGE_NAME


def check_report_output(out: Path, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Refuse an output that could not be written; see `write_report`.

    Parameters
    ----------
    out : Path
        JSON or a folder.
    overwrite : bool
        Whether it may replace an earlier one.
    inputs : iterable of Path
        What it is made from, which it never replaces.

    Raises
    ------
    OutputError
        If it must not be written.
    """
    if _is_json(out):
        check_output(out, overwrite, inputs)
    else:
        check_folder_output(out, overwrite, _is_report, inputs)


def _is_json(out: Path) -> bool:
    """Whether JSON alone is asked for."""
    return out.suffix.lower() == ".json"


def _is_report(folder: Path) -> bool:
    """Whether a folder is an earlier report, and nothing else."""
    return {path.name for path in folder.iterdir()} == {JSON_NAME, PAGE_NAME}
