"""What every benchmark records; run with ``pytest bench --benchmark-only``."""

from __future__ import annotations

import pytest
import torch

from galgen import __version__
from galgen.device import device_kind, pick_device
from galgen.generate import GalaxyModel, load_model


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict) -> None:
    """Add to the JSON of ``--benchmark-json`` what the figures depend on."""
    machine_info["galgen"] = __version__
    machine_info["torch"] = torch.__version__
    machine_info["device"] = device_kind(pick_device())
    machine_info["threads"] = torch.get_num_threads()


@pytest.fixture(scope="session")
def model() -> GalaxyModel:
    """The shipped weights on the first GPU, or the CPU."""
    return load_model()
