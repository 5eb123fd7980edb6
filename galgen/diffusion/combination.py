"""Sampler states as sums that are computed when the network needs them, each in one pass.

A solver is a chain of linear combinations of states, network outputs and noise. Run eagerly, every
product and every sum reads and writes whole stamps. Here the same solver adds up weights on the
host instead, and a state becomes a tensor only to enter the network: one pass over memory for each
evaluation, with preconditioning and noise in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor

from galgen import noise
from galgen.diffusion.denoiser import Denoiser
from galgen.diffusion.samplers import Denoise
from galgen.model.embedding import Condition
from galgen.model.unet import UNet
from galgen_kernels.ops.linear_combination import linear_combination

Key = TypeVar("Key", Tensor, int)

# Of one pass. Without guidance eight steps of any solver fit; longer sums take another pass.
MAX_TENSORS, MAX_NOISES = 16, 1


@dataclass(frozen=True, eq=False)
class StampSpace:
    """The stamps of galaxies that are sampled together, and how sums of them are computed.

    Attributes
    ----------
    seed : int
        Seed of the run.
    index_n : Tensor
        Galaxy indices (n,) that key the noise, on the device of the stamps.
    shape : tuple of int
        Height, width and bands.
    fused : bool
        Compute in one Triton kernel instead of PyTorch operations; the bits are the same.
    """

    seed: int
    index_n: Tensor
    shape: tuple[int, int, int]
    fused: bool = False

    def noise(self, stream: int) -> Combination:
        """Return standard normal noise of a `galgen.noise.Stream`, drawn when it is needed."""
        return Combination(self, {}, {stream: 1.0})

    def combine(
        self,
        weights: Mapping[Tensor, float],
        noises: Mapping[int, float],
        scale: float,
        scaled: torch.dtype | None,
    ) -> tuple[Tensor, Tensor | None]:
        """Sum weight * tensor and weight * noise in one pass.

        Parameters
        ----------
        weights : mapping of Tensor to float
            Weight of each tensor (n, h, w, bands).
        noises : mapping of int to float
            Weight of each stream of noise.
        scale : float
            Factor of the second result.
        scaled : torch.dtype or None
            Its dtype, if it is wanted.

        Returns
        -------
        Tensor
            The sum, (n, h, w, bands), float32.
        Tensor or None
            `scale` times it.
        """
        # The fewer orders of dtypes there are, the fewer kernels have to be compiled.
        tensors = sorted(weights, key=lambda tensor: tensor.dtype != torch.float32)
        factors = [weights[tensor] for tensor in tensors]
        if self.fused:
            from galgen_kernels.ops.linear_combination.fused import launch  # needs Triton

            ((stream, noise_weight),) = noises.items() or [(0, 0.0)]
            table = noise.normal_table(self.index_n.device)
            draw = noise_weight, self.seed, stream, self.index_n, table
            shape = len(self.index_n), *self.shape
            return launch(tensors, factors, shape, *draw, scale, scaled)
        tensors += [self._draw(stream) for stream in noises]
        factors += noises.values()
        return linear_combination(tensors, factors, scale, scaled)

    def _draw(self, stream: int) -> Tensor:
        device = self.index_n.device
        # Apple's GPUs lack the float64 that the noise needs; its bits are the same on the CPU.
        index_n = self.index_n.cpu() if device.type == "mps" else self.index_n
        return noise.normal(self.seed, index_n, self.shape, stream).to(device)


class Combination:
    """A sum of weight * tensor and of weight * noise that stands for the stamps it would give.

    It has the arithmetic that solvers and guidance use: sums of combinations, and products and
    quotients with floats (`galgen.diffusion.samplers.State`). Weights are float64; equal tensors
    are merged and zero weights dropped.

    Parameters
    ----------
    space : StampSpace
        The galaxies.
    weights : mapping of Tensor to float
        Weight of each tensor (n, h, w, bands).
    noises : mapping of int to float
        Weight of each stream of noise.
    """

    def __init__(
        self, space: StampSpace, weights: Mapping[Tensor, float], noises: Mapping[int, float]
    ) -> None:
        self._space = space
        self._weights = {tensor: weight for tensor, weight in weights.items() if weight}
        self._noises = {stream: weight for stream, weight in noises.items() if weight}

    def tensor(self) -> Tensor:
        """Return the stamps (n, h, w, bands), float32; they are computed once."""
        return self._computed(1.0, None)[0]

    def scaled(self, scale: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return the stamps, and scale times them in `dtype`, from the same pass."""
        stamps, copy = self._computed(scale, dtype)
        assert copy is not None  # as there is a dtype
        return stamps, copy

    def _computed(self, scale: float, dtype: torch.dtype | None) -> tuple[Tensor, Tensor | None]:
        """Return the stamps, and scale times them if a dtype is given."""
        if len(self._weights) == 1 and not self._noises:
            ((stamps, weight),) = self._weights.items()
            if weight == 1 and stamps.dtype.itemsize >= 4:
                return stamps, None if dtype is None else (stamps * scale).to(dtype)
        stamps, copy = self._space.combine(self._weights, self._noises, scale, dtype)
        # From now on a sum of one: what it was made of is released, and is never summed again.
        self._weights, self._noises = {stamps: 1.0}, {}
        return stamps, copy

    def __add__(self, other: Combination) -> Combination:
        while True:
            total = Combination(
                self._space,
                _merged(self._weights, other._weights),
                _merged(self._noises, other._noises),
            )
            if len(total._weights) <= MAX_TENSORS and len(total._noises) <= MAX_NOISES:
                return total
            max(self, other, key=lambda x: len(x._weights) + len(x._noises)).tensor()

    def __mul__(self, factor: float) -> Combination:
        weights = {tensor: factor * weight for tensor, weight in self._weights.items()}
        noises = {stream: factor * weight for stream, weight in self._noises.items()}
        return Combination(self._space, weights, noises)

    __rmul__ = __mul__

    def __neg__(self) -> Combination:
        return self * -1.0

    def __sub__(self, other: Combination) -> Combination:
        return self + -other

    def __truediv__(self, divisor: float) -> Combination:
        return self * (1 / divisor)


class LazyDenoiser:
    """The denoiser D(x; sigma, condition) as a combination of x and the network's output.

    Parameters
    ----------
    denoiser : Denoiser
        Its network must return new memory from each call, as it is read later than the next call.
    space : StampSpace
        The galaxies.
    dtype : torch.dtype
        Precision of what the network is given.
    network : UNet, optional
        In place of its own.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        space: StampSpace,
        dtype: torch.dtype,
        network: UNet | None = None,
    ) -> None:
        self._denoiser, self._space, self._dtype = denoiser, space, dtype
        self._network = network or denoiser.net
        self._given: tuple[Combination, float, Tensor, Tensor] | None = None

    def __call__(self, x: Combination, sigma: float, condition: Condition) -> Combination:
        """Evaluate the network at a state of level sigma; the sums wait until they are needed."""
        # A sampler's levels are known on the host: there, in float64, the coefficients of a step
        # become one weight per tensor without waiting for an accelerator.
        levels = self._denoiser.preconditioning.coefficients(torch.tensor([sigma]).double())
        skip, out, scale, level = (c.item() for c in levels)
        # Guidance asks twice about the same state, one time after the other.
        if self._given is not None and self._given[:2] == (x, sigma):
            _, _, x_nhwc, input_nhwc = self._given
        else:
            self._given = None  # released before the next is made
            x_nhwc, input_nhwc = x.scaled(scale, self._dtype)
            self._given = x, sigma, x_nhwc, input_nhwc
        level_n = torch.full((len(x_nhwc),), level, device=x_nhwc.device)
        output_nhwc = self._network(input_nhwc, level_n, condition).contiguous()
        return Combination(self._space, {x_nhwc: skip, output_nhwc: out}, {})


def lazy_finisher(
    denoiser: Denoiser, space: StampSpace, dtype: torch.dtype, condition: Condition
) -> Denoise[Combination] | None:
    """Return the finisher of a denoiser, asked for the condition; None if it has none.

    Guidance is none of its business: what is drawn, unlike a mean, is not to be extrapolated.
    """
    if denoiser.finisher is None:
        return None
    return partial(LazyDenoiser(denoiser, space, dtype, denoiser.finisher), condition=condition)


def _merged(a: Mapping[Key, float], b: Mapping[Key, float]) -> dict[Key, float]:
    """Sum of two sparse vectors."""
    return {key: a.get(key, 0.0) + b.get(key, 0.0) for key in {**a, **b}}
