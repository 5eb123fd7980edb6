"""What a finisher is trained on: galaxies with noise of one level left, and galaxies without.

Every random choice of step i is a function of (seed, i), as in `galgen.training.batches`.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from galgen.data import StampSet
from galgen.model.embedding import Condition
from galgen.training.batches import BatchSource, TrainingBatch
from galgen.training.finisher.config import FinisherConfig
from galgen.training.finisher.hold import Hold
from galgen.training.finisher.states import States
from galgen.weights.checkpoint import Checkpoint

_SOME = 512  # real galaxies that scales are taken from
_OF_THEM = 128  # of these, those that the denoiser is shown


class Unfinished:
    """Random access to the batches of a run.

    Parameters
    ----------
    checkpoint : Checkpoint
        The denoiser that is finished, with its pixels.
    stamps : StampSet
        Training galaxies.
    z_np : ndarray (N, p)
        Their standardised properties.
    states : States
        At ``config.level``.
    config : FinisherConfig
        Batch, level, balance and seed.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        stamps: StampSet,
        z_np: np.ndarray,
        states: States,
        config: FinisherConfig,
    ) -> None:
        self._config, self._states = config, states
        self._device = next(checkpoint.denoiser.parameters()).device
        self._denoiser = checkpoint.denoiser.eval().cast(torch.bfloat16)
        self._real, self._noised, self._some = (
            BatchSource(stamps, z_np, checkpoint.space, config.drawing(n))
            for n in (config.batch, config.parts[0], _SOME)
        )

    def some_real(self) -> TrainingBatch:
        """Return real galaxies, always the same."""
        return self._some.batch(0, device=self._device)

    def real(self, step: int, rank: int = 0, size: int = 1) -> TrainingBatch:
        """Return the real galaxies of a step, or the share of one of several processes."""
        return self._real.batch(2 * step + 1, rank, size, self._device)

    def batch(self, step: int, rank: int = 0, size: int = 1) -> tuple[TrainingBatch, Tensor]:
        """Return what is to be finished in a step, or the share of one of several processes.

        Parameters
        ----------
        step : int
            Training step, from 0.
        rank, size : int
            The share: every `size`-th galaxy from number `rank` on.

        Returns
        -------
        batch : TrainingBatch
            Real galaxies with noise, then states.
        clean_nhwb : Tensor
            The former without noise.
        """
        config = self._config
        n, n_states = config.parts
        share = rank, size, self._device
        real = self._noised.batch(2 * step, *share)
        states = self._states.batch(n_states, (config.seed, step, 1), *share)
        noised_nhwb = real.x_nhwc + self._noise(step, (n, *real.x_nhwc.shape[1:]))[rank::size]
        batch = TrainingBatch(
            torch.cat([noised_nhwb, states.x_nhwc]),
            torch.cat([real.category_n, states.category_n]),
            torch.cat([real.properties_np, states.properties_np]),
        )
        return batch, real.x_nhwc

    def targets(self, batch: TrainingBatch, clean_nhwb: Tensor) -> Tensor:
        """Return what each of `batch` is held to: itself without noise, or the denoiser's mean.

        Parameters
        ----------
        batch, clean_nhwb
            As `batch` returns them.
        """
        n = len(clean_nhwb)
        states = TrainingBatch(batch.x_nhwc[n:], batch.category_n[n:], batch.properties_np[n:])
        return torch.cat([clean_nhwb, self._denoised(states)])

    def make_hold(self, real: TrainingBatch) -> Hold:
        """Measure what the denoiser gets wrong itself on some real galaxies."""
        few = TrainingBatch(
            real.x_nhwc[:_OF_THEM], real.category_n[:_OF_THEM], real.properties_np[:_OF_THEM]
        )
        noise_nhwb = self._noise(0, tuple(few.x_nhwc.shape))
        noised = dataclasses.replace(few, x_nhwc=few.x_nhwc + noise_nhwb)
        return Hold(self._denoised(noised), few.x_nhwc)

    def _noise(self, step: int, shape: tuple[int, ...]) -> Tensor:
        """Return noise of the level for a step."""
        # torch seeds its CPU generator with 32 bits: both numbers have to fit into them.
        seed = (self._config.seed * 0x9E3779B1 + step) % 2**32
        generator = torch.Generator().manual_seed(seed)
        noise: Tensor = self._config.level * torch.randn(shape, generator=generator)
        return noise.to(self._device)

    @torch.no_grad()
    def _denoised(self, batch: TrainingBatch) -> Tensor:
        """Return the denoiser's means (n, h, w, b) of galaxies with noise of the level."""
        level_n = torch.full((len(batch.x_nhwc),), self._config.level, device=self._device)
        condition = Condition(batch.category_n, batch.properties_np)
        denoised_nhwb: Tensor = self._denoiser(batch.x_nhwc, level_n, condition)
        return denoised_nhwb
