"""What the network is asked for, and at which noise levels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from galgen.settings import JsonConfig, require

PreconditioningName = Literal["edm", "vp"]


@dataclass(frozen=True)
class DiffusionConfig(JsonConfig):
    """Preconditioning, noise range and training noise distribution.

    ``edm`` is Karras et al. 2022 (table 1, last column), whose skip connection may be made to close
    earlier and more steeply (`galgen.diffusion.preconditioning.EDM`); ``vp`` is epsilon prediction
    over the linear beta schedule of Ho et al. 2020 with `timesteps` steps, whose range of noise
    takes the place of `sigma_min` and `sigma_max`. Values out of range raise `InvalidValueError`.

    Attributes
    ----------
    preconditioning : {'edm', 'vp'}
        What the network is asked for.
    sigma_data : float
        Standard deviation of the data in model space.
    sigma_skip : float or None
        Noise level at which half of the noisy stamp passes by the network; None for `sigma_data`.
    skip_power : float
        How steeply that falls with the noise level.
    sigma_min, sigma_max : float
        Lowest and highest level that the network is asked about; samplers begin at the highest.
    sigma_last : float or None
        Level from which samplers of ``edm`` take their last step; None for `sigma_min`. Below the
        level at which the network no longer tells detail from noise, it leaves noise in.
    log_sigma_mean, log_sigma_std : float
        Mean and standard deviation of the logarithm of the levels in training.
    timesteps : int
        Steps of the schedule of ``vp``.
    beta_first, beta_last : float
        Variances of its first and last step.
    """

    preconditioning: PreconditioningName = "edm"
    sigma_data: float = 0.5
    sigma_skip: float | None = None
    skip_power: float = 2.0
    sigma_min: float = 0.002
    sigma_max: float = 80.0
    sigma_last: float | None = None
    log_sigma_mean: float = -1.2
    log_sigma_std: float = 1.2
    timesteps: int = 1000
    beta_first: float = 1e-4
    beta_last: float = 0.02

    def __post_init__(self) -> None:
        allowed = get_args(PreconditioningName)
        require(
            self.preconditioning in allowed,
            "preconditioning",
            self.preconditioning,
            ", ".join(allowed),
        )
        for name in ("sigma_data", "sigma_skip", "log_sigma_std"):
            value = getattr(self, name)
            require(value is None or 0 < value < math.inf, name, value, "above 0")
        require(1 <= self.skip_power <= 8, "skip_power", self.skip_power, "1 to 8")
        mean = self.log_sigma_mean
        require(math.isfinite(mean), "log_sigma_mean", mean, "a finite number")
        require(
            0 < self.sigma_min < self.sigma_max < math.inf,
            "sigma range",
            (self.sigma_min, self.sigma_max),
            "0 < sigma_min < sigma_max",
        )
        last = self.sigma_min if self.sigma_last is None else self.sigma_last
        levels = f"{self.sigma_min} to below {self.sigma_max}"
        require(self.sigma_min <= last < self.sigma_max, "sigma_last", last, levels)
        require(2 <= self.timesteps <= 100_000, "timesteps", self.timesteps, "2 to 100000")
        require(
            0 < self.beta_first <= self.beta_last < 1,
            "betas",
            (self.beta_first, self.beta_last),
            "0 < first <= last < 1",
        )

    def task(self) -> dict[str, Any]:
        """Return what the network is asked for, as JSON has it.

        The levels it is asked at are left out: they may change while it learns.
        """
        levels = ("sigma_min", "sigma_max", "sigma_last", "log_sigma_mean", "log_sigma_std")
        return {name: value for name, value in self.to_json().items() if name not in levels}
