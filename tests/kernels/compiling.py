"""Processes that compile kernels, where the tests themselves interpret them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
KERNELS = ROOT / "kernels"


def run(*command: object, **environment: object) -> str:
    """Standard output of a process that compiles kernels instead of interpreting them."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("TRITON_", "GALGEN_"))}
    inherited |= {"PYTHONPATH": str(KERNELS)} | {k: str(v) for k, v in environment.items()}
    result = subprocess.run(
        [str(word) for word in command], env=inherited, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
