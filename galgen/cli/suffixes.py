"""Names of outputs: a suffix that means another format is refused, with what makes that format."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import typer

from galgen.errors import InvalidValueError

# Suffix: what it means, and how to have it; {out} is the name asked for, {fits} one of FITS.
_FITS = "FITS", "'galgen mass' or 'galgen scene' with --out {out} writes it"
_HDF5 = "HDF5", "'galgen export hdf5 {fits} {out}' writes it"
_PARQUET = "Parquet", "'galgen export hats {fits} FOLDER' writes the table as Parquet"
_TABLE = (
    "a table of text",
    "write {fits}, then python -c \"from astropy.table import Table; Table.read('{fits}', "
    "'CATALOG').write('{out}')\"",
)
_IMAGES = (
    "a picture",
    "'galgen preview {fits} --out {png}' draws galaxies, 'galgen export imagefolder {fits} FOLDER' "
    "writes each",
)
_ZIP = "zip", "'galgen export imagefolder {fits} {out}' writes it"
_TAR = "tar", "write the folder {stem}, then 'tar -cf {out} {stem}'"
_GZIP = "gzip", "write {stem}, then 'gzip {stem}'; 'galgen compress' makes FITS smaller, too"
_FZ = "compressed FITS", "write {stem}, then 'galgen compress {stem}'"
_JSON = "JSON", "'galgen evaluate' and 'galgen schema --format json' write it"

FITS_NAMES = ".fits", ".fit", ".fts"
FORMATS = {
    **dict.fromkeys(FITS_NAMES, _FITS),
    **dict.fromkeys((".h5", ".hdf5", ".hdf"), _HDF5),
    **dict.fromkeys((".parquet", ".parq"), _PARQUET),
    **dict.fromkeys((".csv", ".ecsv", ".tsv", ".txt", ".dat", ".vot", ".votable", ".xml"), _TABLE),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".gif"), _IMAGES),
    ".zip": _ZIP,
    **dict.fromkeys((".tar", ".tgz", ".tbz", ".txz"), _TAR),
    **dict.fromkeys((".gz", ".bz2", ".xz", ".zst"), _GZIP),
    ".fz": _FZ,
    ".json": _JSON,
}


def named(what: str, *own: str) -> Callable[[typer.Context, Path | None], Path | None]:
    """Make the callback of an output option, which refuses suffixes of other formats.

    Parameters
    ----------
    what : str
        What is written, for the message: 'a FITS file'.
    *own : str
        Suffixes that mean it; those that mean nothing are allowed, too.

    Returns
    -------
    callable
        Returns the path that it is given, or raises `InvalidValueError`.
    """

    def check(context: typer.Context, path: Path | None) -> Path | None:
        suffix = "" if path is None else path.suffix.lower()
        if path is None or suffix in own or suffix not in FORMATS or context.resilient_parsing:
            return path
        meaning, how = FORMATS[suffix]
        double = path.with_suffix("").suffix == ".tar"
        if double:
            meaning, how = _TAR
        stem = path.with_suffix("").with_suffix("") if double else path.with_suffix("")
        names = {
            "out": path,
            "stem": stem,
            "fits": path.with_suffix(".fits"),
            "png": path.with_suffix(".png"),
        }
        quoted = {name: shlex.quote(str(value)) for name, value in names.items()}
        allowed = f"the name of {what}" + (f" ({', '.join(own)})" if own else "")
        hint = f"{suffix} is {meaning}: {how.format(**quoted)}."
        raise InvalidValueError("out", str(path), allowed, hint)

    return check
