"""Draw one galaxy: move, resize and turn it."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from galgen.scene.lensing import stretch


class Placement(NamedTuple):
    """Where and how a galaxy goes.

    Attributes
    ----------
    from_x, from_y : float
        Its centroid in the stamp, pixels from 0.
    x, y : float
        Where that comes to lie in the image.
    zoom : float
        Pixels of the image per pixel of the stamp.
    turn : float
        Counter-clockwise rotation, deg.
    shear : complex
        Reduced shear g1 + i g2 afterwards, by which areas stay what they are.
    """

    from_x: float
    from_y: float
    x: float
    y: float
    zoom: float
    turn: float
    shear: complex = 0


class Box(NamedTuple):
    """Part of an image: from column `left` and row `low` to before `right` and `top`."""

    left: int
    low: int
    right: int
    top: int

    @property
    def empty(self) -> bool:
        """Whether there are no pixels in it."""
        return self.left >= self.right or self.low >= self.top

    def grown(self, margin: int) -> Box:
        """Return a box with `margin` more pixels on every side."""
        return Box(self.left - margin, self.low - margin, self.right + margin, self.top + margin)

    def within(self, other: Box) -> Box:
        """Return what both have."""
        return Box(*map(max, self[:2], other[:2]), *map(min, self[2:], other[2:]))

    def slices(self, origin: Box) -> tuple[slice, slice]:
        """Rows and columns of this box in an array of the pixels of another."""
        return (
            slice(self.low - origin.low, self.top - origin.low),
            slice(self.left - origin.left, self.right - origin.left),
        )


def box(light_bhw: Tensor, place: Placement) -> Box:
    """Find the pixels of the image that a galaxy covers, whose light ends on its stamp's circle."""
    h, w = light_bhw.shape[-2:]
    off_centre = math.hypot(place.from_x - (w - 1) / 2, place.from_y - (h - 1) / 2)
    half = math.ceil(place.zoom * stretch(abs(place.shear)) * (min(h, w) / 2 + off_centre + 2)) + 1
    x, y = round(place.x), round(place.y)
    return Box(x, y, x + 1, y + 1).grown(half)


def resample(light_bhw: Tensor, place: Placement, where: Box) -> Tensor:
    """Draw a galaxy (B, H, W) on some pixels of the image, (B, h, w).

    Cubic interpolation, averaged over the pixels of the image where they are the larger ones. The
    sum over all of the galaxy is that of `light_bhw` but for the error of sampling, below 1e-6
    where it is enlarged 15 times.
    """
    samples = max(1, math.ceil(stretch(abs(place.shear)) / place.zoom))
    dx = _ticks(where.left, where.right, samples) - place.x
    dy = (_ticks(where.low, where.top, samples) - place.y)[:, None]
    (a, b), (c, d) = _from_image(place)
    x, y = place.from_x + dx * a + dy * b, place.from_y + dy * d + dx * c
    return F.avg_pool2d(interpolate(light_bhw, x, y), samples) / place.zoom**2


def _from_image(place: Placement) -> tuple[tuple[float, float], tuple[float, float]]:
    """Matrix from offsets in the image to those in the stamp: shear, turn and zoom undone."""
    angle, g = math.radians(place.turn), place.shear
    cos, sin = math.cos(angle) / place.zoom, math.sin(angle) / place.zoom
    norm = math.sqrt(1 - abs(g) ** 2)
    g1, g2 = g.real / norm, g.imag / norm
    one = 1 / norm
    return (
        (cos * (one - g1) - sin * g2, sin * (one + g1) - cos * g2),
        (-sin * (one - g1) - cos * g2, cos * (one + g1) + sin * g2),
    )


def _ticks(first: int, last: int, samples: int) -> Tensor:
    """Positions of `samples` points in each pixel."""
    ticks = torch.arange((last - first) * samples, dtype=torch.float64)
    return first + (ticks + 0.5) / samples - 0.5


def interpolate(image_bhw: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Values (B, ...) at pixel positions (...), 0 beyond the image, by cubic convolution.

    Keys (1981, "Cubic convolution interpolation for digital image processing") with a = -1/2, the
    one value that reproduces quadratics. That of torch's ``grid_sample`` (-3/4) does not even
    reproduce straight lines, and so would shift centroids by up to 0.05 pixels.
    """
    bands, h, w = image_bhw.shape
    padded = F.pad(image_bhw, (3, 3, 3, 3)).reshape(bands, -1)
    # Beyond the last pixel there is nothing: stay where the padding has all that is read.
    x, y = x.clamp(-1, w), y.clamp(-1, h)
    column, row = x.floor(), y.floor()
    wx, wy = _cubic(x - column), _cubic(y - row)
    first = (row.long() + 2) * (w + 6) + column.long() + 2
    total = torch.zeros(bands, *first.shape, dtype=image_bhw.dtype)
    for j in range(4):
        for i in range(4):
            index = first + (j * (w + 6) + i)
            total += wy[j] * wx[i] * padded[:, index.flatten()].view_as(total)
    return total


def _cubic(t: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Weights of the pixels at -1, 0, 1 and 2 for a position t in [0, 1)."""
    return (
        0.5 * t * (t * (2 - t) - 1),
        0.5 * (t * t * (3 * t - 5) + 2),
        0.5 * t * (t * (4 - 3 * t) + 1),
        0.5 * t * t * (t - 1),
    )
