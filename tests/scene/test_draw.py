"""Interpolation and its frame of pixels, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from galgen.scene.canvas import MAX_WHOLE
from galgen.scene.draw import Box, Placement, box, interpolate, resample
from galgen.scene.lensing import stretch


def test_interpolation_reproduces_quadratics():
    y, x = torch.meshgrid(torch.arange(9.0), torch.arange(7.0), indexing="ij")

    def quadratic(x, y):
        return torch.stack([1 + 2 * x - y + x * y - x**2, y**2 - 3 * x]).double()

    where = torch.rand(2, 5, 4, dtype=torch.float64) * torch.tensor([4, 6])[:, None, None] + 1
    found = interpolate(quadratic(x.double(), y.double()), *where)
    assert found.numpy() == pytest.approx(quadratic(*where).numpy(), abs=1e-12)


def test_interpolation_is_exact_at_pixels_and_zero_outside():
    image_bhw = torch.rand(1, 5, 4, dtype=torch.float64)
    y, x = torch.meshgrid(torch.arange(-4.0, 9), torch.arange(-4.0, 9), indexing="ij")
    expected = np.zeros((1, 13, 13))
    expected[:, 4:9, 4:8] = image_bhw
    assert interpolate(image_bhw, x.double(), y.double()).numpy() == pytest.approx(expected)


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_quarter_turns_are_exact(turn):
    light_bhw = torch.rand(2, 8, 8, dtype=torch.float64)
    place = Placement(from_x=3.5, from_y=3.5, x=3.5, y=3.5, zoom=1, turn=turn)
    drawn = resample(light_bhw, place, Box(0, 0, 8, 8))
    # Counter-clockwise as seen with y up is clockwise for np.rot90.
    expected = np.rot90(light_bhw.numpy(), -turn // 90, (1, 2))
    assert drawn.numpy() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("zoom", "shear"), [(0.03, 0), (0.4, 0), (1.0, 0), (3.3, 0), (0.4, 0.4 - 0.3j), (3.3, -0.5)]
)
def test_a_box_holds_all_light(zoom, shear):
    """A ring at the very end of what may hold light, off centre, in any direction."""
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    r = torch.hypot(x - 31.5, y - 31.5)
    light_bhw = ((r > 29) & (r < 31.9)).double()[None]
    place = Placement(from_x=28.2, from_y=35.1, x=10.3, y=-4.8, zoom=zoom, turn=25, shear=shear)
    inside = resample(light_bhw, place, box(light_bhw, place))
    around = resample(light_bhw, place, box(light_bhw, place).grown(20))
    assert inside.sum() == pytest.approx(around.sum().item(), rel=1e-12)


@pytest.mark.parametrize("shear", [0, 0.5j])
def test_large_galaxies_need_no_normalisation(shear):
    """The peakiest of all, a single pixel, at the least enlargement of what is drawn in part."""
    light_bhw = torch.zeros(1, 64, 64, dtype=torch.float64)
    light_bhw[0, 30, 31] = 1
    zoom = MAX_WHOLE / 64 / stretch(abs(shear))
    place = Placement(from_x=31, from_y=30, x=0.3, y=0.1, zoom=zoom, turn=33, shear=shear)
    assert resample(light_bhw, place, box(light_bhw, place)).sum() == pytest.approx(1, abs=1e-5)


def test_boxes():
    image, galaxy = Box(0, 0, 10, 20), Box(-3, 15, 4, 30)
    assert galaxy.within(image) == Box(0, 15, 4, 20)
    assert galaxy.within(image).slices(galaxy) == (slice(0, 5), slice(3, 7))
    assert not galaxy.within(image).empty
    assert Box(10, 0, 12, 2).within(image).empty
    assert image.grown(2) == Box(-2, -2, 12, 22)
