"""How a finisher is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass

from galgen.diffusion.samplers import check_steps, get_sampler
from galgen.settings import JsonConfig, require
from galgen.training.config import MAX_BATCH, TrainConfig


@dataclass(frozen=True)
class FinisherConfig(JsonConfig):
    """How a finisher is trained, see `galgen.training.finisher.trainer`.

    Attributes
    ----------
    level : float
        Noise level at which the finisher takes over from the denoiser.
    images : int
        Length of the run, in galaxies that the finisher makes.
    batch : int
        Galaxies per step.
    generator_rate, critic_rate : float
        Learning rates of the finisher and of its critics.
    pixels, features, grain, profiles : float
        Weights of what the critics of `galgen.training.finisher.critics` say; one of weight 0 is
        not made.
    hold : float
        Weight of `galgen.training.finisher.hold.Hold`.
    moments : float
        Weight of `galgen.training.finisher.moments.Moments`.
    r1 : float
        Weight of the critics' gradient penalty.
    penalty_every : int
        Steps from one penalty to the next, which then counts as many times (Karras et al. 2020,
        "Analyzing and improving the image quality of StyleGAN", app. B).
    critic_steps : int
        Steps that critics take for one of the finisher, which learns from critics that know it.
    noised : float
        Share of the batch that is real galaxies with noise; the others are states.
    samplers : tuple of (str, int)
        Solvers that make the states, and their steps; see
        `galgen.training.finisher.states.sample_states`.
    states : int
        How many states.
    ema : float
        Part of the average that stays at every step of the finisher.
    warmup : int
        Steps in which critics learn alone.
    gradient_clip : float
        Largest norm of the finisher's gradients.
    balance : float
        See `galgen.training.config.TrainConfig`.
    checkpoint_minutes : float
        Time between checkpoints.
    seed : int
        Of the critics' first weights, the batches, the states and the noise: 0 to 2^31 - 1.

    Raises
    ------
    InvalidValueError
        If a value is out of range.
    """

    level: float = 0.5
    images: int = 100_000
    batch: int = 64
    generator_rate: float = 1.5e-5
    critic_rate: float = 5e-4
    pixels: float = 1.0
    features: float = 1.0
    grain: float = 0.5
    profiles: float = 1.0
    hold: float = 0.2
    moments: float = 2.0
    r1: float = 0.02
    penalty_every: int = 8
    critic_steps: int = 2
    noised: float = 0.34
    samplers: tuple[tuple[str, int], ...] = (("dpmpp-2m", 3), ("sde-dpmpp-2m", 12))
    states: int = 8192
    ema: float = 0.995
    warmup: int = 40
    gradient_clip: float = 5.0
    balance: float = 0.6
    checkpoint_minutes: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least, most in (
            ("images", 1, 10**12),
            ("batch", 2, MAX_BATCH),
            ("penalty_every", 1, 10**6),
            ("critic_steps", 1, 10**6),
            ("warmup", 0, 10**9),
            ("states", 1, 10**7),
        ):
            value = getattr(self, name)
            require(least <= value <= most, name, value, f"{least} to {most}")
        for name in ("level", "gradient_clip", "checkpoint_minutes"):
            value = getattr(self, name)
            require(0 < value < math.inf, name, value, "above 0")
        for name in ("generator_rate", "critic_rate"):
            value = getattr(self, name)
            require(0 < value <= 1, name, value, "above 0, up to 1")
        for name in (*self.weights, "hold", "moments", "r1"):
            value = getattr(self, name)
            require(0 <= value < math.inf, name, value, "0 or more")
        require(any(self.weights.values()), "weights of the critics", self.weights, "one above 0")
        require(0 < self.noised < 1, "noised", self.noised, "between 0 and 1")
        require(0 <= self.ema < 1, "ema", self.ema, "0 to below 1")
        require(0 <= self.balance <= 1, "balance", self.balance, "0 to 1")
        require(0 <= self.seed < 2**31, "seed", self.seed, "0 to 2^31 - 1")
        require(
            0 < len(self.samplers) <= self.states,
            "samplers",
            self.samplers,
            "1 or more, no more than states",
        )
        for sampler, steps in self.samplers:
            get_sampler(sampler)
            check_steps(sampler, steps)

    @property
    def weights(self) -> dict[str, float]:
        """Weights of the critics by their names."""
        return {name: getattr(self, name) for name in ("pixels", "features", "grain", "profiles")}

    @property
    def parts(self) -> tuple[int, int]:
        """How many of a batch are real galaxies with noise, and how many are states; 1 or more."""
        real = min(max(round(self.batch * self.noised), 1), self.batch - 1)
        return real, self.batch - real

    def drawing(self, batch: int) -> TrainConfig:
        """Return how `BatchSource` draws so many galaxies, with all that is known of them."""
        return TrainConfig(
            batch=batch,
            balance=self.balance,
            label_dropout=0.0,
            property_dropout=0.0,
            all_properties_dropout=0.0,
            unconditional=0.0,
            seed=self.seed,
        )
