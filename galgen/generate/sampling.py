"""How stamps are sampled: settings, noise levels, and one micro-batch from noise to stamps."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from galgen.diffusion.combination import (
    Combination,
    LazyDenoiser,
    StampSpace,
    lazy_finisher,
)
from galgen.diffusion.denoiser import Denoiser
from galgen.diffusion.finishing import solve
from galgen.diffusion.guidance import guided
from galgen.diffusion.samplers import check_steps, get_sampler
from galgen.errors import InvalidValueError
from galgen.model.embedding import Condition
from galgen.noise import Stream
from galgen_kernels import BACKENDS, BackendError, runs_triton

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
# With a finisher a few steps do: it draws what they leave blurred (docs/experiments.md).
FINISHED = {"sampler": "sde-dpmpp-2m", "steps": 10}
# The most that anyone has a use for: what is more is a slip, and would fill the memory or the week.
MAX_STEPS, MAX_MICRO_BATCH = 10_000, 16_384


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
        Precision of the network: 'float32', 'bfloat16' or 'float16'. States are always float32.
    compile : bool
        Compile the network with torch.compile; worth it for many galaxies.
    """

    sampler: str = "sde-dpmpp-2m"
    steps: int = 24
    guidance: float = 1.0
    micro_batch: int = 32
    dtype: str = "float32"
    compile: bool = False

    @classmethod
    def on(cls, device: torch.device, **chosen: Any) -> Self:
        """Take what suits a device, with what is `chosen` in its place.

        What suits a model, too: `galgen.generate.model.GalaxyModel.sampling`.

        Parameters
        ----------
        device : torch.device
            Where the network is.
        **chosen
            Attributes.

        Raises
        ------
        InvalidValueError
            If a value is out of range.
        """
        defaults: dict[str, Any] = {} if device.type == "cpu" else {"micro_batch": 512}
        if device.type == "cuda":
            defaults["dtype"] = "bfloat16"  # what the fused kernels and the matrix units are for
        return cls(**defaults | chosen)

    def kernels_on(self, device: torch.device) -> str:
        """Tell what computes the network: 'reference' or 'triton', '+compiled' if it is.

        Raises
        ------
        InvalidValueError
            If the kernels that GALGEN_KERNELS asks for cannot run there.
        """
        try:
            triton = runs_triton(device, half=self.dtype != "float32")
        except BackendError as error:
            asked, allowed = os.environ.get("GALGEN_KERNELS"), ", ".join(BACKENDS)
            raise InvalidValueError("GALGEN_KERNELS", asked, allowed, str(error)) from None
        return ("triton" if triton else "reference") + ("+compiled" if self.compile else "")

    def sigmas(self, denoiser: Denoiser) -> Tensor:
        """Return the noise levels that are visited, of those that the network was trained on.

        Returns
        -------
        Tensor
            The `steps` + 1 levels, falling to 0.

        Raises
        ------
        InvalidValueError
            If there are more steps than the training schedule has, for ancestral sampling of `vp`.
        """
        ancestral = self.sampler == "ddpm"
        return denoiser.preconditioning.sampling_sigmas(self.steps, ancestral=ancestral)

    def __post_init__(self) -> None:
        get_sampler(self.sampler)
        for name, most in (("steps", MAX_STEPS), ("micro_batch", MAX_MICRO_BATCH)):
            if not 1 <= getattr(self, name) <= most:
                raise InvalidValueError(name, getattr(self, name), f"1 to {most}")
        check_steps(self.sampler, self.steps)
        if not 0 <= self.guidance <= 20:
            raise InvalidValueError("guidance", self.guidance, "0 to 20 (1 is no guidance)")
        if self.dtype not in DTYPES:
            raise InvalidValueError("dtype", self.dtype, ", ".join(DTYPES))


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
        In evaluation mode, its networks cast to the precision (`UNet.cast`). If it has a finisher,
        that takes the last step.
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
    sigmas = sampling.sigmas(denoiser)
    device, dtype = condition.category_n.device, DTYPES[sampling.dtype]
    stamps = StampSpace(seed, index_n.to(device), shape, fused=runs_triton(device))
    denoise = LazyDenoiser(denoiser, stamps, dtype)
    denoise_asked = guided(denoise, condition, condition.unconditional(), sampling.guidance)
    finish = lazy_finisher(denoiser, stamps, dtype, condition)

    def step_noise(step: int) -> Combination:
        return stamps.noise(Stream.SAMPLER_STEP.at(step))

    with torch.inference_mode():
        x = stamps.noise(Stream.INITIAL_NOISE) * float(sigmas[0])
        sampler = get_sampler(sampling.sampler)
        x = solve(sampler, denoise_asked, x, sigmas, noise=step_noise, finisher=finish)
        return x.tensor()
