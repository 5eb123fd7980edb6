"""How a finisher is trained: what is refused, and what is written down."""

from __future__ import annotations

import pytest

from galgen.errors import InvalidValueError
from galgen.training.finisher.config import FinisherConfig

CONFIG = FinisherConfig(batch=4, features=0.0, samplers=(("ddim", 2),), critic_steps=1)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"level": 0.0}, "level"),
        ({"level": float("nan")}, "level"),
        ({"batch": 1}, "batch"),
        ({"states": 0}, "states"),
        ({"noised": 1.0}, "noised"),
        ({"ema": 1.0}, "ema"),
        ({"hold": -1.0}, "hold"),
        ({"moments": -1.0}, "moments"),
        (dict.fromkeys(CONFIG.weights, 0.0), "weights of the critics"),
        ({"critic_steps": 0}, "critic_steps"),
        ({"generator_rate": 0.0}, "generator_rate"),
        ({"samplers": ()}, "samplers"),
        ({"samplers": (("euler", 3),)}, "sampler"),
        ({"samplers": (("ddim", 0),)}, "steps"),
        ({"penalty_every": 0}, "penalty_every"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_numbers(changes: dict[str, object], named: str) -> None:
    with pytest.raises(InvalidValueError, match=f"^{named} is"):
        FinisherConfig(**changes)


def test_configuration_as_json() -> None:
    assert FinisherConfig.from_json(CONFIG.to_json()) == CONFIG


@pytest.mark.parametrize(("batch", "noised", "parts"), [(64, 0.5, (32, 32)), (3, 0.01, (1, 2))])
def test_parts_of_a_batch(batch: int, noised: float, parts: tuple[int, int]) -> None:
    assert FinisherConfig(batch=batch, noised=noised).parts == parts
