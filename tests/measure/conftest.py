from __future__ import annotations

import pytest
import torch

from galgen.data import StampSet, open_stamps
from galgen.pixels.space import LUPTON
from tests.conftest import FIXTURES


@pytest.fixture(scope="session")
def real_stamps() -> StampSet:
    """24 real galaxies, two or three per category."""
    return open_stamps(FIXTURES / "galaxies64.zip")


@pytest.fixture(scope="session")
def real_flux(real_stamps) -> torch.Tensor:
    """Their flux, (24, 64, 64, 3) in g, r, i."""
    return LUPTON["sdss"].to_flux(real_stamps.native_float())
