"""Tensors with JSON-able metadata in one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from galgen.errors import WeightsError, reading
from galgen.settings import parse_json
from galgen.system.files import written_aside
from galgen.system.inputs import check_file


def save_tensors(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write tensors and JSON-able metadata as one safetensors file, whole or not at all.

    Parameters
    ----------
    path : Path
        The file.
    tensors : mapping of str to Tensor
        On any device.
    meta : mapping
        What JSON can hold.

    Raises
    ------
    OSError
        If it cannot be written; what was there before is still there.
    """
    contiguous = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    header = {"galgen": json.dumps(meta)}
    with written_aside(path) as aside:
        aside.write_bytes(save(contiguous, header))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote.

    Returns
    -------
    tensors : dict of str to Tensor
        The tensors by name, in host memory.
    meta : dict
        The metadata.

    Raises
    ------
    WeightsError
        If the file is missing, truncated or not safetensors.
    """
    check_file(path, WeightsError)
    with reading(path, "safetensors", WeightsError), safe_open(path, framework="pt") as handle:
        meta = parse_json((handle.metadata() or {}).get("galgen", "{}").encode())
        return {name: handle.get_tensor(name) for name in handle.keys()}, meta  # noqa: SIM118
