"""A catalogue of Gaussian galaxies, of which everything is known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from galgen import categories
from galgen.data import StampSet
from tests.measure.synthetic import GAUSSIAN, galaxy, star
from tests.real import run_info, write_real

BANDS = ("g", "r", "i")
FLUX = np.array([500.0, 1000.0, 1500.0])
NAMES = ("barred", "round", "spiral", "cigar", "loose", "round", "galaxy", "spiral")
# Half-light radius (pix), axis ratio, angle (deg), centre (pix).
SHAPES = (
    (4.0, 0.6, 30, 31.5, 31.5),
    (3.0, 1.0, 0, 31.5, 31.5),
    (5.0, 0.8, 100, 32.3, 30.9),  # off centre, between pixels
    (4.0, 0.3, 60, 31.5, 31.5),
    (2.0, 0.7, 0, 31.0, 32.0),  # centred on a pixel
    (4.0, 1.0, 0, 31.5, 31.5),  # on a sky of 5, beside a star
    (4.0, 1.0, 0, 31.5, 31.5),  # without light
    (4.0, 0.6, 30, 31.5, 31.5),
)
CROWDED, DARK = 5, 6
SIGMA = 1 / math.sqrt(2 * math.log(2))  # of a Gaussian of half-light radius 1


def stamps(pixel_scale: float | None = None) -> StampSet:
    """The galaxies: (8, 64, 64, 3), a little smaller in redder bands."""
    flux = [[galaxy(r * s, *rest) for s in (1.1, 1.0, 0.9)] for r, *rest in _placed()]
    flux_nhwc = np.moveaxis(FLUX[:, None, None] / 1000 * np.array(flux), 1, -1)
    flux_nhwc[CROWDED] += 5 + star(50, 45, 800.0)[..., None]
    flux_nhwc[DARK] = 0
    codes = np.array([categories.get(name).code for name in NAMES], np.int16)
    ids = np.array([str(i) for i in range(len(NAMES))])
    return StampSet(
        flux_nhwc.astype(np.float32), "flux", BANDS, codes, ids, pixel_scale=pixel_scale
    )


def _placed() -> list[tuple[float, ...]]:
    return [(r, q, angle, x, y, 1000.0, GAUSSIAN) for r, q, angle, x, y in SHAPES]


def write(
    path: Path,
    pixel_scale: float | None = None,
    carried: Mapping[str, np.ndarray] | None = None,
    zero_point: float | None = None,
) -> Path:
    """Write the catalogue, with columns carried over."""
    made = stamps(pixel_scale)
    info = replace(run_info(made), zero_point=zero_point)
    return write_real(path, made, info=info, carried=carried)
