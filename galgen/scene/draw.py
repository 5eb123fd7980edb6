"""Draw one galaxy: move, resize and turn it, keeping its flux and its centroid."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from galgen.errors import InvalidValueError

MAX_REACH = 512  # pixels from the centre of a galaxy to its end


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
    """

    from_x: float
    from_y: float
    x: float
    y: float
    zoom: float
    turn: float


class Box(NamedTuple):
    """A square of the image: its first column and row, and its side, in pixels."""

    left: int
    low: int
    side: int


def box(light_bhw: Tensor, place: Placement, margin: int) -> Box:
    """The square that holds a drawn galaxy and `margin` pixels around it.

    Parameters
    ----------
    light_bhw : Tensor (B, H, W)
        Its light ends on the circle that fits into the stamp.
    place : Placement
    margin : int

    Raises
    ------
    InvalidValueError
        If the galaxy is too large to draw.
    """
    h, w = light_bhw.shape[-2:]
    off_centre = math.hypot(place.from_x - (w - 1) / 2, place.from_y - (h - 1) / 2)
    reach = place.zoom * (min(h, w) / 2 + off_centre + 2)
    if reach > MAX_REACH:
        hint = "Give the source a smaller half-light radius, or the image larger pixels."
        raise InvalidValueError("reach of a source", f"{reach:.0f} pixels", f"{MAX_REACH}", hint)
    half = math.ceil(reach) + 1 + margin
    return Box(round(place.x) - half, round(place.y) - half, 2 * half + 1)


def resample(light_bhw: Tensor, place: Placement, where: Box) -> Tensor:
    """Draw a galaxy on a square that holds it all, (B, side, side); each band keeps its sum of 1.

    Cubic interpolation, averaged over the pixels of the image where they are the larger ones.
    """
    samples = max(1, math.ceil(1 / place.zoom))
    ticks = (torch.arange(where.side * samples, dtype=torch.float64) + 0.5) / samples - 0.5
    dx, dy = (where.left + ticks - place.x)[None, :], (where.low + ticks - place.y)[:, None]
    angle = math.radians(place.turn)
    cos, sin = math.cos(angle) / place.zoom, math.sin(angle) / place.zoom
    x, y = place.from_x + dx * cos + dy * sin, place.from_y + dy * cos - dx * sin
    drawn = F.avg_pool2d(interpolate(light_bhw, x, y), samples)
    return drawn / drawn.sum((1, 2), keepdim=True)


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
