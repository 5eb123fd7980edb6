"""How flux is shown in colour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from galgen.errors import CatalogError
from galgen.pictures.display import display_stretch, shown, to_display
from tests.real import fixture_stamps, run_info


@pytest.mark.parametrize(
    ("n", "expected"),
    [(1, [0]), (2, [0, 1]), (3, [0, 1, 2]), (4, [0, 2, 3]), (5, [0, 2, 4]), (6, [0, 2, 5])],
)
def test_shown_bands(n, expected):
    assert shown(n) == expected


def flux_and_info(lupton: str | None):
    stamps = fixture_stamps()
    flux_nbhw = stamps.flux().permute(0, 3, 1, 2).numpy()
    return stamps, flux_nbhw, replace(run_info(stamps), lupton=lupton)


@pytest.mark.parametrize("pixel_scale", [None, 0.396, 1.2])
def test_colour_images_come_back_in_their_stretch(pixel_scale):
    stamps = replace(fixture_stamps(), pixel_scale=pixel_scale)
    flux_nbhw = stamps.flux().permute(0, 3, 1, 2).numpy()
    display = to_display(flux_nbhw, display_stretch(run_info(stamps), flux_nbhw[:1]))
    np.testing.assert_allclose(display, stamps.pixels / np.float32(255), atol=1e-5)


@pytest.mark.parametrize("unit", [1.0, 3631.0])
def test_flux_without_a_stretch_shows_galaxies_whatever_the_unit(unit):
    _, flux_nbhw, info = flux_and_info(None)
    display = to_display(unit * flux_nbhw, display_stretch(info, unit * flux_nbhw))
    assert display.min() >= 0
    assert display.max() <= 1
    centre, corner = display[:, 30:34, 30:34].mean((1, 2, 3)), display[:, :6, :6].mean((1, 2, 3))
    assert np.median(centre) > 0.5
    assert np.median(corner) < 0.15
    assert (centre > corner).all()


def test_flux_without_a_stretch_keeps_its_colours():
    _, flux_nbhw, info = flux_and_info(None)
    stretch = display_stretch(info, flux_nbhw)
    display = to_display(flux_nbhw, stretch).transpose(0, 3, 1, 2)
    bright = flux_nbhw.min(axis=1) > 0.2 * np.median(flux_nbhw.max(axis=(1, 2, 3)))
    assert bright.sum() > 100
    scaled_g, scaled_i = (flux_nbhw[:, b][bright] * stretch.scales[b] for b in (0, 2))
    shown_g, shown_i = (display[:, b][bright] for b in (0, 2))
    np.testing.assert_allclose(shown_g / shown_i, scaled_g / scaled_i, rtol=1e-3)


def test_empty_stamps_are_black():
    _, flux_nbhw, info = flux_and_info(None)
    empty = np.zeros_like(flux_nbhw[:2])
    assert (to_display(empty, display_stretch(info, empty)) == 0).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_that_are_not_finite_are_refused(value):
    _, flux_nbhw, info = flux_and_info("sdss")
    flux_nbhw = flux_nbhw.copy()
    flux_nbhw[3, 1, 5, 5] = value
    with pytest.raises(CatalogError, match="not finite"):
        to_display(flux_nbhw, display_stretch(info, flux_nbhw[:1]))
