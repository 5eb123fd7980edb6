"""Two names exchanged in one step, where the system can do that."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_HERE = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE


def exchange(one: Path, other: Path) -> bool:
    """Exchange what two names of a file system stand for.

    At no moment is there nothing under either name.

    Parameters
    ----------
    one, other : Path
        Files or folders, both of which are there.

    Returns
    -------
    bool
        Whether it is done. Nothing has changed where it is not: only Linux can, and not on every
        file system.
    """
    # Of the C library: Python has no name for it.
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:
        return False
    rename.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    return bool(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)
