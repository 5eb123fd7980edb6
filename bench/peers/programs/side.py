"""The two ways in which a peer may use all cores, of which its best counts."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from . import cubes
from .protocol import Facts, Turn

CORES = os.cpu_count() or 1
Make = Callable[[int, int], np.ndarray]


def make_all(make: Make, n: int, batch: int, way: str) -> np.ndarray:
    """Make `n` stamps in batches.

    Parameters
    ----------
    make : callable
        Takes the lane that calls it and a number of stamps, returns them.
    n, batch : int
        How many in all, and at most at a time.
    way : str
        'lanes': batches side by side, each of one thread, as galgen makes its own. 'threads': one
        after another, each operation split over all cores, which is PyTorch's default.
    """
    sizes = [min(batch, n - start) for start in range(0, n, batch)]
    if way == "threads":
        torch.set_num_threads(CORES)
        return np.concatenate([make(0, size) for size in sizes])

    def lane(number: int) -> list[np.ndarray]:
        torch.set_num_threads(1)
        return [make(number, size) for size in sizes[number::CORES]]

    with ThreadPoolExecutor(CORES) as pool:
        found = list(pool.map(lane, range(CORES)))
    return np.concatenate([found[i % CORES][i // CORES] for i in range(len(sizes))])


def turns(make: Make, batch: int) -> Turn:
    """Return what takes a turn: stamps are made, and written by astropy."""

    def turn(told: Facts) -> Facts:
        begun = perf_counter()
        stamps_nbhw = make_all(make, told["n"], batch, told["way"])
        cubes.write(Path(told["out"]), stamps_nbhw)
        seconds = perf_counter() - begun
        return {"seconds": seconds, "mean": float(stamps_nbhw.mean(dtype=np.float64))}

    return turn
