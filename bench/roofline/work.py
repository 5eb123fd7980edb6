"""Bytes and operations of a launch, and the least time that they take at assumed rates."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Rates:
    """What an H100 is assumed to reach at best. Nothing here has been measured by us.

    Attributes
    ----------
    hbm, l2 : float
        Bytes per second of device memory, and of the L2 cache.
    matrix : float
        Operations per second of bf16 matrix products, a multiplication and an addition being two.
    vector : float
        Other operations per second: 132 multiprocessors, 128 lanes, one per clock of 1.98 GHz.
    """

    hbm: float = 3.0e12
    l2: float = 5.5e12
    matrix: float = 790e12
    vector: float = 33e12


@dataclass(frozen=True)
class Work:
    """Work of one launch, for one image of a large batch.

    Attributes
    ----------
    hbm, l2 : float
        Bytes between device memory and chip; bytes between L2 and multiprocessors.
    flops, issued : float
        Operations of the matrix products that the formula has; those that the tiles carry out,
        padding and masked scores included.
    vector : float
        Other operations, as the source has them; a compiler makes more of them.
    """

    hbm: float
    l2: float
    flops: float = 0.0
    issued: float = 0.0
    vector: float = 0.0

    def seconds(self, rates: Rates) -> dict[str, float]:
        """Return the time that each resource needs by itself."""
        return {
            "hbm": self.hbm / rates.hbm,
            "l2": self.l2 / rates.l2,
            "matrix": self.issued / rates.matrix,
            "vector": self.vector / rates.vector,
        }

    def to_json(self, rates: Rates) -> dict[str, Any]:
        """Return counts, the time bound in microseconds, and which resource sets it."""
        seconds = self.seconds(rates)
        bound = max(seconds, key=lambda name: seconds[name])
        return asdict(self) | {"bound_us": 1e6 * seconds[bound], "bound": bound}


def bound(launches: list[Work], rates: Rates) -> float:
    """Seconds of launches one after the other, each at its own bound."""
    return sum(max(work.seconds(rates).values()) for work in launches)
