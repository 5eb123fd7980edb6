"""A small training run that tests of the loop begin with."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from galgen.training import loop
from galgen.training.config import TrainConfig
from galgen.training.prepare import Prepared, prepare
from galgen.training.presets import tiny
from tests.training.running import BATCH, SIZE


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    """Real galaxies, a small network, no warm-up."""
    train = TrainConfig(
        images=10_000, batch=BATCH, warmup=0, validation=0.2, learning_rate=1e-3, balance=1.0
    )
    path = Path(__file__).parents[1] / "fixtures" / "galaxies64.zip"
    return prepare([path], dataclasses.replace(tiny(), train=train), SIZE)


@pytest.fixture
def few_validation_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as a test needs."""
    monkeypatch.setattr(loop, "VALIDATION_BATCHES", 2)


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Log after every step, not every ten seconds."""
    monkeypatch.setattr(loop, "LOG_SECONDS", 0.0)
