"""``galgen mass`` as a user runs it: a process of its own, timed from start to end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter

TIMEOUT = 300.0  # seconds


class CommandError(RuntimeError):
    """The command failed; the message is the end of what it wrote."""


def mass_seconds(
    out: Path,
    n: int,
    batch: int,
    *options: object,
    lanes: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> float:
    """Wall time of one command that writes `out`.

    `lanes` is how many micro-batches are made at a time, if not as many as by default.

    Raises
    ------
    CommandError
        If it exits with anything but 0, or takes too long.
    """
    command = [sys.executable, "-m", "galgen", "mass", "--category", "spiral:1,smooth:1", "--quiet"]
    command += ["--overwrite", "--n", n, "--batch", batch, "--out", out, *options]
    chosen = {} if lanes is None else {"GALGEN_LANES": str(lanes)}
    return _seconds([str(part) for part in command], chosen | dict(environment or {}))


def import_seconds() -> float:
    """Wall time of a process that imports PyTorch and ends: no command can be faster."""
    return _seconds([sys.executable, "-c", "import torch; torch.cuda.is_available()"], None)


def _seconds(command: list[str], environment: Mapping[str, str] | None) -> float:
    start = perf_counter()
    try:
        done = subprocess.run(
            command,
            env=os.environ | dict(environment or {}),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CommandError(f"not done after {TIMEOUT:.0f} s") from None
    if done.returncode:
        raise CommandError(f"exit code {done.returncode}: {(done.stderr or done.stdout)[-500:]}")
    return perf_counter() - start
