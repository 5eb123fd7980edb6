"""The statistics behind the two-sample test, on noise of which the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")

from bench import draws, manipulate, pixel_statistics
from bench.why_told_apart import alone, matched

BANDS = ("g", "r", "i")


def noise(n: int = 6, deviation: float = 4.0) -> np.ndarray:
    return 20 + deviation * np.random.default_rng(0).standard_normal((n, 64, 64, 3))


def test_sky_of_white_noise() -> None:
    found = pixel_statistics.sky(noise(1)[0], BANDS)
    assert found["sky_noise_g"] == pytest.approx(4, rel=0.1)
    for name in ("sky_grey_lag_x1", "sky_colour_lag_d1", "sky_bands_gi", "sky_kurtosis"):
        assert found[name] == pytest.approx(0, abs=0.12), name


def test_sky_of_blurred_noise_is_correlated() -> None:
    found = pixel_statistics.sky(manipulate.blur(noise(1), 1)[0], BANDS)
    assert found["sky_grey_lag_x1"] == pytest.approx(np.exp(-1 / 4), abs=0.08)


def test_power_of_white_noise_is_flat_at_its_variance() -> None:
    patches = noise(50)[:, :16, :16].mean(-1)
    mean = np.mean([list(pixel_statistics.spectrum(p).values()) for p in patches], 0)
    np.testing.assert_allclose(mean, 16 / 3, rtol=0.12)


def test_rings_find_a_wave() -> None:
    y, x = np.indices((64, 64)) - 31.5
    disc = 200 * np.exp(-np.hypot(x, y) / 8) * (1 + 0.3 * np.cos(2 * np.arctan2(y, x)))
    shape = {"HALF_LIGHT_RADIUS": 12.0, "AXIS_RATIO": 1.0, "POSITION_ANGLE": 0.0}
    shape |= {"X_CENTROID": 31.5, "Y_CENTROID": 31.5}
    found = pixel_statistics.rings(np.repeat(disc[..., None], 3, -1), shape)
    assert found["ring_inner_m2"] == pytest.approx(0.3, abs=0.03)
    assert found["ring_inner_m1"] < 0.01
    assert found["ring_inner_scatter"] < 0.08  # the wave is weaker where the disc is fainter


def test_neighbours_are_counted() -> None:
    image = np.full((64, 64, 3), 10.0)
    image[29:35, 29:35] = 200
    image[10:13, 50:53] = 80
    found = pixel_statistics.neighbours(image)
    assert found["neighbours"] == 1
    assert found["neighbour_light"] == pytest.approx(9 * 70, rel=0.05)


def test_changes_keep_shape_and_levels() -> None:
    images = noise(2)
    for name, change in manipulate.CHANGES.items():
        changed = manipulate.as_8bit(change(images))
        assert changed.shape == images.shape, name
    seam = manipulate.in_sky_of(np.full((1, 64, 64, 3), 9.0), np.zeros((1, 64, 64, 3)))
    assert seam[0, 32, 32, 0] == pytest.approx(9)
    assert seam[0, 2, 2, 0] == pytest.approx(0, abs=1e-6)


def test_power_is_matched() -> None:
    white, smooth = noise(8), manipulate.blur(noise(8, 9.0), 1)
    made = manipulate.with_power_of(white, smooth)
    assert made.std() == pytest.approx(smooth.std(), rel=0.02)
    assert made.mean() == pytest.approx(smooth.mean(), rel=0.01)


def test_matched_pairs_are_near_and_used_once() -> None:
    a, b = np.array([1.0, 2.0, 3.0]), np.array([2.05, 2.1, 9.0])
    rows = matched(a, b)
    assert [r.tolist() for r in rows] == [[1], [0]]
    assert alone(a, a + 10) == 1.0


def test_a_solver_of_many_steps_keeps_the_noise() -> None:
    assert draws.gaussian_response("unipc", draws.levels(128), 0.1) == pytest.approx(1, abs=2e-3)
    first = draws.gaussian_response("ddpm", draws.levels(32), 0.1)
    second = draws.gaussian_response("sde-dpmpp-2m", draws.levels(32), 0.1)
    assert first < 0.85 < 0.95 < second
