"""Galaxies drawn by how much they resemble the ones that are asked for, exactly and fast.

A galaxy of a table is drawn with probability proportional to a Gaussian of its distance from what
is wanted. To weigh all of them for each one wanted takes the better part of a millisecond; here a
few dozen are looked at. Galaxies that lie together are a block, and the distance to the box around
it says how likely any of it can be at the most. A block is drawn by that bound, one galaxy of it at
random, and accepted with the probability that it has of the bound (rejection sampling; Devroye
1986, chapter II.3). What is accepted has the wanted distribution whatever the blocks are.

PyTorch does what it does faster than NumPy, but for the exponential: its bits there depend on how a
tensor is split among threads, and a galaxy must not depend on the others of its batch.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

BLOCK = 32  # most galaxies of a block; fewer bound better, and take longer to bound
FEW = 256  # so many galaxies are weighed at once
ROUNDS = (4, 8, 16, 32, 64, 128)  # trials: the next round is for those that none was accepted for
ROOM = 1 << 18  # numbers at a time: what stays in a core's cache


class Likeness:
    """Galaxies by what is known of them.

    Parameters
    ----------
    known_nd : ndarray
        The galaxies' values of d properties, in units of the width of the Gaussian.
    """

    def __init__(self, known_nd: np.ndarray) -> None:
        known_nd = np.asarray(known_nd, np.float32)
        self._order_n, self._start_g = _blocks(known_nd)
        self._size_g = np.diff(self._start_g, append=len(known_nd))
        # One axis after the other, each contiguous: distances are sums over axes.
        known_dn = np.ascontiguousarray(known_nd[self._order_n].T)
        low_dg = np.minimum.reduceat(known_dn, self._start_g, axis=1)
        high_dg = np.maximum.reduceat(known_dn, self._start_g, axis=1)
        self._known_dn, self._box_dg = torch.from_numpy(known_dn), (low_dg, high_dg)

    def pick(self, wanted_md: np.ndarray, uniform_m: np.ndarray) -> np.ndarray:
        """Draw a galaxy for each one wanted.

        Parameters
        ----------
        wanted_md : ndarray
            Wanted values, in the same units and order.
        uniform_m : ndarray
            Uniform numbers in [0, 1) of 53 bits, one for each. The result depends on them and on
            what is wanted, one by one.

        Returns
        -------
        ndarray of int64 (m,)
            Which of the galaxies.
        """
        wanted_md = np.asarray(wanted_md, np.float32)
        few = len(self._order_n) <= FEW
        draw, width = (self._weigh, len(self._order_n)) if few else (self._try, len(self._start_g))
        step = max(1, ROOM // width)
        parts = [slice(start, start + step) for start in range(0, len(wanted_md), step)]
        places = [draw(wanted_md[part], uniform_m[part]) for part in parts]
        picked_m: np.ndarray = self._order_n[np.concatenate([np.empty(0, np.int64), *places])]
        return picked_m

    def _weigh(self, wanted_md: np.ndarray, uniform_m: np.ndarray) -> np.ndarray:
        """Weigh all galaxies, and draw one."""
        likely_mn = _likelihood(_distances(wanted_md, self._known_dn, self._known_dn))
        cumulative_mn = torch.from_numpy(likely_mn).cumsum(1, dtype=torch.float64)
        return _search(cumulative_mn, uniform_m[:, None])[:, 0]

    def _try(self, wanted_md: np.ndarray, uniform_m: np.ndarray) -> np.ndarray:
        """Try galaxies until one is accepted; weigh all where none is for long."""
        # Never more than the distance of a galaxy in the box, as the same sums of lesser numbers.
        bound_mg = _distances(wanted_md, *map(torch.from_numpy, self._box_dg))
        likely_mg = torch.from_numpy(_likelihood(bound_mg) * self._size_g.astype(np.float32))
        cumulative_mg = likely_mg.cumsum(1, dtype=torch.float64)
        known_dn = self._known_dn.numpy()
        picked_m, done = np.full(len(wanted_md), -1), 0
        left_m = np.arange(len(wanted_md))
        for trials in ROUNDS:
            u_mkt = _further(uniform_m[left_m], np.arange(3 * done, 3 * (done + trials)))
            u_mkt = u_mkt.reshape(len(left_m), 3, trials)
            rows = cumulative_mg[left_m] if done else cumulative_mg
            block_mt = _search(rows, u_mkt[:, 0])
            place_mt = self._start_g[block_mt] + (u_mkt[:, 1] * self._size_g[block_mt]).astype(int)
            excess_mt = -bound_mg.numpy()[left_m[:, None], block_mt]
            distance_mt = np.zeros_like(excess_mt)
            for wanted_m, known_n in zip(wanted_md[left_m].T, known_dn, strict=True):
                distance_mt += np.square(known_n[place_mt] - wanted_m[:, None])
            good_mt = u_mkt[:, 2] < np.exp((distance_mt + excess_mt) * np.float32(-0.5))
            first_m, found_m = good_mt.argmax(1), good_mt.any(1)
            picked_m[left_m[found_m]] = place_mt[found_m, first_m[found_m]]
            left_m, done = left_m[~found_m], done + trials
            if not len(left_m):
                return picked_m
        for few_m in np.array_split(left_m, 1 + len(left_m) * len(self._order_n) // ROOM):
            picked_m[few_m] = self._weigh(wanted_md[few_m], uniform_m[few_m])
        return picked_m


def _distances(wanted_md: np.ndarray, low_dk: Tensor, high_dk: Tensor) -> Tensor:
    """Square of the distance (m, k) from what is wanted to boxes; 0 within."""
    total_mk = torch.zeros(len(wanted_md), low_dk.shape[1])
    for axis, wanted_m in enumerate(torch.from_numpy(np.ascontiguousarray(wanted_md.T))):
        away_mk = torch.clamp(wanted_m[:, None], low_dk[axis], high_dk[axis]).sub_(
            wanted_m[:, None]
        )
        total_mk += away_mk.mul_(away_mk)  # not one fused operation, whose rounding may differ
    return total_mk


def _likelihood(distance_mk: Tensor) -> np.ndarray:
    """Gaussian of distances, 1 for the nearest: there always is one."""
    exponent_mk = (distance_mk - distance_mk.amin(1, keepdim=True)).mul_(-0.5).numpy()
    likely_mk: np.ndarray = np.exp(exponent_mk, out=exponent_mk)
    return likely_mk


def _search(cumulative_mk: Tensor, uniform_mt: np.ndarray) -> np.ndarray:
    """Draw, row by row, by uniform numbers and cumulative weights: which has each."""
    target_mt = torch.from_numpy(uniform_mt) * cumulative_mk[:, -1:]
    place_mt = torch.searchsorted(cumulative_mk, target_mt, right=True)
    return place_mt.clamp_max_(cumulative_mk.shape[1] - 1).numpy()


def _further(uniform_m: np.ndarray, number_k: np.ndarray) -> np.ndarray:
    """Make more uniform numbers (m, k) in [0, 1) of one each: SplitMix64 seeded with its bits.

    Of 52 bits, so that a product with a whole number is less than it when rounded too (Steele, Lea
    & Flood 2014, "Fast splittable pseudorandom number generators").
    """
    golden = 0x9E3779B97F4A7C15
    steps_k = (number_k.astype(np.uint64) + np.uint64(1)) * np.uint64(golden)
    x_mk = _mixed((uniform_m * 2.0**53).astype(np.uint64))[:, None] + steps_k
    further_mk: np.ndarray = (_mixed(x_mk) >> np.uint64(12)) * 2.0**-52
    return further_mk


def _mixed(x: np.ndarray) -> np.ndarray:
    """Mix the bits of uint64 numbers (the finaliser of SplitMix64)."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    mixed: np.ndarray = x ^ (x >> np.uint64(31))
    return mixed


def _blocks(known_nd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Halve galaxies along their widest axis until few are together: the leaves of a k-d tree.

    Returns
    -------
    order_n : ndarray of int64
        The galaxies, block by block.
    start_g : ndarray of int64
        Where blocks begin.
    """
    n = len(known_nd)
    order_n, start_g = np.arange(n), np.zeros(1, np.int64)
    while n > BLOCK * len(start_g):
        sorted_nd = known_nd[order_n]
        low_gd = np.minimum.reduceat(sorted_nd, start_g, axis=0)
        widest_g = (np.maximum.reduceat(sorted_nd, start_g, axis=0) - low_gd).argmax(1)
        block_n = np.repeat(np.arange(len(start_g)), np.diff(start_g, append=n))
        along_n = sorted_nd[np.arange(n), widest_g[block_n]]
        order_n = order_n[np.lexsort((along_n, block_n))]
        start_g = np.arange(2 * len(start_g)) * n // (2 * len(start_g))
    return order_n, start_g
