"""Fixtures of several test modules."""

from __future__ import annotations

from pathlib import Path

import pytest

from galgen.checkpoint import export
from tests.tiny import make_checkpoint

FIXTURES = Path(__file__).parent / "fixtures"


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
