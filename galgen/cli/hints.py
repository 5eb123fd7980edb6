"""What the library tells Python users, in words of the command line.

Errors and warnings name a parameter as it is written in Python, between backticks; here stands the
option that it is. Whole commands, such as ``galgen resume cat.fits``, are the same for everybody.
"""

from __future__ import annotations

import re

OPTIONS = {
    "carry_only": "--carry-only",
    "category": "--category",
    "categories='tree.yaml'": "--categories tree.yaml",
    "columns": "--map",
    "drop": "--drop",
    "keep": "--keep",
    "lens": "--lens",
    "like": "--like",
    "mag_zero": "--mag-zero",
    "n": "--n",
    "out": "--out",
    "overwrite=True": "--overwrite",
    "pixel_scale": "--pixscale",
    "ra=(150, 152), dec=(1, 3)": "--ra 150:152 --dec 1:3",
    "renamed={'category': COLUMN}": "--map category=COLUMN",
    "resume=True": "--resume",
    "seed": "--seed",
    "size": "--size",
    "stamps='none'": "--no-stamps",
    "strict": "--strict",
    "table": "--table",
    "train(categories='folders')": "galgen train --categories folders",
}


def in_options(text: str) -> str:
    """Name the options of the command line where a message names parameters of Python."""
    return re.sub(r"`([^`]+)`", lambda found: OPTIONS.get(found[1], found[0]), text)
