"""Fixtures of several test modules."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # read when a kernel is defined: before galgen is imported

# pytest-timeout, where it is installed: a test that waits for ever is named, and the others run.
os.environ.setdefault("PYTEST_TIMEOUT", "600")  # seconds

from galgen.cli import main
from galgen.weights.checkpoint import export
from tests.tiny import make_checkpoint

if "PYTEST_XDIST_WORKER_COUNT" in os.environ:  # workers share the cores
    threads = max(1, (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
    torch.set_num_threads(threads)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # for the commands that tests start

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture(scope="session", autouse=True)
def user_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What tests measure is not kept in the cache of who runs them, nor taken from there."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder / "galgen"


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of exported weights: 32 x 32 pixels in g, r, i; read-only by agreement."""
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    export(make_checkpoint(), folder, "# tiny\n")
    return folder


@pytest.fixture
def galaxies() -> Path:
    """24 real galaxies, 64 x 64 pixels (tests/fixtures/README.md)."""
    return FIXTURES / "galaxies64.zip"


@pytest.fixture
def galgen(monkeypatch, capsys):
    """Call the command line in this process; returns (exit code, stdout, stderr)."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["galgen", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return end.value.code or 0, out, err

    return call
