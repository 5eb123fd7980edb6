"""File names that are syntax somewhere else."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

# Of CFITSIO, the shell, URLs and encodings.
NAMES = (
    "x[1].fits",
    "x[col a=1].fits",
    "x.fits[0]",
    "x(copy.fits)",
    "!x.fits",
    "-x.fits",
    "--out.fits",
    "mem:x.fits",
    "http:x.fits",
    "x.fits+1",
    "x.fits.gz",
    "x.FITS",
    "x.fz",
    "x",
    "~x.fits",
    "$HOME.fits",
    "* ?.fits",
    "a b\tc.fits",
    "a\nb.fits",
    "é\N{MILKY WAY}.fits",
    "\udcff.fits",
    "x%20.fits",
    "stdin.fits",
    "x" * 200 + ".fits",
)


def renamed(rng: Random, path: Path) -> tuple[Path, str]:
    """Give a file one of these names; its suffix stays, mostly."""
    name = rng.choice(NAMES)
    if name.endswith(".fits") and rng.random() < 0.7:
        name = name.removesuffix(".fits") + path.suffix
    target = path.with_name(name)
    os.rename(path, target)
    return target, f"named {name[:40]!r}"
