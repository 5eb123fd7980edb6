"""Kernels are compiled where there is a GPU, and interpreted on the CPU elsewhere."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture
def device() -> torch.device:
    """Where kernels run in these tests."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
