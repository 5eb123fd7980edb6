"""Isolated real galaxies against photutils, with its own detection and astropy's sky."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.convolution import Gaussian2DKernel, convolve
from astropy.stats import sigma_clip

from galgen.measure import measure

pytest.importorskip("photutils")
from photutils.aperture import EllipticalAperture
from photutils.segmentation import SourceCatalog, detect_sources

# Those whose isophote holds no other object: photutils does not deblend here.
ISOLATED = [
    "gz2-216171",
    "gzkaggle-985395",
    "gz1-588015509283078244",
    "gzkaggle-100053",
    "gzkaggle-100859",
    "gz1-587734305952825672",
    "gzkaggle-970529",
    "gz1-587742610802737382",
    "gzkaggle-106390",
    "gzkaggle-104020",
]


@pytest.fixture(scope="module")
def isolated(real_stamps, real_flux):
    """Per isolated galaxy: sky-subtracted float64 mean of the bands, and what galgen measures."""
    flux = real_flux.double().numpy()
    found = {name: column.double().numpy() for name, column in measure(real_flux, "gri").items()}
    border = np.ones((64, 64), dtype=bool)
    border[3:-3, 3:-3] = False
    result = {}
    for row, name in enumerate(real_stamps.ids):
        if name in ISOLATED:
            sky = [sigma_clip(flux[row, border, b], sigma=3).mean() for b in range(3)]
            result[name] = (
                (flux[row] - sky).mean(-1),
                {column: v[row] for column, v in found.items()},
            )
    return result, border


@pytest.mark.parametrize("name", ISOLATED)
def test_shape_and_centre(isolated, name):
    (image, found), border = isolated[0][name], isolated[1]
    smoothed = convolve(image, Gaussian2DKernel(1, x_size=5, y_size=5), boundary="extend")
    noise = np.quantile(np.abs(smoothed[border]), 0.6) / 0.8416  # 60 % of a Gaussian
    isophote = 2 * max(noise, 1e-3 * smoothed[24:40, 24:40].max())
    segments = detect_sources(smoothed, isophote, 5)
    source = SourceCatalog(image, segments)[segments.data[32, 32] - 1]
    axis_ratio = 1 / source.elongation.value
    assert found["AXIS_RATIO"] == pytest.approx(axis_ratio, abs=0.02)
    if axis_ratio < 0.8:
        difference = found["POSITION_ANGLE"] - source.orientation.to_value("deg")
        assert abs((difference + 90) % 180 - 90) < 1
    # another width of the window: equal to a fraction of a pixel only
    centre = found["X_CENTROID"], found["Y_CENTROID"]
    np.testing.assert_allclose(centre, source.centroid_win, atol=0.15)


@pytest.mark.parametrize("name", ISOLATED)
def test_half_of_the_flux_is_within_the_half_light_ellipse(isolated, name):
    image, found = isolated[0][name]
    root = np.sqrt(found["AXIS_RATIO"])
    ellipse = EllipticalAperture(
        (found["X_CENTROID"], found["Y_CENTROID"]),
        found["HALF_LIGHT_RADIUS"] / root,
        found["HALF_LIGHT_RADIUS"] * root,
        theta=np.radians(found["POSITION_ANGLE"]),
    )
    total = np.mean([found[f"FLUX_{band}"] for band in "GRI"])
    assert ellipse.do_photometry(image)[0][0] == pytest.approx(0.5 * total, rel=0.02)
