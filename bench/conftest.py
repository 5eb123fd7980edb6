"""What every benchmark records; run with ``pytest bench --benchmark-only``."""

from __future__ import annotations

import pytest

from bench.record import environment
from galgen.generate import GalaxyModel, load_model


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict) -> None:
    """Add to the JSON of ``--benchmark-json`` what the figures depend on."""
    machine_info |= environment()


@pytest.fixture(scope="session")
def model() -> GalaxyModel:
    """Load the shipped weights on the first GPU, or the CPU."""
    return load_model()
