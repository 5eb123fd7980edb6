"""The model of the tests that need no real galaxies."""

from __future__ import annotations

from pathlib import Path

import pytest

from galgen.generate import GalaxyModel, load_model


@pytest.fixture(scope="module")
def model(tiny_weights: Path) -> GalaxyModel:
    return load_model(tiny_weights, "cpu")
