"""Galaxies of which a measurement's bias is known."""

from __future__ import annotations

import math

import galsim
import numpy as np
import pytest

from galgen.galsim.profile import _INTERPOLANT
from galgen.shear.design import Design
from galgen.shear.metacal import SHEARS, STEP, Metacal
from galgen.shear.ring import METHODS, MINUS, PLUS, RESPONSE, Ring

RADIUS = 0.8
SIGMA = RADIUS / math.sqrt(2 * math.log(2))
MOFFAT = galsim.Moffat(3.5, fwhm=0.7)
REGAUSS, METACAL = map(METHODS.index, ("regauss", "metacal"))
NO_NOISE = {"psf_fwhm": (0.7,), "snr": (math.inf,), "psf_shear": 0.0}


def gaussian(g: float = 0.0) -> galsim.GSObject:
    return galsim.Gaussian(half_light_radius=RADIUS).shear(g1=g * 0.8, g2=g * 0.6)


def lopsided() -> galsim.GSObject:
    """A galaxy without any symmetry."""
    arm = galsim.Gaussian(half_light_radius=0.3, flux=0.3).shear(g1=0.3).shift(0.5, 0.4)
    return galsim.Add(0.7 * galsim.Exponential(half_light_radius=RADIUS).shear(g2=0.2), arm)


def biases(profile: galsim.GSObject, psf: galsim.GSObject, design: Design) -> np.ndarray:
    """m and c of both components: (noise levels, methods, 2, 2)."""
    (found,) = Ring(design, psf).measure([profile], np.random.default_rng(1))
    plus, minus = (found[..., which, :] / found[..., RESPONSE, :] for which in (PLUS, MINUS))
    return np.stack([(plus - minus) / (2 * design.shear) - 1, (plus + minus) / 2], axis=-2)


def matrix(g1: float, g2: float) -> np.ndarray:
    return np.array([[1 + g1, g2], [g2, 1 - g1]]) / math.sqrt(1 - g1**2 - g2**2)


def shape(size_22: np.ndarray) -> np.ndarray:
    """(g1, g2) of a Gaussian of a covariance."""
    e = np.array([size_22[0, 0] - size_22[1, 1], 2 * size_22[0, 1]]) / np.trace(size_22)
    return e / (1 + math.sqrt(1 - e @ e))


def seen(g: np.ndarray, own: np.ndarray, psf_sigma: float) -> np.ndarray:
    """Shape of an elliptical Gaussian that is sheared, then convolved with a round one."""
    sheared = matrix(*g) @ matrix(*own)
    return shape(SIGMA**2 * sheared @ sheared.T + psf_sigma**2 * np.eye(2))


@pytest.mark.parametrize("own", [0.0, 0.3])
@pytest.mark.parametrize("g", [0.01, 0.1])
def test_metacalibration_of_gaussians(own: float, g: float) -> None:
    """All is Gaussian once the PSF is one, so that the bias, of order g^2, is known."""
    design = Design(shear=g, **NO_NOISE)
    sigma = Metacal(galsim.Convolve(MOFFAT, galsim.Pixel(design.pixel_scale)), 0.2)._psf.sigma
    wanted = []
    for unit in np.eye(2):
        shapes, responses = [], []
        for turn in (1, -1):
            shape_0 = turn * own * np.array([0.8, 0.6])
            shapes.append((seen(g * unit, shape_0, sigma) - seen(-g * unit, shape_0, sigma)) @ unit)
            for sign in (1, -1):
                # Two shears in a row along one axis add as velocities do.
                both = [(sign * g + s) / (1 + sign * g * s) * unit for s in (STEP, -STEP)]
                plus, minus = (seen(b, shape_0, sigma) @ unit for b in both)
                responses.append((plus - minus) / (2 * STEP))
        wanted.append(np.mean(shapes) / np.mean(responses) / (2 * g) - 1)
    found = biases(gaussian(own), MOFFAT, design)[0, METACAL]
    np.testing.assert_allclose(found[0], wanted, atol=4e-4)
    np.testing.assert_allclose(found[1], 0, atol=1e-6)


@pytest.mark.parametrize("own", [0.0, 0.2])
def test_regaussianization_of_gaussians(own: float) -> None:
    """Exact of Gaussians through Gaussians; a distortion is 2 g / (1 + g^2)."""
    g = 0.05
    design = Design(pixel_scale=0.1, shear=g, **NO_NOISE)  # whose pixels are small
    found = biases(gaussian(own), galsim.Gaussian(fwhm=0.7), design)[0, REGAUSS]
    limit = 4e-4 if own == 0 else 2e-3  # the responsivity is right to the order of g^2
    np.testing.assert_allclose(found[0], -(g**2) / (1 + g**2), atol=limit)


@pytest.mark.parametrize("profile", [gaussian(0.4), lopsided()], ids=["Gaussian", "lopsided"])
@pytest.mark.parametrize("angles", [2, 4])
def test_nothing_is_added_by_symmetry(profile: galsim.GSObject, angles: int) -> None:
    """With noise, too, and through a round PSF, each image is there turned by 90 degrees."""
    design = Design((0.7,), (math.inf, 50.0), psf_shear=0.0, angles=angles)
    found = biases(profile, MOFFAT, design)
    # Of a shear and its opposite, each turned: what is left is of second order in the shear.
    assert np.abs(found[..., 1, :]).max() < 2e-4


def test_an_elliptical_psf_leaks_into_shapes_but_not_through_metacalibration() -> None:
    leaks = []
    for e in (0.02, 0.04):
        design = Design((0.7,), (math.inf,), psf_shear=e)
        c = biases(galsim.Exponential(half_light_radius=RADIUS), MOFFAT.shear(g1=e), design)[
            0, :, 1
        ]
        assert abs(c[METACAL, 0]) < 1e-5
        assert abs(c[REGAUSS, 1]) < 1e-5
        leaks.append(c[REGAUSS, 0])
    assert leaks[0] > 1e-4
    assert leaks[1] == pytest.approx(2 * leaks[0], rel=0.05)


def test_one_component_is_not_taken_for_the_other() -> None:
    """Metacalibration without noise is right of any galaxy."""
    found = biases(lopsided(), MOFFAT, Design(**NO_NOISE))[0, METACAL]
    np.testing.assert_allclose(found[0], 0, atol=1e-3)


def test_noise_is_the_same_for_all_profiles() -> None:
    ring = Ring(Design((0.7,), (50.0,)), MOFFAT)
    one, other = ring.measure([gaussian(0.1), gaussian(0.1)], np.random.default_rng(1))
    np.testing.assert_array_equal(one, other)
    (again,) = ring.measure([gaussian(0.1)], np.random.default_rng(2))
    assert np.abs(again / one - 1).max() > 1e-3


def test_a_galaxy_that_cannot_be_measured_is_nan() -> None:
    faint = galsim.Gaussian(half_light_radius=RADIUS, flux=1e-4)
    good, bad = Ring(Design((0.7,), (math.inf, 30.0)), MOFFAT).measure(
        [gaussian(), faint], np.random.default_rng(1)
    )
    assert np.isfinite(good).all()
    assert np.isfinite(bad[0]).all()  # without noise
    assert np.isnan(bad[1]).any((1, 2)).all()


def test_images_that_are_sheared_add_up() -> None:
    metacal = Metacal(galsim.Convolve(MOFFAT, galsim.Pixel(0.2)), 0.2)
    a, b = np.random.default_rng(0).normal(size=(2, 32, 32))
    both = metacal.sheared(a + 3 * b, 1)
    np.testing.assert_allclose(both, metacal.sheared(a, 1) + 3 * metacal.sheared(b, 1), atol=1e-9)
    assert both.shape == (len(SHEARS), 32, 32)


def direction(noise_hw: np.ndarray) -> float:
    """Excess of the power along x over that along y, relative."""
    power = np.abs(np.fft.fft2(noise_hw)) ** 2
    k2 = np.fft.fftfreq(len(power)) ** 2
    return float((power * (k2[None, :] - k2[:, None])).sum() / (power * (k2 + k2[:, None])).sum())


def test_noise_that_is_sheared_has_no_direction() -> None:
    metacal = Metacal(galsim.Convolve(MOFFAT, galsim.Pixel(0.2)), 0.2)
    noise_2hw = np.random.default_rng(3).normal(size=(2, 64, 64))
    _, plus, minus = map(direction, metacal.sheared(noise_2hw[0], 0))
    _, plus_2, minus_2 = map(direction, metacal.noise(noise_2hw, 0))
    assert abs(plus - minus) > 0.01
    assert abs(plus_2 - minus_2) < 0.2 * abs(plus - minus)


def test_stamps_are_sheared_as_profiles_are() -> None:
    """An image that is interpolated, as the profiles of stamps, has the bias of what it shows."""
    image = gaussian(0.2).drawImage(nx=64, ny=64, scale=0.12, method="no_pixel")
    profile = galsim.InterpolatedImage(image, x_interpolant=_INTERPOLANT, flux=1.0)
    design = Design(**NO_NOISE)
    wanted, found = (biases(p, MOFFAT, design)[0] for p in (gaussian(0.2), profile))
    np.testing.assert_allclose(found, wanted, atol=2e-4)
