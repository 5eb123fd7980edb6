"""JSON results: figures, and the device, versions, date and command that they belong to."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from galgen import __version__
from galgen.system.device import device_kind, pick_device
from galgen.system.files import written_aside


def environment() -> dict[str, Any]:
    """Return what figures depend on, but for the code."""
    return {
        "device": device_kind(pick_device()),
        "torch": torch.__version__,
        "triton": _triton_version(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if torch.version.cuda else None,
        "python": ".".join(map(str, sys.version_info[:3])),
        "galgen": __version__,
        "threads": torch.get_num_threads(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": _command(),
    }


def save(path: Path | None, results: dict[str, Any]) -> None:
    """Write `results` under `environment`; call it after every figure, as a run may be stopped."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(environment() | results, indent=1) + "\n"
        with written_aside(path) as aside:
            aside.write_text(text)


def _triton_version() -> str | None:
    if importlib.util.find_spec("triton") is None:
        return None
    import triton

    return triton.__version__


def _command() -> str:
    """Return the command line, without the folders of this machine."""
    program, *arguments = sys.argv
    name = Path(program).parent.name if Path(program).stem == "__main__" else Path(program).name
    return shlex.join([name, *(Path(a).name if os.path.isabs(a) else a for a in arguments)])
