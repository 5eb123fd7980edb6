"""Runs by processes that a test can watch, stop and kill."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

N = 240
MANY = 20_000  # more than can be made before a test stops it

# Records every batch, not every two seconds: these runs are shorter than that.
SCRIPT = """
from galgen.catalog.write import recorder
from galgen.cli import main
if __name__ == "__main__":
    recorder.RECORD_SECONDS = 0
    main()
"""


def records(path: Path) -> int:
    """Galaxies of an unfinished catalogue that are recorded."""
    names = [p.stem.split("-") for p in path.with_name(f"{path.name}.part").glob("0*-*.json")]
    return sum(int(stop) - int(start) for start, stop in names)


def wait_for_records(path: Path, process: subprocess.Popen[str], galaxies: int = 1) -> None:
    """Wait until a run has recorded galaxies."""
    while process.poll() is None and records(path) < galaxies:
        time.sleep(0.01)
    assert process.poll() is None, process.communicate()[1]


def slow(asked: list[str]) -> list[str]:
    """The same run with more galaxies, so that it can be stopped."""
    return [*asked, "--n", str(MANY)]
