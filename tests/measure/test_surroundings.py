"""Sky noise, neighbours and arms against known ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from galgen.errors import InvalidValueError
from galgen.measure import measure, surroundings
from galgen.measure.surroundings import SURROUNDINGS
from tests.measure.synthetic import galaxy, star

OVERSAMPLING = 8


def found_in(images_nhwc: np.ndarray, bands: str = "r") -> dict[str, np.ndarray]:
    """Surroundings of (N, H, W) or (N, H, W, B) numpy images."""
    images_nhwc = images_nhwc[..., None] if images_nhwc.ndim == 3 else images_nhwc
    found = surroundings(torch.from_numpy(images_nhwc).float(), tuple(bands))
    return {name: column.double().numpy() for name, column in found.items()}


def two_armed(amplitude: float, q: float = 1.0, scale: float = 4.0, winding: float = 2.0):
    """An exponential disc with logarithmic arms, or a bar without winding, seen inclined."""
    ticks = (np.arange(64 * OVERSAMPLING) + 0.5) / OVERSAMPLING - 32
    cos, sin = math.cos(0.5), math.sin(0.5)
    u = (ticks * cos + ticks[:, None] * sin) * math.sqrt(q)
    v = (ticks[:, None] * cos - ticks * sin) / math.sqrt(q)
    r = np.hypot(u, v)
    arms = 1 + amplitude * np.cos(2 * np.arctan2(v, u) - winding * np.log(r + 0.5))
    image = (np.exp(-r / scale) * arms).reshape(64, OVERSAMPLING, 64, OVERSAMPLING).mean((1, 3))
    return 1000 * image / (2 * np.pi * scale**2)


def noise(n: int, sigma: float, seed: int = 0) -> np.ndarray:
    return sigma * np.random.default_rng(seed).normal(size=(n, 64, 64))


@pytest.mark.parametrize("sigma", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("sky", [0.0, 30.0])
def test_sky_noise(sigma: float, sky: float) -> None:
    found = found_in(galaxy() + sky + noise(20, sigma))["sky_noise"]
    assert found.mean() == pytest.approx(math.log10(sigma), abs=0.02)
    assert found.std() < 0.04


def test_sky_noise_is_of_the_mean_of_the_bands() -> None:
    """Four bands of independent noise: half of that of one."""
    image = galaxy()[None, ..., None] + noise(80, 0.2).reshape(20, 4, 64, 64).transpose(0, 2, 3, 1)
    assert found_in(image, "griz")["sky_noise"].mean() == pytest.approx(-1.0, abs=0.02)


def test_sky_noise_without_the_neighbour_on_the_border() -> None:
    image = galaxy() + star(60, 31, 3000) + star(10, 60, 3000)
    assert found_in(image + noise(20, 0.1))["sky_noise"].mean() == pytest.approx(-1.0, abs=0.05)


def test_noiseless_sky_has_a_floor() -> None:
    """1/1000 of the peak, as 8-bit stamps can have no noise; no number far from all others."""
    image = galaxy()
    floor = 10 ** found_in(image[None])["sky_noise"][0] / image.max()
    assert floor == pytest.approx(1e-3, rel=0.3)


@pytest.mark.parametrize("flux", [0.0, 20.0, 100.0, 500.0, 2000.0])
def test_neighbour_light(flux: float) -> None:
    """A galaxy of flux 1000 and a star of known flux; the square root of their ratio."""
    found = found_in(galaxy() + star(50, 12, flux) + noise(10, 0.05))["neighbour_light"]
    assert found.mean() == pytest.approx(math.sqrt(flux / 1000), rel=0.15, abs=0.02)


def test_neighbour_light_is_limited() -> None:
    found = found_in(galaxy(flux=200) + star(52, 10, 5000) + noise(1, 0.05))
    assert found["neighbour_light"][0] == 2


@pytest.mark.parametrize("q", [1.0, 0.8, 0.6, 0.4, 0.3])
@pytest.mark.parametrize("scale", [2.5, 4.0, 5.0])
def test_inclination_is_no_structure(q: float, scale: float) -> None:
    found = found_in(two_armed(0.0, q, scale) + noise(5, 0.05))["arm_strength"]
    assert found.max() < 0.08


@pytest.mark.parametrize("q", [1.0, 0.8, 0.6, 0.4, 0.3])
@pytest.mark.parametrize("amplitude", [0.2, 0.4, 0.8])
def test_arms_are_found_whatever_the_inclination(amplitude: float, q: float) -> None:
    """Somewhat below the truth: rings and pixels average over the winding."""
    found = found_in(two_armed(amplitude, q) + noise(5, 0.05))["arm_strength"]
    assert found.mean() == pytest.approx(0.8 * amplitude, rel=0.15)


def test_noise_is_no_structure() -> None:
    """Within its scatter, for a galaxy of SNR 30 as for one of 1000."""
    for sigma in (0.02, 0.1, 0.4):
        assert found_in(two_armed(0.0) + noise(20, sigma))["arm_strength"].mean() < 0.05
        arms = found_in(two_armed(0.4) + noise(20, sigma))["arm_strength"]
        assert arms.mean() == pytest.approx(0.32, abs=0.06)


def test_a_neighbour_is_no_structure() -> None:
    found = found_in(two_armed(0.0) + star(50, 12, 500) + noise(5, 0.05))["arm_strength"]
    assert found.max() < 0.1


@pytest.mark.parametrize("scale", [1e-12, 1e9])
def test_units_of_flux_do_not_matter(real_flux, scale: float) -> None:
    found, scaled = surroundings(real_flux, "gri"), surroundings(real_flux * scale, "gri")
    found["sky_noise"] = found["sky_noise"] + math.log10(scale)
    for name, column in found.items():
        torch.testing.assert_close(scaled[name], column, rtol=5e-3, atol=5e-3)


def test_turning_a_stamp_changes_nothing(real_flux) -> None:
    found, turned = (surroundings(flux, "gri") for flux in (real_flux, real_flux.rot90(1, (1, 2))))
    for name, column in found.items():
        torch.testing.assert_close(turned[name], column, rtol=2e-2, atol=2e-2)


def test_a_galaxy_does_not_depend_on_its_batch(real_flux) -> None:
    """To the bit: alone, in batches that are no multiple of 8, and in several chunks."""
    together = surroundings(real_flux, "gri")
    parts = {
        "alone": [surroundings(one, "gri") for one in real_flux.split(1)],
        "fives": [surroundings(five, "gri") for five in real_flux.split(5)],
    }
    many = surroundings(torch.cat([torch.zeros(77, 64, 64, 3), real_flux]), "gri")
    for name, column in together.items():
        assert torch.equal(many[name][77:], column), name
        for what, found in parts.items():
            assert torch.equal(torch.cat([part[name] for part in found]), column), (name, what)


def test_nothing_to_measure_is_nan() -> None:
    broken = galaxy()
    broken[3, 4] = np.nan
    blank = np.stack([np.zeros((64, 64)), broken, np.full((64, 64), 7.0), galaxy()])
    found = found_in(blank)
    measured = measure(torch.from_numpy(blank)[..., None].float(), "r")["FLUX_R"]
    for name, column in found.items():
        assert np.isnan(column).tolist() == [True, True, True, False], name
    assert measured.isnan().tolist() == [True, True, True, False]


def test_no_galaxies_give_empty_columns() -> None:
    found = surroundings(torch.zeros(0, 64, 64, 3), "gri")
    assert tuple(found) == SURROUNDINGS
    assert all(column.shape == (0,) for column in found.values())


def test_wrong_input_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="shape of flux_nhwc"):
        surroundings(torch.zeros(2, 3, 64, 64), "gri")
