"""What galgen reads, and the commands that read it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reader:
    """A kind of input.

    Attributes
    ----------
    name : str
        As it is counted.
    copied : str
        The file or folder of the corpus that is damaged.
    commands : tuple of str
        What reads it: words, of which {in} is the input, {out} a folder to write to, and {corpus}
        the folder of whole files.
    path : str
        What {in} is, within the folder that is copied; by default all of it.
    whole : str
        Of a ledger: the catalogue that it becomes.
    """

    name: str
    copied: str
    commands: tuple[str, ...]
    path: str = ""
    whole: str = ""


_TINY = "--steps 1 --batch 2 --weights {corpus}/weights"
_TRAIN = "train --out {out}/run --preset tiny --images 4 --batch 4 --workers 1 --size 16"
# `verify` more often than others: its verdict is what everyone relies on.
_CATALOG = (
    "verify {in}",
    "verify {in}",
    "verify {in}",
    "schema {in}",
    "schema {in} --format json",
    "preview {in} --out {out}/a.png",
    "evaluate {in} --reference {corpus}/stamps.h5",
    "evaluate {corpus}/float32.fits --reference {in}",
    "export imagefolder {in} {out}/images",
    "export imagefolder {in} {out}/images.zip",
    "export hdf5 {in} {out}/a.h5",
    "export meds {in} {out}/a.fits",
    "export realgalaxy {in} {out}/a.fits",
    "export imsim {in} {out}/imsim --ra 10:20 --dec 1:2 --pixel-scale 0.4 --mag-zero 25",
    "export hats {in} {out}/hats --ra 10:20 --dec 1:2",
    "cat {in} {corpus}/other.fits --out {out}/a.fits",
    "compress {in} --out {out}/a.fits.fz",
    "compress --decompress {in} --out {out}/a.fits",
    "scene --galaxies {in} --out {out}/a.fits --size 64 --mag 18:20 --n 3",
    "train --data {in} --out {out}/run --preset tiny --images 4 --workers 1",
    "resume {in}",
    "finish {in}",
    f"mass --like {{in}} --out {{out}}/a.fits {_TINY}",
)
_LEDGER = (
    "resume {in}",
    "finish {in}",
    "finish --partial {in}",
    "verify {in}",
    "schema {in}",
)
_ROWS = f"mass --like {{in}} --out {{out}}/a.fits --pixscale 0.4 {_TINY}"
_LIKE = (_ROWS, f"{_ROWS} --category spiral --drop *_*")
_SCENE = "scene --galaxies {corpus}/observed.fits --out {out}/a.fits --size 64"
_DATA = (
    "train --data {in} --out {out}/run --preset tiny --images 4 --workers 1",
    "train --data {in} --out {out}/run --preset tiny --images 4 --workers 1 --size 16"
    " --categories folders",
    "evaluate {corpus}/float32.fits --reference {in}",
)
_LABELLED = "train --data {corpus}/images.zip --out {out}/run --preset tiny --images 4 --workers 1"
READERS = (
    Reader("catalogue, float32", "float32.fits", _CATALOG),
    Reader("catalogue, int16", "int16.fits", _CATALOG),
    Reader("catalogue, table only", "nostamps.fits", _CATALOG),
    Reader("catalogue, observed", "observed.fits", _CATALOG),
    Reader("catalogue, carried columns", "like.fits", _CATALOG),
    Reader("catalogue, joined", "joined.fits", _CATALOG),
    Reader("catalogue, compressed", "float32.fits.fz", _CATALOG),
    Reader("catalogue, lossless", "int16.fits.fz", _CATALOG),
    Reader("catalogue, split", "split", _CATALOG, "cat.fits"),
    Reader("ledger, gap", "gap", _LEDGER * 2, "cat.fits", "float32.fits"),
    Reader("ledger, complete", "full", _LEDGER * 2, "cat.fits", "float32.fits"),
    Reader("ledger, table only", "bare", _LEDGER, "cat.fits", "nostamps.fits"),
    Reader("ledger, int16", "short", _LEDGER, "cat.fits", "int16.fits"),
    Reader("ledger, rows of a table", "rows", _LEDGER, "cat.fits", "like.fits"),
    Reader("ledger, split", "parts", _LEDGER, "cat.fits", "split/cat.fits"),
    *(
        Reader(f"table, {name.partition('.')[2]}", name, _LIKE * 2)
        for name in (
            "table.fits",
            "table.csv",
            "table.ecsv",
            "table.vot",
            "table.parquet",
            "table.txt",
            "table.csv.gz",
        )
    ),
    Reader("scene's table, csv", "drawn.csv", (f"{_SCENE} --catalog {{in}}",) * 2),
    Reader("scene's table, FITS", "drawn.fits", (f"{_SCENE} --catalog {{in}}",) * 2),
    Reader("PSF image", "psf.fits", (f"{_SCENE} --n 2 --psf {{in}}",) * 2),
    Reader(
        "weights",
        "weights",
        (
            "info --weights {in}",
            "info --weights {in} --json",
            "mass --category spiral --n 2 --steps 1 --batch 2 --out {out}/a.fits --weights {in}",
            "scene --n 2 --out {out}/a.fits --size 64 --steps 1 --batch 2 --weights {in}",
            f"{_TRAIN} --data {{corpus}}/real.zip --init {{in}}",
        )
        * 2,
    ),
    Reader("images in folders", "images", _DATA * 2),
    Reader("WebP in folders", "real", _DATA),
    Reader("images in a zip", "images.zip", _DATA * 2),
    Reader("HDF5, flux", "stamps.h5", _DATA * 2),
    Reader("HDF5, Galaxy10", "galaxy10.h5", _DATA * 2),
    Reader("HDF5, GalaxiesML", "galaxiesml.h5", _DATA * 2),
    Reader("FITS, cube", "cube.fits", _DATA),
    Reader("cutouts, Legacy Surveys", "legacy", _DATA * 2),
    Reader("cutouts, HSC", "hsc", _DATA * 2),
    Reader("tree of categories", "tree.yaml", (f"{_LABELLED} --categories {{in}}",)),
    Reader("relabel", "relabel.csv", (f"{_LABELLED} --relabel {{in}}",)),
    Reader(
        "training run",
        "run",
        (
            "train --data {corpus}/real.zip --out {in} --preset tiny --images 4 --batch 4"
            " --workers 1 --size 16 --resume",
        )
        * 3,
    ),
)
