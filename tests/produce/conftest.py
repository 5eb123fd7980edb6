"""The run that is made in pieces, and how to start it in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.catalog.synthetic import accept, sha256
from tests.produce.processes import SCRIPT, N


@pytest.fixture(scope="module")
def asked(tiny_weights: Path) -> list[str]:
    """The run of every test here: random weights, and two categories."""
    options = {"category": "spiral:1,smooth:1", "n": N, "weights": tiny_weights, "steps": 2}
    options |= {"batch": 8, "seed": 5}
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]


@pytest.fixture(scope="module")
def expected(asked: list[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """Digest of the catalogue that one process makes without interruption."""
    path = tmp_path_factory.mktemp("expected") / "cat.fits"
    words = [sys.executable, "-m", "galgen", "mass", "--quiet", *asked, "--out", path]
    subprocess.run(words, check=True)
    accept(path)
    return sha256(path)


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command line, for processes that are to be killed."""
    path = tmp_path_factory.mktemp("script") / "run_galgen.py"
    path.write_text(SCRIPT)
    return path


@pytest.fixture
def start(script):
    """Start a command in a process of its own."""

    def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
        words = [sys.executable, str(script), *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        # A script's own folder is on the path, not this one.
        paths = os.pathsep.join(path for path in sys.path if path)
        return subprocess.Popen(
            words, env=os.environ | {"PYTHONPATH": paths} | environment, **pipes
        )

    return start
