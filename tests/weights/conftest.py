"""Fixtures of the tests of weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def weights(tiny_weights: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(tiny_weights, tmp_path / "copy"))
