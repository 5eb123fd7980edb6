"""Build galgen/normal_table.npy, the inverse normal distribution that `galgen.noise` looks up.

Run ``python bench/make_normal_table.py`` (needs mpmath, which torch installs). The committed file
is the definition of galgen's normal numbers: a new table changes every generated galaxy, so it
needs a new golden hash in tests/test_noise.py and an entry in the changelog.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import mpmath
import numpy as np

OCTAVES = 32  # a distance from the middle of the 32-bit range is 0.5 .. 2^31 - 0.5
SEGMENTS_PER_OCTAVE = 32
DEGREE = 3


def quantile(x: mpmath.mpf) -> mpmath.mpf:
    """Return the z >= 0 that a normal number exceeds with probability x / 2^32."""
    return mpmath.sqrt(2) * mpmath.erfinv(1 - x / 2**31)


def fit(low: mpmath.mpf, high: mpmath.mpf) -> list[mpmath.mpf]:
    """Coefficients, constant first, of the interpolant of `quantile` at the Chebyshev nodes."""
    angles = [mpmath.pi * (2 * k + 1) / (2 * DEGREE + 2) for k in range(DEGREE + 1)]
    nodes = [(low + high) / 2 + (high - low) / 2 * mpmath.cos(angle) for angle in angles]
    vandermonde = mpmath.matrix([[x**power for power in range(DEGREE + 1)] for x in nodes])
    return list(mpmath.lu_solve(vandermonde, mpmath.matrix([quantile(x) for x in nodes])))


def build() -> np.ndarray:
    """Coefficients as float64, (DEGREE + 1, OCTAVES * SEGMENTS_PER_OCTAVE), constant first."""
    mpmath.mp.dps = 60
    table = np.empty((DEGREE + 1, OCTAVES * SEGMENTS_PER_OCTAVE))
    for segment in range(table.shape[1]):
        octave, part = divmod(segment, SEGMENTS_PER_OCTAVE)
        start = mpmath.mpf(2) ** (octave - 1)
        edges = [start * (1 + mpmath.mpf(part + i) / SEGMENTS_PER_OCTAVE) for i in (0, 1)]
        table[:, segment] = [float(c) for c in fit(*edges)]
    return table


def main() -> None:
    """Write the table."""
    default = Path(__file__).resolve().parents[1] / "galgen" / "normal_table.npy"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", nargs="?", type=Path, default=default)
    np.save(parser.parse_args().output, build())


if __name__ == "__main__":
    main()
