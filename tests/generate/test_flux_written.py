"""Flux of stamps: measured on what is written, in any unit, scaled to what is asked for."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from galgen.generate.flux import finish, scale_to
from galgen.generate.observe import Observation
from galgen.measure import measure
from galgen.pixels.space import PixelSpace
from galgen.pixels.units import FluxScale

BANDS = ("g", "r", "i")
SPACE = PixelSpace("flux", BANDS, (0.01, 0.02, 0.05), (1.0, 1.2, 1.3), (2.0,) * 3, unit="nanomaggy")


def galaxies(n: int = 5) -> Tensor:
    """Model space, 24 x 32 pixels: noisy, off centre, of several brightnesses and colours."""
    generator = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.arange(24.0) - 11, torch.arange(32.0) - 16.3, indexing="ij")
    galaxy = 2.5 * torch.exp(-0.5 * ((x / 3) ** 2 + (y / 2) ** 2))[None, :, :, None]
    bright = 0.8 + 0.4 * torch.rand(n, 1, 1, 3, generator=generator)
    return galaxy * bright + 0.05 * torch.randn(n, 24, 32, 3, generator=generator) - 0.3


def test_columns_are_measured_on_what_is_written():
    observation = Observation(
        FluxScale("nJy", 31.4, 3631.0), 0.3, (1.2,) * 3, (50.0, 60.0, 70.0), None
    )
    x = galaxies()
    got = finish(x, SPACE, observation, torch.arange(5), 3)
    again = measure(torch.from_numpy(got.stamps_nbhw).movedim(1, -1), BANDS)
    before = measure(SPACE.to_flux(x) * 3631.0, BANDS)
    for name, column in again.items():
        offset = 31.4 - 22.5 if name == "SURFACE_BRIGHTNESS" else 0
        np.testing.assert_allclose(got.measured[name], column + offset, rtol=1e-6, err_msg=name)
    for band in "GRI":
        np.testing.assert_array_equal(got.measured[f"TRUE_FLUX_{band}"], before[f"FLUX_{band}"])
    assert (got.measured["HALF_LIGHT_RADIUS"] > 1.05 * before["HALF_LIGHT_RADIUS"].numpy()).all()
    assert got.sums_nb is None
    assert got.finite_n.all()


def test_a_unit_alone_is_a_factor():
    x = galaxies()
    plain = finish(x, SPACE)
    got = finish(x, SPACE, Observation(FluxScale("nJy", 31.4, 3631.0)))
    np.testing.assert_allclose(got.stamps_nbhw, plain.stamps_nbhw * np.float32(3631), rtol=1e-6)
    assert list(got.measured) == list(plain.measured)
    np.testing.assert_allclose(got.measured["FLUX_R"], plain.measured["FLUX_R"] * 3631, rtol=1e-5)
    # 31.4 - 2.5 log10(3631) = 22.5: what it is in nanomaggies.
    np.testing.assert_allclose(
        got.measured["SURFACE_BRIGHTNESS"], plain.measured["SURFACE_BRIGHTNESS"], atol=2e-4
    )


def test_scaled_to_what_is_asked():
    flux = SPACE.to_flux(galaxies())
    nan = torch.nan
    asked = torch.tensor([[1, 2, 3], [5, nan, 5], [nan, 4, nan], [nan, nan, nan], [3e4, 1, 2e-4]])
    got = scale_to(flux, asked, BANDS)
    measured = measure(got, BANDS)
    have = torch.stack([measured[f"FLUX_{band}"] for band in "GRI"], 1)
    known = ~asked.isnan()
    # The last one's bands differ by 2e8: most of what is detected is one of them.
    np.testing.assert_allclose(have[:4][known[:4]], asked[:4][known[:4]], rtol=3e-6)
    ratio = (got / flux).flatten(1, 2)
    factor = ratio[:, 100]
    torch.testing.assert_close(ratio, factor[:, None].expand_as(ratio), rtol=1e-5, atol=0)
    torch.testing.assert_close(factor[1, 1], factor[1, 0])  # the bluer neighbour's
    torch.testing.assert_close(factor[2], factor[2, :1].expand(3), rtol=1e-5, atol=0)
    assert factor[3].tolist() == [1, 1, 1]


def test_what_cannot_be_measured_is_scaled_by_its_sum():
    flux = torch.full((2, 24, 24, 3), 0.01)
    flux[1] = 0
    assert measure(flux, BANDS)["FLUX_R"].isnan().all()
    got = scale_to(flux, torch.full((2, 3), 5.0), BANDS)
    np.testing.assert_allclose(got[0].sum((0, 1)), [5, 5, 5], rtol=1e-5)
    assert (got[1] == 0).all()
