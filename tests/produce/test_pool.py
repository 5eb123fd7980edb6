"""Processes of a pool that end before they have begun: an error, and no waiting for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PYTHON = """#!/bin/sh
case "$*" in *spawn_main*) exit 9;; esac
exec {python} "$@"
"""
SCRIPT = """
import multiprocessing, sys
from galgen.cli import main
if __name__ == "__main__":
    multiprocessing.set_executable(sys.argv.pop(1))
    main()
"""


@pytest.mark.parametrize("more", [0, 12_000], ids=["short", "longer than a pipe"])
def test_every_process_dies_at_once(tmp_path: Path, tiny_weights: Path, more: int) -> None:
    """Python tells every process the command line of the one that starts it."""
    python, script = tmp_path / "python", tmp_path / "script.py"
    python.write_text(PYTHON.format(python=sys.executable))
    python.chmod(0o755)
    script.write_text(SCRIPT)
    paths = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    words = [sys.executable, script, python, "mass", "--category", "spiral"]
    words += ["--n", "8", "--workers", "2", "--weights", tiny_weights, "--out", tmp_path / "a.fits"]
    words += ["--overwrite"] * more
    try:
        done = subprocess.run(
            words, env=os.environ | paths, capture_output=True, text=True, timeout=60
        )
    except subprocess.TimeoutExpired:
        pytest.fail("it waits for ever")
    assert done.returncode == 1
    assert done.stderr.startswith("galgen: a worker process has died")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "a.fits").exists()
