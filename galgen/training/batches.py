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

from galgen.data.draws import balanced_weights, draw_orientations, orient
from galgen.data.stamps import StampSet
from galgen.pixels.rounding import unrounded
from galgen.pixels.space import PixelSpace
from galgen.training.config import TrainConfig


@dataclass(frozen=True)
class TrainingBatch:
    """Stamps in model space with what the network is told about them.

    Attributes
    ----------
    x_nhwc : Tensor
        Stamps (n, H, W, B), float32 model space.
    category_n : Tensor
        Category codes (n,) after label dropout, int64.
    properties_np : Tensor
        Standardised properties (n, P) after dropout, float32, NaN where hidden.
    """

    x_nhwc: Tensor
    category_n: Tensor
    properties_np: Tensor


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

    def batch(
        self, step: int, rank: int = 0, size: int = 1, device: torch.device | str = "cpu"
    ) -> TrainingBatch:
        """Return the batch of a training step, or the share of one of several processes.

        The batch of a step is the same however many share it.

        Parameters
        ----------
        step : int
            Training step, from 0.
        rank, size : int
            The share: every `size`-th galaxy from number `rank` on.
        device : torch.device or str
            Where it is wanted. Pixels go there as they are kept, and become model space there: that
            is nine tenths of the work, and a GPU is faster than the cores that feed it.
        """
        rng = np.random.default_rng((self.config.seed, step))
        n = self.config.batch
        picks = np.searchsorted(self._cumulative, rng.random(n) * self._cumulative[-1])
        index = np.minimum(picks, len(self.stamps) - 1)
        square = self.stamps.pixels.shape[1] == self.stamps.pixels.shape[2]
        turn_n, flip_n = draw_orientations(n, rng, square=square)
        code_n = self._drop_labels(self.stamps.category[index], rng)
        z_np = self._drop_properties(self.z_np[index], rng)
        nothing_n = rng.random(n) < self.config.unconditional
        code_n[nothing_n], z_np[nothing_n] = 0, np.nan  # the root: no label
        own = slice(rank, n, size)
        native_nhwc = self.stamps.native_float(index[own], device)
        if self.stamps.native == "display":
            native_nhwc = unrounded(native_nhwc)
        x_nhwc = self.space.encode(native_nhwc)
        return TrainingBatch(
            orient(x_nhwc, turn_n[own], flip_n[own]),
            torch.from_numpy(code_n[own]).to(device),
            torch.from_numpy(z_np[own]).to(device),
        )

    def _drop_labels(self, code_n: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Replace some labels by a random ancestor, so that every inner node can be asked for."""
        code_n = code_n.astype(np.int64)
        for i in np.flatnonzero(rng.random(len(code_n)) < self.config.label_dropout):
            code_n[i] = rng.choice(self._ancestors[code_n[i]])
        return code_n

    def _drop_properties(self, z_np: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Hide some properties, and all of some galaxies."""
        hidden = rng.random(z_np.shape) < self.config.property_dropout
        hidden |= rng.random((len(z_np), 1)) < self.config.all_properties_dropout
        return np.where(hidden, np.float32(np.nan), z_np)


def prefetched(
    source: BatchSource,
    step: int,
    ahead: int,
    rank: int = 0,
    size: int = 1,
    device: torch.device | str = "cpu",
) -> Iterator[TrainingBatch]:
    """Yield the batches from `step` on, making the next `ahead` in threads meanwhile."""
    share = rank, size, device
    with ThreadPoolExecutor(ahead, "galgen batch", torch.set_num_threads, (1,)) as pool:
        pending = deque(pool.submit(source.batch, step + i, *share) for i in range(ahead))
        while True:
            step += 1
            ready = pending.popleft().result()
            pending.append(pool.submit(source.batch, step + ahead - 1, *share))
            yield ready
