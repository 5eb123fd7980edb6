"""Gini, M20, sizes, arms and bars of galaxies that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from astropy.convolution import discretize_model
from astropy.modeling.models import Sersic2D
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import gammaincinv

from galgen.measure import structure
from tests.measure.synthetic import EXPONENTIAL, GAUSSIAN, HALF_LIGHT, galaxy

OVERSAMPLING = 8
SCALE = 4.0  # of the discs with bars and arms, pixels


def found_in(images_nhw: np.ndarray) -> dict[str, np.ndarray]:
    """Structure of numpy images in one band."""
    found = structure(torch.from_numpy(images_nhw)[..., None].float(), "r")
    return {name: column.double().numpy() for name, column in found.items()}


def noise(n: int, sigma: float, seed: int = 0) -> np.ndarray:
    return sigma * np.random.default_rng(seed).normal(size=(n, 64, 64))


def sersic_truth(index: float) -> dict[str, float]:
    """Of a round Sersic profile with a half-light radius of 1, by quadrature."""
    b = gammaincinv(2 * index, 0.5)

    def light(r: float, power: int = 1) -> float:
        return math.exp(-b * r ** (1 / index)) * r**power

    def within(a: float, c: float) -> float:
        return quad(light, a, c)[0]

    def eta(r: float) -> float:
        return within(0.8 * r, 1.25 * r) / (1.25**2 - 0.8**2) / within(0, r)

    edge = brentq(lambda r: eta(r) - 0.2, 0.5, 10)
    total = within(0, edge)
    fifth = brentq(lambda r: within(0, r) - 0.2 * total, 1e-6, edge)
    return {
        "PETROSIAN_RADIUS": edge,
        # half of the mean difference of two points of the area, over their mean
        "GINI": quad(lambda r: (1 - 2 * (r / edge) ** 2) * light(r), 0, edge)[0] / total,
        "M20": math.log10(quad(light, 0, fifth, args=(3,))[0] / quad(light, 0, edge, args=(3,))[0]),
    }


@pytest.mark.parametrize("index", [0.5, 1.0, 2.5, 4.0])
def test_round_sersic_profiles(index: float) -> None:
    """Centres all over a pixel: M20 counts the pixels of a fifth of the light, which are few."""
    r50, side = 7.0, 144
    centres = side / 2 + np.random.default_rng(1).uniform(-0.5, 0.5, (8, 2))
    images = [
        discretize_model(
            Sersic2D(1, r50, index, x, y), (0, side), (0, side), mode="oversample", factor=8
        )
        for x, y in centres
    ]
    found, truth = found_in(np.stack(images)), sersic_truth(index)
    petrosian = found["PETROSIAN_RADIUS"] / r50
    np.testing.assert_allclose(petrosian, truth["PETROSIAN_RADIUS"], rtol=0.04)
    np.testing.assert_allclose(found["GINI"], truth["GINI"], atol=0.015)
    # the cusp of a de Vaucouleurs profile is within a few pixels
    assert found["M20"].mean() == pytest.approx(truth["M20"], abs=0.2 if index == 4 else 0.05)


@pytest.mark.parametrize("q", [1.0, 0.7, 0.4, 0.2])
@pytest.mark.parametrize("profile", [GAUSSIAN, EXPONENTIAL])
def test_inclination_changes_no_radius(q: float, profile: float) -> None:
    """A Gaussian's rms size is its scale; a disc's sqrt(3) scales, less what is below 2 sigma."""
    found = found_in(galaxy(4.0, q, profile=profile)[None] + noise(8, 0.005))
    scale = 4.0 / HALF_LIGHT[profile]
    moment = scale if profile == GAUSSIAN else math.sqrt(3) * scale
    np.testing.assert_allclose(found["MOMENT_RADIUS"], moment, rtol=0.05)
    petrosian = sersic_truth(0.5 if profile == GAUSSIAN else 1.0)["PETROSIAN_RADIUS"]
    np.testing.assert_allclose(found["PETROSIAN_RADIUS"] / 4.0, petrosian, rtol=0.06)


def disc(modulation, q: float = 1.0) -> np.ndarray:
    """An inclined exponential disc (64, 64), times 1 + modulation(r, t) in its own plane."""
    ticks = (np.arange(64 * OVERSAMPLING) + 0.5) / OVERSAMPLING - 32
    cos, sin = math.cos(0.5), math.sin(0.5)
    u = (ticks * cos + ticks[:, None] * sin) * math.sqrt(q)
    v = (ticks[:, None] * cos - ticks * sin) / math.sqrt(q)
    r, t = np.hypot(u, v), np.arctan2(v, u)
    image = np.exp(-r / SCALE) * (1 + modulation(r, t))
    image = image.reshape(64, OVERSAMPLING, 64, OVERSAMPLING).mean((1, 3))
    return 1000 * image / (2 * np.pi * SCALE**2)


def spiral(amplitude: float, pitch: float, m: int = 2):
    """A logarithmic spiral of m arms and this pitch angle, deg, out of a smooth middle."""
    run = m / math.tan(math.radians(pitch))
    return lambda r, t: amplitude * np.minimum(r / 2, 1) * np.cos(m * t - run * np.log(r.clip(0.1)))


def bar(amplitude: float, length: float = 2 * SCALE):
    """A mode m = 2 of one phase, 40 deg from the major axis, which ends softly."""
    return lambda r, t: amplitude * np.cos(2 * (t - 0.7)) / (1 + np.exp(2 * (r - length)))


@pytest.mark.parametrize("q", [1.0, 0.7, 0.4])
@pytest.mark.parametrize("pitch", [12, 15, 20, 25, 30, 40])
def test_pitch_angle_of_logarithmic_spirals(q: float, pitch: float) -> None:
    """Open arms bend the ellipses that they are measured on: their angle comes out larger."""
    found = found_in(disc(spiral(0.4, pitch), q) + noise(5, 0.02))
    error = 1.5 if pitch < 30 else 0.15 * pitch
    np.testing.assert_allclose(found["PITCH_ANGLE"], pitch, atol=error)
    assert found["ARM_COHERENCE"].min() > 0.97


def test_handedness_is_left_out() -> None:
    for column in found_in(np.stack([disc(spiral(0.4, p)) for p in (20, -20)])).values():
        assert column[1] == pytest.approx(column[0], rel=0.02, abs=0.02)


@pytest.mark.parametrize("q", [1.0, 0.7, 0.4])
@pytest.mark.parametrize("amplitude", [0.2, 0.4, 0.6])
def test_bars(amplitude: float, q: float) -> None:
    """Somewhat below the truth: the ellipses turn towards the bar."""
    found = found_in(disc(bar(amplitude), q) + noise(5, 0.02))
    assert found["BAR_STRENGTH"].mean() == pytest.approx(0.85 * amplitude, rel=0.15)
    assert found["PITCH_ANGLE"].min() > 50


@pytest.mark.parametrize("pitch", [15, 20])
def test_arms_are_no_bar(pitch: float) -> None:
    found = found_in(disc(spiral(0.4, pitch)) + noise(5, 0.02))
    assert found["BAR_STRENGTH"].max() < 0.13
    assert found["ARM_STRENGTH"].min() > 0.25


@pytest.mark.parametrize(("name", "m"), [("FOURIER_A3", 3), ("FOURIER_A4", 4)])
@pytest.mark.parametrize("amplitude", [0.2, 0.4])
def test_modes_of_more_arms(name: str, m: int, amplitude: float) -> None:
    found = found_in(disc(spiral(amplitude, 30, m)) + noise(5, 0.02))
    assert found[name].mean() == pytest.approx(0.85 * amplitude, rel=0.15)
    others = {"FOURIER_A1", "ARM_STRENGTH", "FOURIER_A3", "FOURIER_A4"} - {name}
    assert max(found[other].max() for other in others) < 0.1


def test_lopsidedness() -> None:
    """The centre follows the light, so that some of m = 1 is not left."""

    def lopsided(amplitude: float):
        return lambda r, t: amplitude * np.minimum(r / (3 * SCALE), 1) * np.cos(t)

    for amplitude in (0.2, 0.4, 0.8):
        found = found_in(disc(lopsided(amplitude)) + noise(5, 0.02))
        mean = found["FOURIER_A1"].mean()
        assert 0.15 * amplitude < mean < 0.6 * amplitude
        assert max(found[name].max() for name in ("FOURIER_A3", "FOURIER_A4")) < 0.06


@pytest.mark.parametrize(("sigma", "spirals"), [(0.02, 0), (0.1, 0), (0.3, 0.3)])
def test_noise_is_no_structure(sigma: float, spirals: float) -> None:
    """Of a smooth round disc; only that its ellipse is not round any more is seen at last."""
    found = found_in(disc(lambda r, t: 0 * r) + noise(64, sigma))
    for name in ("FOURIER_A1", "ARM_STRENGTH", "FOURIER_A3", "FOURIER_A4", "BAR_STRENGTH"):
        assert found[name].mean() < 0.03, name
    pitch = found["PITCH_ANGLE"][np.isfinite(found["PITCH_ANGLE"])]
    assert len(pitch) <= spirals * 64
    assert (pitch > 45).sum() >= 0.6 * len(pitch)


def test_a_bright_ring_raises_m20() -> None:
    """Its brightest pixels are far from the centre (Lotz et al. 2004)."""
    smooth, ring = (disc(lambda r, t, depth=d: -depth * np.exp(-((r / 4) ** 2))) for d in (0, 0.7))
    found = found_in(np.stack([smooth, ring]))["M20"]
    assert found[1] > found[0] + 0.15
