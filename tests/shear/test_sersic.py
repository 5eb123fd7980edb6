"""A Sersic profile in place of a galaxy that is one."""

from __future__ import annotations

import galsim
import numpy as np
import pytest

from galgen.measure.clean import clean
from galgen.shear.sersic import sersic_like


def drawn(profile: galsim.GSObject, side: int = 128) -> np.ndarray:
    """(1, 1, H, W): flux 1000 on a faint sky, without noise."""
    image = profile.withFlux(1000.0).drawImage(nx=side, ny=side, scale=1.0)
    return 1.0 + image.array[None, None]


@pytest.mark.parametrize("n", [0.5, 1.0, 2.0])
@pytest.mark.parametrize(("q", "angle"), [(1.0, 0), (0.5, 30)])
def test_it_is_the_galaxy_again(n: float, q: float, angle: int) -> None:
    galaxy = galsim.Sersic(n, half_light_radius=8.0).shear(q=q, beta=angle * galsim.degrees)
    (stamp,) = clean(drawn(galaxy))
    twin = sersic_like(stamp, stamp.flux_bhw[0], 0.8)
    own = twin.original if hasattr(twin, "original") else twin
    # The wings beyond what a stamp shows are missing in the concentration of what has wings.
    assert own.n == pytest.approx(n, abs=0.1 + 0.2 * (n > 1))
    assert twin.flux == pytest.approx(1)
    assert own.half_light_radius == pytest.approx(0.8)
    shapes = [
        galsim.hsm.FindAdaptiveMom(p.drawImage(nx=128, ny=128, scale=s)).observed_shape
        for p, s in ((galaxy, 1.0), (twin, 0.1))
    ]
    assert abs(shapes[0].g1 - shapes[1].g1) < 0.02
    assert abs(shapes[0].g2 - shapes[1].g2) < 0.02


@pytest.mark.parametrize(
    ("profile", "low", "high"),
    [
        (galsim.TopHat(8.0), 0.5, 0.5),  # less concentrated than any
        (galsim.DeVaucouleurs(half_light_radius=8.0), 2.5, 6.0),
    ],
)
def test_the_index_is_in_galsims_range(profile: galsim.GSObject, low: float, high: float) -> None:
    (stamp,) = clean(drawn(profile))
    assert low <= sersic_like(stamp, stamp.flux_bhw[0], 0.8).original.n <= high
