"""How stamps are sampled: settings, noise levels, and one micro-batch from noise to stamps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from galgen import noise
from galgen.config import DiffusionConfig
from galgen.diffusion.denoiser import Denoiser, vp_training_sigmas
from galgen.diffusion.guidance import guided
from galgen.diffusion.samplers import get_sampler
from galgen.diffusion.schedule import karras_sigmas, vp_sigmas
from galgen.errors import InvalidValueError
from galgen.model.embedding import Condition
from galgen.noise import Stream

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Sampling:
    """How galaxies are sampled.

    Attributes
    ----------
    sampler : str
        Name of a solver in `galgen.diffusion.samplers`.
    steps : int
        Steps of the solver.
    guidance : float
        Classifier-free guidance scale; 1 is none.
    micro_batch : int
        Galaxies that go through the network together; see `on` for what suits a device.
    dtype : str
        'float32', or 'bfloat16' / 'float16' for mixed precision.
    """

    sampler: str = "ddpm"
    steps: int = 32
    guidance: float = 1.0
    micro_batch: int = 32
    dtype: str = "float32"

    @classmethod
    def on(cls, device: torch.device, **chosen: Any) -> Self:
        """The defaults for a device, with what is `chosen` in their place."""
        return cls(**{"micro_batch": 32 if device.type == "cpu" else 512} | chosen)

    def __post_init__(self) -> None:
        get_sampler(self.sampler)
        for name in ("steps", "micro_batch"):
            if getattr(self, name) < 1:
                raise InvalidValueError(name, getattr(self, name), "1 or more")
        if not 0 <= self.guidance <= 20:
            raise InvalidValueError("guidance", self.guidance, "0 to 20 (1 is no guidance)")
        if self.dtype not in DTYPES:
            raise InvalidValueError("dtype", self.dtype, ", ".join(DTYPES))


def visited_sigmas(config: DiffusionConfig, sampling: Sampling) -> Tensor:
    """Levels that a sampler visits, within the range that the network was trained on.

    Raises
    ------
    InvalidValueError
        If there are more steps than the training schedule has, for ancestral sampling of `vp`.
    """
    if config.preconditioning == "edm":
        return karras_sigmas(sampling.steps, config.sigma_min, config.sigma_max)
    if sampling.sampler == "ddpm":
        betas = config.beta_first, config.beta_last
        return vp_sigmas(sampling.steps, config.timesteps, *betas)
    trained = vp_training_sigmas(config).tolist()
    return karras_sigmas(sampling.steps, trained[0], trained[-1])


def sample(
    denoiser: Denoiser,
    condition: Condition,
    index_n: Tensor,
    seed: int,
    shape: tuple[int, int, int],
    sampling: Sampling,
) -> Tensor:
    """Draw stamps in model space.

    Parameters
    ----------
    denoiser : Denoiser
        Network in evaluation mode.
    condition : Condition
        What is asked of each galaxy, on the denoiser's device.
    index_n : Tensor
        Galaxy indices that key the noise.
    seed : int
        Seed of the run.
    shape : tuple of int
        Height, width and bands.
    sampling : Sampling
        Solver, steps, guidance and precision.

    Returns
    -------
    Tensor
        (n, height, width, bands), float32.
    """
    sigmas = visited_sigmas(denoiser.config, sampling)
    device = condition.category_b.device
    # Apple's GPUs lack the float64 that the noise needs; its bits are the same on the CPU.
    index_n = index_n.to("cpu" if device.type == "mps" else device)

    def draw(stream: int) -> Tensor:
        return noise.normal(seed, index_n, shape, stream).to(device)

    def step_noise(step: int) -> Tensor:
        return draw(Stream.SAMPLER_STEP.at(step))

    def denoise(x_bhwc: Tensor, sigma: float, asked: Condition) -> Tensor:
        sigma_b = torch.as_tensor(sigma, dtype=torch.float32, device=x_bhwc.device)
        return denoiser(x_bhwc, sigma_b.expand(len(x_bhwc)), asked)

    denoise_asked = guided(denoise, condition, condition.unconditional(), sampling.guidance)
    dtype = DTYPES[sampling.dtype]
    mixed = torch.autocast(device.type, dtype, enabled=dtype != torch.float32)
    with torch.inference_mode(), mixed:
        x_bhwc = draw(Stream.INITIAL_NOISE) * float(sigmas[0])
        solve = get_sampler(sampling.sampler)
        return solve(denoise_asked, x_bhwc, sigmas, noise=step_noise).float()
