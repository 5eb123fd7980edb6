"""Measured launch choices: one JSON file per kind of GPU, written by ``bench/tune_kernels.py``.

Nothing is timed while galaxies are made. A choice made by a stopwatch differs from run to run, and
with it the last bits of a catalogue; a file that is shipped, or named by GALGEN_TUNED, does not.
"""

from __future__ import annotations

import functools
import json
import os
import re
from pathlib import Path
from typing import Any, TypeVar

import torch

T = TypeVar("T")


def tuned(op: str, shape: str, kind: type[T]) -> T | None:
    """Return what was measured best for a shape of an operation on this GPU, if anything was.

    Parameters
    ----------
    op : str
        The operation.
    shape : str
        As the operation calls it.
    kind : type
        Of the choice; made from the file's fields by name.

    Returns
    -------
    kind or None
        None where nothing was measured.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file that GALGEN_TUNED names is missing or is not such a file.
    """
    choice = _table().get(op, {}).get(shape)
    return None if choice is None else kind(**choice)


@functools.cache
def _table() -> dict[str, Any]:
    """Return operation -> shape -> choice for this GPU."""
    if not torch.cuda.is_available():
        return {}
    named = os.environ.get("GALGEN_TUNED")
    path = Path(named) if named else shipped_file(torch.cuda.get_device_name())
    if not named and not path.exists():
        return {}
    table = json.loads(path.read_text())
    if not isinstance(table, dict) or not isinstance(table.get("choices"), dict):
        raise ValueError(f"{path}: not a file of bench/tune_kernels.py")
    choices: dict[str, Any] = table["choices"]
    return choices


def shipped_file(device: str) -> Path:
    """Return where choices for a kind of GPU are kept: 'NVIDIA H100 80GB HBM3' -> tuned/...json."""
    slug = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")
    return Path(__file__).parent.parent / "tuned" / f"{slug}.json"
