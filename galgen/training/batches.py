"""Training batches: balanced draws, flips and quarter turns, label and property dropout.

Every random choice of step i is a function of (seed, i), so a resumed run continues exactly where
it stopped without storing generator states.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from galgen.data.stamps import StampSet
from galgen.pixels.space import PixelSpace
from galgen.training.config import TrainConfig


@dataclass(frozen=True)
class TrainingBatch:
    """Stamps in model space with what the network is told about them.

    Attributes
    ----------
    x_bhwc : Tensor
        Stamps, float32 model space.
    category_b : Tensor
        Category codes after label dropout, int64.
    properties_bp : Tensor
        Standardised properties after dropout, NaN where hidden.
    """

    x_bhwc: Tensor
    category_b: Tensor
    properties_bp: Tensor


def balanced_weights(code_n: np.ndarray, balance: float) -> np.ndarray:
    """Draw probability of each galaxy: a category of n members gets a share ~ n^(1 - balance)."""
    count = np.bincount(code_n)
    weight = count[code_n].astype(np.float64) ** -balance
    return weight / weight.sum()


class BatchSource:
    """Random access to the training batches of a run.

    Parameters
    ----------
    stamps : StampSet
        Training galaxies.
    z_np : ndarray (N, P)
        Their standardised properties.
    space : PixelSpace
        Pixel scaling.
    config : TrainConfig
        Batch size, balance and dropout.
    """

    def __init__(
        self, stamps: StampSet, z_np: np.ndarray, space: PixelSpace, config: TrainConfig
    ) -> None:
        self.stamps, self.z_np, self.space, self.config = stamps, z_np, space, config
        self._cumulative = np.cumsum(balanced_weights(stamps.category, config.balance))
        chains = [stamps.tree.path(node) for node in stamps.tree.nodes]
        self._ancestors = [[c.code for c in chain[:-1]] or [0] for chain in chains]

    def batch(self, step: int, rank: int = 0, size: int = 1) -> TrainingBatch:
        """Return the batch of a training step, or the share of one of several processes.

        The batch of a step is the same however many share it.

        Parameters
        ----------
        step : int
        rank, size : int
            The share: every `size`-th galaxy from number `rank` on.
        """
        rng = np.random.default_rng((self.config.seed, step))
        n = self.config.batch
        picks = np.searchsorted(self._cumulative, rng.random(n) * self._cumulative[-1])
        index = np.minimum(picks, len(self.stamps) - 1)
        square = self.stamps.pixels.shape[1] == self.stamps.pixels.shape[2]
        turn_b, flip_b = draw_orientations(n, rng, square=square)
        code_b = self._drop_labels(self.stamps.category[index], rng)
        z_bp = self._drop_properties(self.z_np[index], rng)
        nothing_b = rng.random(n) < self.config.unconditional
        code_b[nothing_b], z_bp[nothing_b] = 0, np.nan  # the root: no label
        own = slice(rank, n, size)
        x_bhwc = self.space.encode(self.stamps.native_float(index[own]))
        return TrainingBatch(
            orient(x_bhwc, turn_b[own], flip_b[own]),
            torch.from_numpy(code_b[own]),
            torch.from_numpy(z_bp[own]),
        )

    def _drop_labels(self, code_b: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Replace some labels by a random ancestor, so that every inner node can be asked for."""
        code_b = code_b.astype(np.int64)
        for i in np.flatnonzero(rng.random(len(code_b)) < self.config.label_dropout):
            code_b[i] = rng.choice(self._ancestors[code_b[i]])
        return code_b

    def _drop_properties(self, z_bp: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        hidden = rng.random(z_bp.shape) < self.config.property_dropout
        hidden |= rng.random((len(z_bp), 1)) < self.config.all_properties_dropout
        return np.where(hidden, np.float32(np.nan), z_bp)


def prefetched(
    source: BatchSource, step: int, ahead: int, rank: int = 0, size: int = 1
) -> Iterator[TrainingBatch]:
    """Yield the batches from `step` on, making the next `ahead` in threads meanwhile."""
    with ThreadPoolExecutor(ahead, "galgen batch", torch.set_num_threads, (1,)) as pool:
        pending = deque(pool.submit(source.batch, step + i, rank, size) for i in range(ahead))
        while True:
            step += 1
            ready = pending.popleft().result()
            pending.append(pool.submit(source.batch, step + ahead - 1, rank, size))
            yield ready


def draw_orientations(
    n: int, rng: np.random.Generator, *, square: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Quarter turns (n,) and flips (n,) at random; the sky has no preferred direction.

    Stamps that are not square are turned by half turns only.
    """
    turns = np.arange(4) if square else np.array([0, 2])
    return turns[rng.integers(0, len(turns), n)], rng.integers(0, 2, n)


def orient(x_bhwc: Tensor, turn_b: np.ndarray, flip_b: np.ndarray) -> Tensor:
    """Turn each stamp by quarter turns, counter-clockwise, then flip it or not."""
    out = torch.empty_like(x_bhwc)
    for turn in range(4):
        for flip in range(2):
            chosen = torch.from_numpy((turn_b == turn) & (flip_b == flip))
            if chosen.any():
                part = torch.rot90(x_bhwc[chosen], turn, (1, 2))
                out[chosen] = part.flip(2) if flip else part
    return out
