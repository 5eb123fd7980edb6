"""Number counts and sizes follow the published relations they name."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from galgen.errors import InvalidValueError
from galgen.scene.population import density, half_light_radii, magnitudes


def test_density_is_that_of_the_science_book():
    assert density(15, 25) == pytest.approx(46 * (1 - 10**-3.1))
    assert density(20, 24) == pytest.approx(density(20, 22) + density(22, 24))


def test_magnitudes_have_the_slope_of_the_counts():
    mag_n = magnitudes(np.random.default_rng(0).random(20_000), 19, 24)
    assert 19 <= mag_n.min() < mag_n.max() <= 24

    def cumulative(mag):
        mag = np.asarray(mag)
        return (10 ** (0.31 * mag) - 10 ** (0.31 * 19)) / (10 ** (0.31 * 24) - 10 ** (0.31 * 19))

    assert stats.kstest(mag_n, cumulative).pvalue > 0.01
    assert magnitudes(np.array([0.0, np.nextafter(1, 0)]), 19, 24) == pytest.approx([19, 24])


def test_sizes_are_distributed_as_published():
    """r exp(-(r / a)^(4/3)) integrated by quadrature, with the published median."""

    def below(r: float, a: float = 1.0) -> float:
        return integrate.quad(lambda t: t * np.exp(-((t / a) ** (4 / 3))), 0, r)[0]

    whole = below(40)
    median = optimize.brentq(lambda r: below(r) / whole - 0.5, 0.1, 5)
    for mag in (20.0, 24.0):
        r_n = half_light_radii(
            np.full(4000, mag), np.random.default_rng(int(mag)).normal(size=(4000, 3))
        )
        r_n = r_n / (1.67835 * np.exp(-1.145 - 0.269 * (mag - 23))) * median
        cumulative = np.vectorize(lambda r: below(r) / whole)
        assert stats.kstest(r_n, cumulative).pvalue > 0.01


@pytest.mark.parametrize("limits", [(24, 19), (20, 20), (10, 20), (20, 30), (float("nan"), 20)])
def test_limits_out_of_order_or_range_are_refused(limits):
    with pytest.raises(InvalidValueError, match="bright:faint"):
        density(*limits)
