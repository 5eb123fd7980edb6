"""Frozen, validated configuration of a model and of a training run, with a strict JSON form."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

from galgen.errors import InvalidValueError

Fusion = Literal["gated", "conv", "attention", "plain"]
Preconditioning = Literal["edm", "vp"]


def _require(ok: bool, name: str, value: object, allowed: str) -> None:
    if not ok:
        raise InvalidValueError(name, value, allowed)


class JsonConfig:
    """Mix-in: a dataclass that goes to a plain dict and back, refusing keys it does not know."""

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        _require(isinstance(data, dict), cls.__name__, data, "a JSON object")
        known = {f.name for f in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(data) - known)
        _require(not unknown, f"{cls.__name__} keys", unknown, ", ".join(sorted(known)))
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in data.items()})


@dataclass(frozen=True)
class ModelConfig(JsonConfig):
    """Shape of the U-Net.

    Attributes
    ----------
    bands : int
        Photometric bands of a stamp, 1 to 6.
    patch : int
        Space-to-depth factor of the stem: the first stage works on ``size / patch`` cells.
    widths : tuple of int
        Channels of the full, half and quarter resolution stages (two down-samplings between them).
    blocks : int
        Astro-RABs per stage; the quarter-resolution stage has as many.
    window : int
        Side of the attention window in cells; a map smaller than that is one window.
    head_size, group_size : int
        Channels per attention head and per normalisation group; widths are multiples of both.
    embedding : int
        Width of the time and category embedding.
    fusion : {'gated', 'conv', 'attention', 'plain'}
        What the Attention Fusion Unit mixes: both branches under a dynamic gate (the paper), one
        branch alone (ablations), or the convolution with global attention at the coarsest stage
        only, which makes each half-block the residual block of a DDPM U-Net (Ho et al. 2020).
    detail_features, detail_width : int
        Features per pixel and channels of the head at full resolution; 0 for none.
    properties : tuple of str
        Names of the physical properties the model can be conditioned on.
    """

    bands: int = 3
    patch: int = 2
    widths: tuple[int, int, int] = (64, 128, 256)
    blocks: int = 2
    window: int = 8
    head_size: int = 32
    group_size: int = 16
    embedding: int = 256
    fusion: Fusion = "gated"
    detail_features: int = 0
    detail_width: int = 0
    properties: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require(1 <= self.bands <= 6, "bands", self.bands, "1 to 6")
        _require(self.patch in (1, 2, 4), "patch", self.patch, "1, 2 or 4")
        for name in ("blocks", "head_size", "group_size"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        _require(len(self.widths) == 3, "widths", self.widths, "three stage widths")
        for width in self.widths:
            ok = width > 0 and width % self.head_size == 0 and width % self.group_size == 0
            multiple = f"multiples of head_size {self.head_size} and group_size {self.group_size}"
            _require(ok, "widths", self.widths, multiple)
        _require(self.window >= 2, "window", self.window, "2 or more")
        even = self.embedding >= 2 and self.embedding % 2 == 0
        _require(even, "embedding", self.embedding, "an even number, 2 or more")
        detail = self.detail_features, self.detail_width
        ok = min(detail) > 0 or detail == (0, 0)
        _require(ok, "detail_features, detail_width", detail, "both above 0, or both 0")
        unique = len(set(self.properties)) == len(self.properties)
        _require(unique, "properties", self.properties, "each name once")
        allowed = ("gated", "conv", "attention", "plain")
        _require(self.fusion in allowed, "fusion", self.fusion, ", ".join(allowed))

    def check_size(self, height: int, width: int) -> None:
        """Raise `InvalidValueError` unless a ``height x width`` stamp divides into windows."""
        for side in (height, width):
            _require(
                side > 0 and side % (4 * self.patch) == 0,
                "stamp size",
                (height, width),
                f"multiples of 4 * patch = {4 * self.patch} pixels",
            )
            for stage in range(3):
                cells = side // self.patch >> stage
                _require(
                    cells % min(cells, self.window) == 0,
                    "stamp size",
                    (height, width),
                    f"sizes whose {cells} cells at stage {stage} divide by the window "
                    f"{self.window} (or fit into it)",
                )


@dataclass(frozen=True)
class DiffusionConfig(JsonConfig):
    """Preconditioning, noise range and training noise distribution.

    ``edm`` is Karras et al. 2022 (table 1, last column), whose skip connection may be made to close
    earlier and more steeply (`galgen.diffusion.preconditioning.EDM`); ``vp`` is epsilon prediction
    over the linear beta schedule of Ho et al. 2020 with `timesteps` steps, whose range of noise
    takes the place of `sigma_min` and `sigma_max`.

    Attributes
    ----------
    sigma_data : float
        Standard deviation of the data in model space.
    sigma_skip : float or None
        Noise level at which half of the noisy stamp passes by the network; None for `sigma_data`.
    skip_power : float
        How steeply that falls with the noise level.
    sigma_min, sigma_max : float
        Lowest and highest level that samplers visit.
    log_sigma_mean, log_sigma_std : float
        Of the log-normal distribution of the levels in training.
    timesteps, beta_first, beta_last : int, float, float
        Schedule of ``vp``.
    """

    preconditioning: Preconditioning = "edm"
    sigma_data: float = 0.5
    sigma_skip: float | None = None
    skip_power: float = 2.0
    sigma_min: float = 0.002
    sigma_max: float = 80.0
    log_sigma_mean: float = -1.2
    log_sigma_std: float = 1.2
    timesteps: int = 1000
    beta_first: float = 1e-4
    beta_last: float = 0.02

    def __post_init__(self) -> None:
        allowed = ("edm", "vp")
        _require(
            self.preconditioning in allowed,
            "preconditioning",
            self.preconditioning,
            ", ".join(allowed),
        )
        for name in ("sigma_data", "sigma_skip", "log_sigma_std"):
            value = getattr(self, name)
            _require(value is None or 0 < value < math.inf, name, value, "above 0")
        _require(1 <= self.skip_power <= 8, "skip_power", self.skip_power, "1 to 8")
        mean = self.log_sigma_mean
        _require(math.isfinite(mean), "log_sigma_mean", mean, "a finite number")
        _require(
            0 < self.sigma_min < self.sigma_max < math.inf,
            "sigma range",
            (self.sigma_min, self.sigma_max),
            "0 < sigma_min < sigma_max",
        )
        _require(self.timesteps >= 2, "timesteps", self.timesteps, "2 or more")
        _require(
            0 < self.beta_first <= self.beta_last < 1,
            "betas",
            (self.beta_first, self.beta_last),
            "0 < first <= last < 1",
        )

    def task(self) -> dict[str, Any]:
        """What the network is asked for; the levels it is asked at may change while it learns."""
        levels = ("sigma_min", "sigma_max", "log_sigma_mean", "log_sigma_std")
        return {name: value for name, value in self.to_json().items() if name not in levels}


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
    balance : float
        0 draws galaxies as they come, 1 draws every category equally often, 0.5 by square roots.
    checkpoint_minutes, preview_minutes : float
        Time between checkpoints and between sample grids.
    seed : int
        Of the first weights, the batches and the noise: 0 to 2^31 - 1.
    """

    images: int = 2_000_000
    batch: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    optimizer: Literal["muon", "adamw"] = "muon"
    warmup: int = 20_000
    cooldown: float = 0.4
    gradient_clip: float = 1.0
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
        for name in ("images", "batch"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in (
            "label_dropout",
            "property_dropout",
            "all_properties_dropout",
            "unconditional",
            "balance",
        ):
            _require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "0 to 1")
        for name in ("weight_decay", "warmup"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        for name in ("learning_rate", "gradient_clip", "checkpoint_minutes", "preview_minutes"):
            _require(getattr(self, name) > 0, name, getattr(self, name), "above 0")
        _require(0 <= self.cooldown <= 1, "cooldown", self.cooldown, "0 to 1")
        _require(0 <= self.seed < 2**31, "seed", self.seed, "0 to 2^31 - 1")
        _require(0 < self.validation < 1, "validation", self.validation, "between 0 and 1")
        allowed = ("muon", "adamw")
        _require(self.optimizer in allowed, "optimizer", self.optimizer, ", ".join(allowed))


@dataclass(frozen=True)
class Preset:
    """One named choice of everything a training run needs."""

    name: str
    model: ModelConfig
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
