"""Colours before an image was rounded: they round to the same image, and are smoother."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from galgen.pixels.rounding import unrounded


def rounded(display_nhwc: Tensor) -> Tensor:
    return (display_nhwc * 255).round()


def image(bands: int, h: int = 24, w: int = 32) -> Tensor:
    """Noise of all bands together over colours that change slowly, as an 8-bit image."""
    generator = torch.Generator().manual_seed(0)
    noise = 4 * torch.randn(2, h, w, 1, generator=generator)
    x, y = torch.arange(w) / w, torch.arange(h)[:, None] / h
    tilt = torch.linspace(-1, 1, bands) * 6 * (x + y)[..., None]
    return (60 + noise + tilt).round().clamp(0, 255) / 255


def roughness(display_nhwc: Tensor) -> float:
    """Mean square of the finest diagonal detail of a colour, in grey levels."""
    colour = 255 * (display_nhwc[..., 0] - display_nhwc[..., -1])
    finest = colour[:, 1:, 1:] - colour[:, 1:, :-1] - colour[:, :-1, 1:] + colour[:, :-1, :-1]
    return finest.square().mean().item()


@pytest.mark.parametrize("bands", [1, 2, 3, 5])
def test_rounds_to_the_same_image(bands: int) -> None:
    """With pixels that are black and white among them, which noise cannot pass."""
    display = image(bands)
    display[:, 3:7, 3:7] = 0
    display[:, 9:12, 3:7] = 1
    assert torch.equal(rounded(unrounded(display)), rounded(display))


def test_one_band_has_no_colour() -> None:
    display = image(1)
    assert torch.equal(unrounded(display), display)


def test_a_colour_that_does_not_change_stays() -> None:
    display = torch.tensor([10.0, 20.0, 31.0]).expand(1, 8, 9, 3) / 255
    assert torch.allclose(unrounded(display), display, atol=1e-7)


def test_a_pattern_of_the_size_of_a_pixel_moves_by_no_more_than_rounding() -> None:
    """A real checkerboard of colour, many levels deep, is no rounding."""
    display = image(3)
    display[:, ::2, ::2, 0] += 40 / 255
    moved = 255 * (unrounded(display) - display).abs()
    assert 0.49 < moved.max() < 0.5


def test_colours_are_smoother_and_their_mean_stays() -> None:
    display = image(3, 128, 128)
    assert roughness(unrounded(display)) < 0.5 * roughness(display)
    assert torch.allclose(unrounded(display).mean(-1), display.mean(-1), atol=1e-4)
