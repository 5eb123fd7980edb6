"""How a network is trained, and what a preset holds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from galgen.diffusion.config import DiffusionConfig
from galgen.model.config import ModelConfig
from galgen.settings import JsonConfig, require

MAX_BATCH = 65_536  # what is more is a slip, and would fill any memory


@dataclass(frozen=True)
class TrainConfig(JsonConfig):
    """How a network is trained. Counts are in images, so that they survive a change of batch size.

    Attributes
    ----------
    images : int
        Length of the run; the learning rate falls to zero over the last `cooldown` of it.
    batch : int
        Images per step.
    learning_rate : float
        Peak rate, shared by Muon (scaled to AdamW's update size) and AdamW.
    optimizer : {'muon', 'adamw'}
        'muon' orthogonalises the updates of weight matrices (Jordan et al. 2024); embeddings,
        norms, stem and head always use AdamW.
    ema_relative_width : float
        Width of the power-function EMA relative to the run (Karras et al. 2024, sigma_rel).
    label_dropout, property_dropout, all_properties_dropout : float
        Chances that a label becomes one of its ancestors, the root among them, that one property
        is hidden, and that all are.
    unconditional : float
        Chance that nothing is asked for at all, neither label nor properties, which is what
        classifier-free guidance steers away from (Ho & Salimans 2022).
    weight_decay : float
        Of both optimizers.
    warmup, cooldown : int, float
        Images over which the rate rises, and fraction of the run over which it falls.
    gradient_clip : float
        Largest norm of the gradients.
    light_share : float
        Part of the loss that is spread over the pixels by their light, see
        `galgen.diffusion.loss.denoising_loss`.
    balance : float
        0 draws galaxies as they come, 1 draws every category equally often, 0.5 by square roots.
    validation : float
        Fraction of the galaxies that is held out.
    checkpoint_minutes, preview_minutes : float
        Time between checkpoints and between sample grids.
    seed : int
        Of the first weights, the batches and the noise: 0 to 2^31 - 1.

    Raises
    ------
    InvalidValueError
        If a value is out of range.
    """

    images: int = 2_000_000
    batch: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    optimizer: Literal["muon", "adamw"] = "muon"
    warmup: int = 20_000
    cooldown: float = 0.4
    gradient_clip: float = 1.0
    light_share: float = 0.0
    ema_relative_width: float = 0.05
    label_dropout: float = 0.1
    property_dropout: float = 0.1
    all_properties_dropout: float = 0.2
    unconditional: float = 0.1
    balance: float = 0.5
    validation: float = 0.05
    checkpoint_minutes: float = 2.0
    preview_minutes: float = 5.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, most in (("images", 10**12), ("batch", MAX_BATCH)):
            require(1 <= getattr(self, name) <= most, name, getattr(self, name), f"1 to {most}")
        for name in (
            "label_dropout",
            "property_dropout",
            "all_properties_dropout",
            "unconditional",
            "balance",
            "light_share",
        ):
            require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "0 to 1")
        for name in ("weight_decay", "warmup"):
            value = getattr(self, name)
            require(0 <= value < math.inf, name, value, "0 or more")
        for name in ("gradient_clip", "checkpoint_minutes", "preview_minutes"):
            require(getattr(self, name) > 0, name, getattr(self, name), "above 0")
        rate = self.learning_rate
        require(0 < rate <= 100, "learning_rate", rate, "above 0, up to 100")
        require(0 <= self.cooldown <= 1, "cooldown", self.cooldown, "0 to 1")
        require(0 <= self.seed < 2**31, "seed", self.seed, "0 to 2^31 - 1")
        require(0 < self.validation < 1, "validation", self.validation, "between 0 and 1")
        allowed = ("muon", "adamw")
        require(self.optimizer in allowed, "optimizer", self.optimizer, ", ".join(allowed))


@dataclass(frozen=True)
class Preset:
    """One named choice of everything a training run needs.

    Attributes
    ----------
    name : str
        What it is called.
    model : ModelConfig
        The network.
    diffusion : DiffusionConfig
        Noise levels and preconditioning.
    train : TrainConfig
        How it is trained.
    """

    name: str
    model: ModelConfig
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
