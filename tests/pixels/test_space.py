from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from galgen.errors import InvalidValueError
from galgen.pixels.space import LUPTON, PixelSpace

HALF_GREY = 0.5 / 255.0


def idl_nw_arcsinh(flux_ngri: np.ndarray) -> np.ndarray:
    """Hogg's djs_rgb_make for SDSS in float64: nw_scale_rgb, nw_arcsinh, nw_cut_to_box."""
    colors = flux_ngri * np.array([7.8, 5.7, 4.9])
    radius = colors.sum(axis=-1, keepdims=True)
    radius = radius + (radius == 0)
    colors = colors * np.arcsinh(radius * 3.0) / 3.0 / radius
    return colors / np.maximum(colors.max(axis=-1, keepdims=True), 1.0)


def dr2_rgb(flux_ngrz: np.ndarray) -> np.ndarray:
    """legacypipe's dr2_rgb in float64, bluest band first."""
    a = flux_ngrz * np.array([6.0, 3.4, 2.2]) + 0.03
    intensity = np.maximum(0, a).mean(axis=-1, keepdims=True)
    f_intensity = np.arcsinh(20 * intensity) / np.sqrt(20)
    intensity = intensity + (intensity == 0) * 1e-6
    return np.clip(a * f_intensity / intensity, 0, 1)


@pytest.mark.parametrize(("name", "reference"), [("sdss", idl_nw_arcsinh), ("legacy", dr2_rgb)])
def test_display_equals_the_published_formula(name, reference):
    rng = np.random.default_rng(1)
    # From well below the noise to saturated cores, in unequal band ratios; and empty sky.
    flux = 10.0 ** rng.uniform(-6, 2, size=(2000, 1)) * rng.uniform(0, 1, size=(2000, 3))
    flux[0] = 0.0
    if name == "legacy":  # the IDL code was given non-negative images
        flux[1000:] -= 0.02
    display = LUPTON[name].to_display(torch.tensor(flux, dtype=torch.float32))
    np.testing.assert_allclose(display.numpy(), reference(flux), atol=2e-6)


def grey_level_cube() -> torch.Tensor:
    """Every combination of dark, middle and bright 8-bit levels of three bands, float32."""
    levels = torch.tensor([0, 1, 2, 3, 7, 20, 64, 128, 200, 254, 255], dtype=torch.float32) / 255
    return torch.cartesian_prod(levels, levels, levels)


@pytest.mark.parametrize("name", LUPTON)
def test_all_8_bit_pixels_survive_inversion(name):
    display = grey_level_cube()
    again = LUPTON[name].to_display(LUPTON[name].to_flux(display))
    assert (again - display).abs().max() < 0.02 * HALF_GREY


@pytest.mark.parametrize("name", LUPTON)
def test_flux_survives_the_unclipped_stretch(name):
    rng = np.random.default_rng(2)
    flux = torch.tensor(rng.normal(scale=3.0, size=(4000, 3)), dtype=torch.float64)  # many negative
    again = LUPTON[name].to_flux(LUPTON[name].to_display(flux, clip=False))
    torch.testing.assert_close(again, flux, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", LUPTON)
def test_generated_pixels_beyond_black_and_white_stay_finite_and_ordered(name):
    grey = torch.linspace(-0.3, 1.3, 641)[:, None].expand(-1, 3)
    flux = LUPTON[name].to_flux(grey)
    assert (flux.diff(dim=0) > 0).all()
    assert LUPTON[name].to_flux(torch.full((1, 3), 1e6)).isfinite().all()
    assert LUPTON[name].to_flux(torch.full((1, 3), -1e6)).isfinite().all()


@pytest.mark.parametrize("name", LUPTON)
def test_gradients_are_finite_at_empty_pixels(name):
    flux = torch.zeros(1, 3, requires_grad=True)
    display = LUPTON[name].to_display(flux)
    LUPTON[name].to_flux(display).sum().backward()
    assert flux.grad.isfinite().all()


def test_saturated_sdss_pixels_keep_their_colour():
    faint = LUPTON["sdss"].to_display(torch.tensor([0.001, 0.002, 0.003]))
    bright = LUPTON["sdss"].to_display(torch.tensor([1000.0, 2000.0, 3000.0]))
    assert bright.max() == 1.0
    torch.testing.assert_close(bright / bright.sum(), faint / faint.sum())


def test_pixel_scale_conserves_surface_brightness():
    stretch = LUPTON["legacy"]
    binned = stretch.at_pixel_scale(4 * 0.262)
    flux = torch.tensor([0.2, 0.3, 0.4])
    torch.testing.assert_close(binned.to_display(16 * flux), stretch.to_display(flux))
    assert stretch.at_pixel_scale(None) == stretch


DISPLAY = PixelSpace("display", ("g", "r", "i"), 0.02, (0.1, 0.2, 0.3), (0.15,) * 3, "sdss")
FLUX = PixelSpace("flux", ("g", "r"), (0.01, 0.03), (1.0, 2.0), (1.5, 1.5), unit="nJy")


def test_display_space_is_the_variance_stabilising_root():
    v = grey_level_cube().double()
    s = torch.sqrt(v + 0.02) - 0.02**0.5
    expected = 0.5 * (s - torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)) / 0.15
    torch.testing.assert_close(DISPLAY.encode(v), expected)


@pytest.mark.parametrize("space", [DISPLAY, replace(DISPLAY, lupton=None)])
def test_display_round_trip_is_within_a_grey_level(space):
    v = grey_level_cube()
    assert (space.decode(space.encode(v)) - v).abs().max() < 0.02 * HALF_GREY


def test_flux_round_trip_spans_sky_to_cores():
    magnitude = torch.logspace(-4, 4, 200)
    flux = torch.cat([-magnitude, magnitude])[:, None].expand(-1, 2)
    torch.testing.assert_close(FLUX.decode(FLUX.encode(flux)), flux, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("space", [DISPLAY, FLUX])
def test_decoding_is_monotone_and_finite_for_any_network_output(space):
    x = torch.linspace(-4, 4, 2001)[:, None].expand(-1, len(space.bands))
    assert (space.decode(x).diff(dim=0) >= 0).all()
    wild = torch.tensor([-1e6, 1e6])[:, None].expand(-1, len(space.bands))
    assert space.decode(wild).isfinite().all()
    assert space.to_flux(wild).isfinite().all()
    assert space.to_display(wild).min() >= 0
    assert space.to_display(wild).max() <= 1


def test_flux_of_display_pixels_goes_through_the_stretch():
    v = grey_level_cube()
    x = DISPLAY.encode(v)
    torch.testing.assert_close(DISPLAY.to_flux(x), LUPTON["sdss"].to_flux(v), rtol=2e-4, atol=2e-6)
    assert torch.equal(DISPLAY.native_to_flux(v), LUPTON["sdss"].to_flux(v))
    assert torch.equal(FLUX.native_to_flux(v), v)
    with pytest.raises(InvalidValueError, match="stretch"):
        replace(DISPLAY, lupton=None).to_flux(x)
    with pytest.raises(InvalidValueError, match="stretch"):
        replace(DISPLAY, lupton=None).kernel_stretch()


@pytest.mark.parametrize("space", [DISPLAY, replace(DISPLAY, lupton=None), FLUX])
def test_light_is_finite_and_never_below_zero(space):
    """Whatever a network gives early in training."""
    bands = len(space.bands)
    x_nhwc = torch.linspace(-1e3, 1e3, 4001)[:, None, None, None].expand(-1, 1, 1, bands)
    light = space.light(x_nhwc)
    assert light.shape == (4001, 1, 1, 1)
    assert light.isfinite().all()
    assert light.min() == 0
    assert (light.flatten().diff() >= 0).all()


def test_light_is_the_mean_flux_of_the_bands():
    native_nhwc = torch.tensor([[[[0.1, 0.3, 0.2], [0.0, 0.5, 0.9]]]])
    light = DISPLAY.light(DISPLAY.encode(native_nhwc))
    flux = DISPLAY.native_to_flux(native_nhwc).mean(-1, keepdim=True)
    torch.testing.assert_close(light, flux, rtol=1e-3, atol=1e-5)


def test_display_of_flux_pixels():
    flux = torch.tensor([[0.0, 0.0], [10.0, 30.0]])  # empty sky, and 1000 times the softening
    auto = FLUX.to_display(FLUX.encode(flux))
    assert 0 < auto[0].max() < 0.2
    torch.testing.assert_close(auto[1], torch.ones(2))
    space = PixelSpace("flux", ("g", "r", "z"), 0.01, (0.0,) * 3, (1.0,) * 3, "legacy", "", 0.524)
    flux = torch.tensor([[0.1, 0.2, 0.3]])
    # A pixel of 0.524 arcsec gathers four times the flux of a 0.262 arcsec one.
    expected = LUPTON["legacy"].to_display(flux / 4)
    torch.testing.assert_close(space.to_display(space.encode(flux)), expected)


@pytest.mark.parametrize("space", [DISPLAY, FLUX])
def test_json_round_trip(space):
    assert PixelSpace.from_json(json.loads(json.dumps(space.to_json()))) == space


def test_json_of_another_version_is_refused():
    with pytest.raises(InvalidValueError, match="gamma"):
        PixelSpace.from_json({**DISPLAY.to_json(), "gamma": 2.2})
    values = DISPLAY.to_json()
    del values["mean"]
    with pytest.raises(InvalidValueError, match="mean"):
        PixelSpace.from_json(values)


@pytest.mark.parametrize(
    "change",
    [
        {"native": "counts"},
        {"mean": (0.0,)},
        {"std": (0.1, 0.1, 0.0)},
        {"softening": 0.0},
        {"softening": (0.1, 0.1)},
        {"lupton": "hst"},
        {"lupton": "legacy"},  # its bands are g, r, z
    ],
)
def test_impossible_spaces_are_refused(change):
    with pytest.raises(InvalidValueError):
        replace(DISPLAY, **change)


@pytest.mark.parametrize("softening", [0.02, (0.02,), (0.02, 0.02, 0.02)])
def test_softening_of_each_band(softening):
    space = replace(DISPLAY, softening=softening)
    assert space.softening_b == space.kernel_stretch().softening == (0.02, 0.02, 0.02)
