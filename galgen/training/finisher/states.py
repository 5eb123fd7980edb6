"""States that a sampler has brought from pure noise down to a level: what a finisher goes on from.

A noised real galaxy is what a state should be. Those of a sampler are a little off: a finisher that
has seen them repairs that, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from galgen.data.draws import balanced_weights, draw_orientations, orient
from galgen.diffusion.denoiser import Denoiser
from galgen.diffusion.samplers import get_sampler
from galgen.diffusion.schedule import karras_sigmas
from galgen.model.embedding import Condition
from galgen.training.batches import TrainingBatch
from galgen.training.group import Alone, Group

_CHUNK = 32  # states at a time


@dataclass(frozen=True, eq=False)
class States:
    """States with noise of one level left, and what they were asked for.

    Attributes
    ----------
    x_nhwb : Tensor
        (n, h, w, b) in model space, float16: a thousandth of a state is far below its noise.
    category_n : Tensor
        (n,), int64.
    properties_np : Tensor
        (n, p), standardised, float32.
    """

    x_nhwb: Tensor
    category_n: Tensor
    properties_np: Tensor

    def __len__(self) -> int:
        return len(self.category_n)

    def batch(
        self,
        n: int,
        seed: Sequence[int],
        rank: int = 0,
        size: int = 1,
        device: torch.device | str = "cpu",
    ) -> TrainingBatch:
        """Draw n states, turned and flipped at random, or the share of one of several processes.

        Parameters
        ----------
        n : int
            Of all processes together.
        seed : sequence of int
            The draw is a function of it alone.
        rank, size : int
            The share: every `size`-th state from number `rank` on.
        device : torch.device or str
            Where it is wanted.
        """
        rng = np.random.default_rng(seed)
        picks = rng.integers(0, len(self), n)[rank::size]
        turn_n, flip_n = draw_orientations(n, rng, square=True)
        x_nhwb = self.x_nhwb[picks].to(device).float()
        return TrainingBatch(
            orient(x_nhwb, turn_n[rank::size], flip_n[rank::size]),
            self.category_n[picks].to(device),
            self.properties_np[picks].to(device),
        )


@torch.no_grad()
def sample_states(
    denoiser: Denoiser,
    category_n: np.ndarray,
    z_np: np.ndarray,
    size: int,
    *,
    level: float,
    samplers: Sequence[tuple[str, int]],
    n: int,
    balance: float,
    seed: int,
    group: Group | None = None,
) -> States:
    """Sample states from pure noise down to a level.

    Parameters
    ----------
    denoiser : Denoiser
        Which makes them, in half precision.
    category_n, z_np : ndarray
        Categories (N,) and standardised properties (N, p) of the training galaxies, from which
        those of the states are drawn.
    size : int
        Side of the stamps.
    level : float
        Noise that is left.
    samplers : sequence of (str, int)
        Names of solvers and their steps; each makes the same share of the states. Few steps leave
        other errors than many.
    n : int
        How many states.
    balance : float
        See `galgen.training.config.TrainConfig`.
    seed : int
        Of conditions and noise.
    group : Group, optional
        Processes that share the work; all of them get all states.
    """
    group = group or Alone()
    rng = np.random.default_rng((seed, n))
    picks = rng.choice(len(category_n), n, p=balanced_weights(category_n, balance))
    condition = Condition(
        torch.from_numpy(category_n[picks].astype(np.int64)),
        torch.from_numpy(z_np[picks].astype(np.float32)),
    )
    working = denoiser.cast(torch.bfloat16)
    x_nhwb = torch.zeros((n, size, size, denoiser.net.config.bands), dtype=torch.float16)
    chunks = [
        (name, steps, rows)
        for (name, steps), part in zip(
            samplers, torch.arange(n).tensor_split(len(samplers)), strict=True
        )
        for rows in part.split(_CHUNK)
    ]
    for i in range(group.rank, len(chunks), group.size):
        name, steps, rows = chunks[i]
        asked = Condition(condition.category_n[rows], condition.properties_np[rows])
        generator = torch.Generator().manual_seed((seed * 0x9E3779B1 + i) % 2**32)
        sampled = _sample(working, asked, x_nhwb[rows].shape, name, steps, level, generator)
        x_nhwb[rows] = sampled.half().cpu()
    group.add(x_nhwb)  # what others have made is 0 here
    return States(x_nhwb, condition.category_n, condition.properties_np)


def _sample(
    denoiser: Denoiser,
    condition: Condition,
    shape: torch.Size,
    sampler: str,
    steps: int,
    level: float,
    generator: torch.Generator,
) -> Tensor:
    """March one chunk of noise down to the level."""
    device = next(denoiser.parameters()).device
    asked = Condition(condition.category_n.to(device), condition.properties_np.to(device))
    sigmas = karras_sigmas(steps + 1, level, denoiser.preconditioning.sigma_range[1])[:-1]

    def noise(step: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(device)

    def denoise(x_nhwb: Tensor, sigma: float) -> Tensor:
        sigma_n = torch.full((len(x_nhwb),), sigma, device=device)
        denoised: Tensor = denoiser(x_nhwb, sigma_n, asked)
        return denoised

    return get_sampler(sampler)(denoise, sigmas[0].item() * noise(-1), sigmas, noise=noise)
