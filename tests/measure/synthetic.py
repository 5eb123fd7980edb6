"""Galaxies with known shapes, and measurement of numpy arrays."""

from __future__ import annotations

import math

import numpy as np
import torch

from galgen.measure import measure

OVERSAMPLING = 8
GAUSSIAN, EXPONENTIAL = 2.0, 1.0  # exponent of r in the profile
# half-light radius in units of the profile's scale: solutions of F(r) = F / 2
HALF_LIGHT = {GAUSSIAN: math.sqrt(2 * math.log(2)), EXPONENTIAL: 1.67835}


def galaxy(
    r50=4.0, q=0.6, angle=30.0, x=31.5, y=31.5, flux=1000.0, profile=EXPONENTIAL, shape=(64, 64)
) -> np.ndarray:
    """Float64 elliptical galaxy (H, W) integrated over pixels; r50 circularised, angle in deg."""
    h, w = shape
    ticks_y = (np.arange(h * OVERSAMPLING) + 0.5) / OVERSAMPLING - 0.5 - y
    ticks_x = (np.arange(w * OVERSAMPLING) + 0.5) / OVERSAMPLING - 0.5 - x
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    major = ticks_x * cos + ticks_y[:, None] * sin
    minor = ticks_y[:, None] * cos - ticks_x * sin
    r = np.sqrt(q * major**2 + minor**2 / q) / (r50 / HALF_LIGHT[profile])
    image = np.exp(-0.5 * r**2) if profile == GAUSSIAN else np.exp(-r)
    image = image.reshape(h, OVERSAMPLING, w, OVERSAMPLING).mean((1, 3))
    return flux * image / (2 * np.pi * (r50 / HALF_LIGHT[profile]) ** 2)


def star(x: float, y: float, flux: float, shape=(64, 64)) -> np.ndarray:
    return galaxy(1.4, 1.0, 0.0, x, y, flux, GAUSSIAN, shape)


def measure_numpy(images_nhwc: np.ndarray, bands="r") -> dict[str, np.ndarray]:
    """Measure (N, H, W) or (N, H, W, B) numpy images."""
    images_nhwc = images_nhwc[..., None] if images_nhwc.ndim == 3 else images_nhwc
    measured = measure(torch.from_numpy(images_nhwc).float(), tuple(bands))
    return {name: column.double().numpy() for name, column in measured.items()}


def angle_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Difference of orientations, in [-90, 90) deg."""
    return (a - b + 90) % 180 - 90


def nothing_to_measure(image: np.ndarray) -> dict[str, np.ndarray]:
    """Return stamps in which there is no galaxy to measure, some of them `image` spoiled."""
    broken, infinite = image.copy(), image.copy()
    broken[3, 4], infinite[30, 31] = np.nan, -np.inf
    return {
        "zeros": np.zeros((64, 64)),
        "constant": np.full((64, 64), 7.0),
        "a star in the corner": star(58, 6, 1000),
        "a hole in the sky": 10 - galaxy(),
        "NaN": broken,
        "infinity": infinite,
    }
