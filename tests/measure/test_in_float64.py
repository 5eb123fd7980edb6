"""Real galaxies by plain formulas in float64: a change of what is measured is more than rounding.

The bits themselves are not compared: how PyTorch adds up depends on the CPU's instructions, and
changes the last digits of nearly every column.
"""

from __future__ import annotations

import numpy as np
import pytest

from galgen.measure import ZERO_POINT, measure
from galgen.measure.cutout import cut_out
from galgen.measure.shape import CENTROID_STEPS
from tests.real import fixture_stamps

# Pixels of each galaxy's segment.
SEGMENTS = [
    953,
    1289,
    975,
    851,
    1056,
    1189,
    970,
    1151,
    955,
    739,
    699,
    1402,
    896,
    947,
    1030,
    1196,
    727,
    747,
    1443,
    1191,
    680,
    973,
    1416,
    1467,
]
Y, X = np.mgrid[:64, :64].astype(float)


@pytest.fixture(scope="module")
def galaxies():
    """Stamps without neighbours (n b h w), segments, sky noise, and what is measured."""
    stamps = fixture_stamps()
    flux_nhwc = stamps.flux()
    n = len(flux_nhwc)
    alone = cut_out(flux_nhwc.movedim(-1, 1)).alone
    found = {name: column.double().numpy() for name, column in measure(flux_nhwc, "gri").items()}
    parts = (alone.flux_nbhw, alone.galaxy_nhw, alone.sigma_n)
    return *(part[:n].double().numpy() for part in parts), found


def moments(image, segment):
    """Centre, circularised size, axis ratio, angle in radian: flux-weighted, in the segment."""
    weight = np.clip(image, 0, None) * segment / (np.clip(image, 0, None) * segment).sum()
    x, y = (weight * X).sum(), (weight * Y).sum()
    xx, yy, xy = ((weight * a).sum() for a in ((X - x) ** 2, (Y - y) ** 2, (X - x) * (Y - y)))
    (minor, major), axes = np.linalg.eigh([[xx, xy], [xy, yy]])
    angle = np.arctan2(axes[1, 1], axes[0, 1])
    return x, y, (major * minor) ** 0.25, np.sqrt(minor / major), angle


def windowed(image, x, y, size):
    """Centre in a Gaussian window that follows it."""
    for _ in range(CENTROID_STEPS):
        weight = image * np.exp(-0.5 * ((X - x) ** 2 + (Y - y) ** 2) / size**2)
        weight /= weight.sum()
        x, y = x + 2 * (weight * (X - x)).sum(), y + 2 * (weight * (Y - y)).sum()
    return x, y


def mean_within(images_bhw, x, y, q, angle, radius):
    """Mean of each band in an ellipse whose edge covers parts of pixels."""
    along = (X - x) * np.cos(angle) + (Y - y) * np.sin(angle)
    across = (Y - y) * np.cos(angle) - (X - x) * np.sin(angle)
    r = np.sqrt(q * along**2 + across**2 / q)
    gradient = np.sqrt((q * along) ** 2 + (across / q) ** 2) / np.maximum(r, 1e-6)
    cover = np.clip((radius - r) / np.maximum(gradient, 1e-3) + 0.5, 0, 1)
    return (images_bhw * cover).sum((1, 2)) / cover.sum()


def test_segments(galaxies) -> None:
    assert galaxies[1].sum((1, 2)).astype(int).tolist() == SEGMENTS


@pytest.mark.parametrize("i", range(24))
def test_columns(galaxies, i: int) -> None:
    flux_bhw, segment, sigma, found = (
        part[i] if isinstance(part, np.ndarray) else {k: v[i] for k, v in part.items()}
        for part in galaxies
    )
    image = flux_bhw.mean(0)
    x, y, size, q, angle = moments(image, segment)
    assert found["AXIS_RATIO"] == pytest.approx(q, abs=1e-5)
    turned = (found["POSITION_ANGLE"] - np.degrees(angle) + 90) % 180 - 90
    assert abs(turned) * (1 - q) < 1e-3  # of a round galaxy it means nothing
    x, y = windowed(image, x, y, size)
    assert [found["X_CENTROID"], found["Y_CENTROID"]] == pytest.approx([x, y], abs=1e-4)
    # Total flux of the mean image from its surface brightness; the aperture's area from its SNR.
    brightness = 10 ** (-0.4 * (found["SURFACE_BRIGHTNESS"] - ZERO_POINT))
    total = 2 * np.pi * found["HALF_LIGHT_RADIUS"] ** 2 * brightness
    area = (total / (found["SNR"] * sigma)) ** 2
    means_b = mean_within(flux_bhw, x, y, q, angle, np.sqrt(area / np.pi))
    fluxes = [found[f"FLUX_{band}"] for band in "GRI"]
    assert fluxes == pytest.approx(area * means_b, rel=1e-4)
    assert total == pytest.approx(np.mean(fluxes), rel=0.01)  # the curve of growth is interpolated
    colours = [found["COLOR_G_R"], found["COLOR_R_I"]]
    assert colours == pytest.approx(2.5 * np.diff(np.log10(fluxes)), abs=1e-5)
